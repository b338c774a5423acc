"""The attribute projection language (clause 4.21): ``pick=id,locatedAt{id,name}``."""

import re
from typing import TypeAlias

from machinami.errors import BadRequestData
from machinami.ngsild.context import Context
from machinami.ngsild.terms import NAME

ENTITY_MEMBERS = frozenset({"id", "type", "scope"})
"""Members of an entity that are no attributes and can be picked and omitted."""

Projection: TypeAlias = "dict[str, Projection]"
"""Members: ``id``, ``type``, ``scope`` as they are, attributes expanded; each with what is meant within the
linked entity behind it, nothing where no braces follow."""

_TOKENS = re.compile(r"[{},|]|[^{},|\s]+")
_URI = re.compile(r"[A-Za-z][\w+.-]*:\S+")
_DEEPEST = 16


def parse_projection(text: str, parameter: str, context: Context) -> Projection:
    """Reads ``pick`` or ``omit``.

    Raises:
        BadRequestData: it breaks the grammar, or a name is none.
    """
    return _Reader(text, parameter, context).read()


class _Reader:
    """Recursive descent over the tokens."""

    def __init__(self, text: str, parameter: str, context: Context) -> None:
        self._text = text
        self._parameter = parameter
        self._context = context
        self._tokens = [*_TOKENS.findall(text), ""]
        self._at = 0

    def read(self) -> Projection:
        members = self._members(0)
        if self._tokens[self._at]:
            raise self._wrong()
        return members

    def _members(self, depth: int) -> Projection:
        members: Projection = {}
        while True:
            name = self._name(self._tokens[self._at])
            self._at += 1
            members[name] = self._within(depth)
            if self._tokens[self._at] not in {",", "|"}:
                return members
            self._at += 1

    def _within(self, depth: int) -> Projection:
        if self._tokens[self._at] != "{":
            return {}
        if depth >= _DEEPEST:
            raise self._wrong()
        self._at += 1
        inner = self._members(depth + 1)
        if self._tokens[self._at] != "}":
            raise self._wrong()
        self._at += 1
        return inner

    def _name(self, token: str) -> str:
        if token in ENTITY_MEMBERS:
            return token
        if not (NAME.fullmatch(token) or _URI.fullmatch(token)):
            raise self._wrong()
        return self._context.expand(token)

    def _wrong(self) -> BadRequestData:
        return BadRequestData(
            f"{self._parameter} is no list of members: {self._text!r:.200}",
            field=self._parameter,
            value=self._text,
            cure="Write a,b,c, and members of a linked entity as locatedAt{id,name}",
        )
