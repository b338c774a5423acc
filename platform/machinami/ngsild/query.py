"""A query (clause 4.9) as a tree of frozen records, which the store turns into SQL.

`q.parse_q` makes it out of text, `matching.matches` asks it of an entity in memory.
"""

from collections.abc import Iterator
from datetime import date, time
from enum import StrEnum
from typing import TypeAlias

import msgspec


class Operator(StrEnum):
    """Comparison operators."""

    EQUAL = "=="
    UNEQUAL = "!="
    GREATER_EQUAL = ">="
    GREATER = ">"
    LESS_EQUAL = "<="
    LESS = "<"
    MATCH = "~="
    NOT_MATCH = "!~="


Value: TypeAlias = str | int | float | bool | date | time
"""A literal: text (a URI is a text too), number, boolean, DateTime (aware), Date or Time (aware)."""


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """``low..high``, both included; two numbers, two texts or two moments of one kind."""

    low: Value
    high: Value


class Path(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared: an attribute, perhaps a sub-attribute of it, perhaps a member of its value.

    Attributes:
        attribute: expanded name of the attribute; or a member of the entity itself that is no attribute:
            ``createdAt``, ``modifiedAt``, ``expiresAt``.
        steps: sub-attributes on the way to the target: expanded names (they contain a colon), or last a
            non-reified member of the instance such as ``observedAt`` or ``unitCode``.
        members: the trailing path in square brackets: members of a compound value; the language of a
            LanguageProperty, ``*`` for any.
        text: the path as it was written.
    """

    attribute: str
    steps: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    text: str = ""


class Exists(msgspec.Struct, frozen=True, kw_only=True):
    """The target is there, whatever its value."""

    path: Path


class Absent(msgspec.Struct, frozen=True, kw_only=True):
    """The target is not there. The grammar of clause 4.9 has no such term; ``!name`` of NGSIv2 is taken."""

    path: Path


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The target's value stands in a relation.

    Attributes:
        operands: at least one; more only for ``==`` (one of them) and ``!=`` (none of them). For the pattern
            operators a single text, a POSIX regular expression that may match anywhere in the value.
    """

    path: Path
    operator: Operator
    operands: tuple[Value | Range, ...]


class And(msgspec.Struct, frozen=True, kw_only=True):
    """All of at least two."""

    nodes: "tuple[Node, ...]"


class Or(msgspec.Struct, frozen=True, kw_only=True):
    """Any of at least two."""

    nodes: "tuple[Node, ...]"


class Linked(msgspec.Struct, frozen=True, kw_only=True):
    """An entity that a Relationship leads to meets a condition.

    Attributes:
        relationship: expanded name.
        types: expanded; the linked entity has one of these, or any where there are none.
        node: what is asked of the linked entity.
    """

    relationship: str
    node: "Node"
    types: tuple[str, ...] = ()


Node: TypeAlias = And | Or | Comparison | Exists | Absent | Linked


def attributes(node: Node) -> Iterator[str]:
    """What a query asks of the entities themselves: expanded names, and members such as ``createdAt``."""
    match node:
        case And() | Or():
            for each in node.nodes:
                yield from attributes(each)
        case Linked():
            yield node.relationship
        case Comparison() | Exists() | Absent():
            yield node.path.attribute
