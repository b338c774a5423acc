"""Selections of entity types (clause 4.17: ``(Home;Vehicle),Motorhome``) and scopes (4.19: ``/Madrid/#``)."""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import product

import msgspec

from machinami.errors import BadRequestData
from machinami.model import Entity
from machinami.ngsild.patterns import found
from machinami.ngsild.scopes import scope_pattern
from machinami.store.queries import EntitySelector, ScopeSelection, TypeSelection

EVERY_TYPE = "*"
_TOKENS = re.compile(r"[()|,;]|[^()|,;]+")
_MAX_DEPTH = 16
_MAX_GROUPS = 256


class _Language(msgspec.Struct, frozen=True, kw_only=True):
    """What is said when a text is not of it."""

    field: str
    wrong: str
    cure: str


_TYPES = _Language(
    field="type",
    wrong="not a selection of entity types",
    cure="Write A,B for either type, (A;B) for both (ETSI GS CIM 009 clause 4.17)",
)
_SCOPES = _Language(
    field="scopeQ",
    wrong="not a scope query",
    cure="Write /Madrid/Gardens, /Madrid/+/Gardens or /Madrid/#; a;b for both (ETSI GS CIM 009 clause 4.19)",
)


def parse_types(text: str, expand: Callable[[str], str]) -> TypeSelection:
    """A selector of entity types. ``;`` binds closer than ``|`` and ``,``; parentheses nest; ``*`` is all.

    Args:
        text: the selector, as in the parameter ``type``.
        expand: turns a short name into an IRI.

    Raises:
        BadRequestData: not of the grammar.
    """
    if text.strip() == EVERY_TYPE:
        return ()
    return _Reader(text, expand, _TYPES).read()


def parse_scopes(text: str) -> ScopeSelection:
    """A scope query. ``;`` binds closer than ``|`` and ``,``; ``+`` is one level, ``#`` all below.

    Raises:
        BadRequestData: not of the grammar.
    """
    return _Reader(text, scope_pattern, _SCOPES).read()


class _Reader:
    """Recursive descent; each method reads one rule of the grammar as a disjunction of conjunctions."""

    def __init__(self, text: str, expand: Callable[[str], str], language: _Language) -> None:
        self._text = text
        self._expand = expand
        self._language = language
        self._tokens = [token for each in _TOKENS.findall(text) if (token := each.strip())]
        self._position = 0

    def read(self) -> TypeSelection:
        groups = self.disjunction(0)
        if self._position < len(self._tokens):
            raise self._unreadable()
        return groups

    def disjunction(self, depth: int) -> TypeSelection:
        groups = self._conjunction(depth)
        while self._take("|", ","):
            groups += self._conjunction(depth)
        return groups

    def _conjunction(self, depth: int) -> TypeSelection:
        groups = self._term(depth)
        while self._take(";"):
            groups = tuple((*one, *other) for one, other in product(groups, self._term(depth)))
            if len(groups) > _MAX_GROUPS:
                raise self._unreadable()
        return groups

    def _term(self, depth: int) -> TypeSelection:
        if self._take("("):
            groups = self.disjunction(depth + 1) if depth < _MAX_DEPTH else ()
            if not (groups and self._take(")")):
                raise self._unreadable()
            return groups
        if self._position >= len(self._tokens) or self._tokens[self._position] in "|,;)*":
            raise self._unreadable()
        self._position += 1
        return ((self._expand(self._tokens[self._position - 1]),),)

    def _take(self, *tokens: str) -> bool:
        found = self._position < len(self._tokens) and self._tokens[self._position] in tokens
        self._position += found
        return found

    def _unreadable(self) -> BadRequestData:
        language = self._language
        return BadRequestData(language.wrong, field=language.field, value=self._text, cure=language.cure)


def has_types(types: Iterable[str], selection: TypeSelection) -> bool:
    """Whether an entity of these types is selected."""
    own = set(types)
    return not selection or any(own.issuperset(group) for group in selection)


def has_scopes(scopes: Iterable[str], selection: ScopeSelection) -> bool:
    """Whether an entity with these scopes is selected."""
    own = list(scopes)
    return not selection or any(
        all(any(re.fullmatch(pattern, scope) for scope in own) for pattern in group) for group in selection
    )


def selects(selector: EntitySelector, entity: Entity) -> bool:
    """Whether the selector means the entity; what the database answers for many, here for one.

    Raises:
        TooComplexQuery: its pattern takes too long.
    """
    if not has_types(entity.types, selector.types):
        return False
    if selector.ids:
        return entity.id in selector.ids
    return not selector.id_pattern or found(selector.id_pattern, entity.id)


def format_types(selection: Sequence[Sequence[str]], compact: Callable[[str], str]) -> str:
    """A selector as text again."""
    groups = [";".join(compact(name) for name in group) for group in selection]
    return ",".join(f"({group})" if ";" in group else group for group in groups) or EVERY_TYPE
