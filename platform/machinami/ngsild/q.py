"""The query language (clause 4.9): text of the ``q`` parameter → a tree of `machinami.ngsild.query` records.

Precedence: parentheses, then ``;`` (and), then ``|`` (or). A pattern without quotes goes on to the next
``;``, ``|`` or ``)`` outside its own parentheses and brackets.
"""

import re
from collections.abc import Callable, Collection
from typing import NoReturn

import orjson

from machinami.errors import BadRequestData
from machinami.ngsild.context import Context
from machinami.ngsild.matching import matches
from machinami.ngsild.patterns import check_pattern
from machinami.ngsild.query import (
    Absent,
    And,
    Comparison,
    Exists,
    Linked,
    Node,
    Operator,
    Or,
    Path,
    Range,
    Value,
)
from machinami.ngsild.terms import NAME, NON_REIFIED, TIME_MEMBERS, is_uri
from machinami.ngsild.times import comparable_moment, literal_moment

__all__ = [
    "Absent",
    "And",
    "Comparison",
    "Exists",
    "Linked",
    "Node",
    "Operator",
    "Or",
    "Path",
    "Range",
    "Value",
    "matches",
    "parse_q",
]

MAX_LENGTH = 16_384
"""Characters of a query."""

MAX_NESTING = 32
"""Parentheses within parentheses."""

_ATTRIBUTE = re.compile(rf"{NAME.pattern}(?::{NAME.pattern})?")
_HOP = re.compile(rf"{NAME.pattern}(?::{NAME.pattern})?\{{")
_TYPES = re.compile(rf"{NAME.pattern}(?:,{NAME.pattern})*:")
_MEMBER = re.compile(r"[^\[\].\"\s]+")
_OPERATOR = re.compile("|".join(sorted((re.escape(each) for each in Operator), key=len, reverse=True)))
_QUOTED = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_BARE = re.compile(r"(?:(?!\.\.)[^;|,()\"\s])+")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_WORDS: dict[str, Value] = {"true": True, "false": False}
_ENTITY_MEMBERS = frozenset({"createdAt", "modifiedAt", "expiresAt"})


def parse_q(text: str, context: Context, *, expand_values: Collection[str] = (), depth: int = 0) -> Node:
    """Reads a query.

    Args:
        expand_values: attributes whose values in the query are names to be expanded (``expandValues``).
        depth: Relationships that it may follow one after the other (``joinLevel``).

    Raises:
        BadRequestData: names the place where the query breaks the grammar, or it follows more Relationships
            than it may (clause 5.7.2.4).
    """
    expanded = frozenset(context.expand(name) for name in expand_values)
    return _Parser(text, context, expanded, depth).parse()


class _Parser:
    """Recursive descent over the text; every method reads from `at` on."""

    def __init__(self, text: str, context: Context, expand_values: frozenset[str], depth: int = 0) -> None:
        self.text = text
        self.at = 0
        self.context = context
        self.expand_values = expand_values
        self.depth = depth

    def parse(self) -> Node:
        if len(self.text) > MAX_LENGTH:
            self.fail(f"is longer than {MAX_LENGTH} characters")
        node = self.alternatives(0)
        if self.at < len(self.text):
            self.fail("goes on where it should end")
        return node

    def alternatives(self, depth: int) -> Node:
        nodes = self.separated("|", lambda: self.conjunction(depth))
        return nodes[0] if len(nodes) == 1 else Or(nodes=nodes)

    def conjunction(self, depth: int) -> Node:
        nodes = self.separated(";", lambda: self.term(depth))
        return nodes[0] if len(nodes) == 1 else And(nodes=nodes)

    def separated(self, separator: str, read: Callable[[], Node]) -> tuple[Node, ...]:
        nodes = [read()]
        while self.skip(separator):
            nodes.append(read())
        return tuple(nodes)

    def term(self, depth: int) -> Node:
        if self.skip("!"):
            return Absent(path=self.path())
        if not self.skip("("):
            return self.predicate()
        if depth >= MAX_NESTING:
            self.fail(f"has more than {MAX_NESTING} parentheses within each other")
        node = self.alternatives(depth + 1)
        if not self.skip(")"):
            self.fail("lacks a closing parenthesis")
        return node

    def predicate(self) -> Node:
        hops = self.hops()
        path = self.path()
        for _ in hops:
            if not self.skip("}"):
                self.fail("lacks a closing brace")
        node = self.condition(path)
        for relationship, types in reversed(hops):
            node = Linked(relationship=relationship, types=types, node=node)
        return node

    def hops(self) -> list[tuple[str, tuple[str, ...]]]:
        """Relationships that lead to the entity meant, and the types of what they lead to."""
        found: list[tuple[str, tuple[str, ...]]] = []
        while hop := self.take(_HOP):
            found.append((self.step(hop[:-1]), self.types()))
            if len(found) > self.depth:
                self.fail(f"follows more than {self.depth} relationships: join and joinLevel set how many")
        return found

    def types(self) -> tuple[str, ...]:
        start = self.at
        names = (self.take(_TYPES) or "")[:-1].split(",")
        if names == [""]:
            return ()
        if len(names) == 1 and self.context.expand(f"{names[0]}:a", "q") != f"{names[0]}:a":
            self.at = start  # the prefix of a name
            return ()
        return tuple(self.context.expand_type(name) for name in names)

    def condition(self, path: Path) -> Node:
        token = self.take(_OPERATOR)
        if token is None:
            return Exists(path=path)
        operator = Operator(token)
        return Comparison(path=path, operator=operator, operands=self.operands(path, operator))

    def path(self) -> Path:
        start = self.at
        names = self.dotted(_ATTRIBUTE, "the name of an attribute")
        members: list[str] = []
        if self.skip("["):
            members = self.dotted(_MEMBER, "the name of a member")
            if not self.skip("]"):
                self.fail("lacks a closing bracket")
        first, *steps = [self.step(name) for name in names]
        if first in NON_REIFIED - _ENTITY_MEMBERS:
            self.fail(f"asks for {first}, which is no attribute")
        return Path(
            attribute=first, steps=tuple(steps), members=tuple(members), text=self.text[start : self.at]
        )

    def dotted(self, name: re.Pattern[str], what: str) -> list[str]:
        names: list[str] = []
        while not names or self.skip("."):
            token = self.take(name)
            if token is None:
                self.fail(f"needs {what}")
            names.append(token)
        return names

    def step(self, name: str) -> str:
        iri = name if name in NON_REIFIED else self.context.expand(name, "q")
        if iri.startswith("@"):
            self.fail(f"asks for {name}, which is no attribute")
        return iri

    def operands(self, path: Path, operator: Operator) -> tuple[Value | Range, ...]:
        if operator in (Operator.MATCH, Operator.NOT_MATCH):
            return (self.pattern(),)
        operands = [self.operand(path)]
        while self.skip(","):
            operands.append(self.operand(path))
        only_equality = len(operands) > 1 or isinstance(operands[0], Range)
        if only_equality and operator not in (Operator.EQUAL, Operator.UNEQUAL):
            self.fail(f"has a list or a range after {operator}, which goes with == and != only")
        return tuple(operands)

    def operand(self, path: Path) -> Value | Range:
        low = self.value(path)
        if not self.skip(".."):
            return low
        high = self.value(path)
        if _sort(low) is None or _sort(low) != _sort(high):
            self.fail("has a range whose ends are not of one kind")
        return Range(low=low, high=high)

    def value(self, path: Path) -> Value:
        quoted = self.take(_QUOTED)
        if quoted is not None:
            return self.coerced(self.unquoted(quoted), path)
        word = self.take(_BARE)
        if word is None:
            self.fail("needs a value")
        if word in _WORDS:
            return _WORDS[word]
        if _NUMBER.fullmatch(word):
            return self.number(word)
        moment = literal_moment(word)
        if moment is not None:
            return moment
        if path.attribute not in self.expand_values and not is_uri(word):
            self.fail(f"has the value {word!r}, which is neither number, date nor URI: put text into quotes")
        return self.coerced(word, path)

    def coerced(self, text: str, path: Path) -> Value:
        """Text where a name or a moment is asked for."""
        if path.attribute in self.expand_values:
            return self.context.expand_value(text)
        target = path.steps[-1] if path.steps else path.attribute
        return (literal_moment(text) if target in TIME_MEMBERS else None) or text

    def number(self, digits: str) -> int | float:
        try:
            return orjson.loads(digits)
        except orjson.JSONDecodeError:
            self.fail(f"has a number out of range: {digits}")

    def unquoted(self, quoted: str) -> str:
        try:
            text = orjson.loads(quoted)
        except orjson.JSONDecodeError:
            self.fail(f"has a text that is no JSON string: {quoted}")
        if "\0" in text:
            self.fail("has the character U+0000, which no value has")
        return text

    def pattern(self) -> str:
        quoted = self.take(_QUOTED)
        pattern = self.unquoted(quoted) if quoted is not None else self.bare_pattern()
        return check_pattern(pattern, "q")

    def bare_pattern(self) -> str:
        start, depth, in_brackets = self.at, 0, False
        while self.at < len(self.text):
            character = self.text[self.at]
            if character == "\\":
                self.at += 1
            elif character == "]" or in_brackets:
                in_brackets = character != "]"
            elif character == "[":
                in_brackets = True
            elif depth == 0 and character in ";|)":
                break
            depth += {"(": 1, ")": -1}.get(character, 0) if not in_brackets else 0
            self.at += 1
        return self.text[start : self.at]

    def take(self, token: re.Pattern[str]) -> str | None:
        found = token.match(self.text, self.at)
        if not found:
            return None
        self.at = found.end()
        return found[0]

    def peek(self, symbol: str) -> bool:
        return self.text.startswith(symbol, self.at)

    def skip(self, symbol: str) -> bool:
        found = self.peek(symbol)
        self.at += len(symbol) if found else 0
        return found

    def fail(self, what: str) -> NoReturn:
        raise BadRequestData(
            f"q {what}, at character {self.at + 1}: {self.text!r:.300}",
            field="q",
            value=self.text,
            cure='Write it such as temperature>20;(color=="red"|color=="blue")',
        )


def _sort(value: Value) -> str | None:
    """What kinds of values can be put in one order; None for what has no order."""
    match value:
        case bool():
            return None
        case int() | float():
            return "number"
        case str():
            return "text"
        case _:
            return comparable_moment(value)[0]
