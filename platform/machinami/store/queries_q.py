"""The query language in SQL (clause 4.9): each comparison is one SQL/JSON path over an attribute's instances.

It says the same as `machinami.ngsild.matching.matches`, which a test holds it to: of the members that may
hold a value the one that is there counts; an array is its elements, a languageMap its texts.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time
from typing import Protocol

import msgspec
from sqlalchemy import (
    ColumnElement,
    FromClause,
    and_,
    cast,
    false,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONPATH

from machinami.model import format_time
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
from machinami.ngsild.terms import KINDS
from machinami.store.tables import entity

_ENTITY_TIMES = {"createdAt": "created_at", "modifiedAt": "modified_at", "expiresAt": "expires_at"}
_LANGUAGES = "languageMap"
_REFERENCES = frozenset({"object", "objectList"})
_MEMBERS = tuple(dict.fromkeys(kind.member for kind in KINDS.values()))
_EQUALITY = frozenset({Operator.EQUAL, Operator.UNEQUAL})


class Ground(Protocol):
    """Where the instances are that a query is judged on."""

    @property
    def table(self) -> FromClause:
        """`entity`, or an alias of it: of whom the query is asked."""
        ...

    def has(self, path: Path, reach: str) -> ColumnElement[bool]:
        """Whether one of the attribute's instances has something at the end of a SQL/JSON path.

        Args:
            path: names the attribute, and what of its instances is looked at.
            reach: the path without its ``$``, which stands for one instance.
        """
        ...


class Current(msgspec.Struct, frozen=True):
    """The attributes as they are now."""

    table: FromClause

    def has(self, path: Path, reach: str) -> ColumnElement[bool]:
        """See `Ground`."""
        whole = f"$.{_text(path.attribute)}[*]{reach}"
        return self.table.c.attributes.path_exists(cast(literal(whole), JSONPATH))


_CURRENT = Current(entity)


def q_clause(node: Node, ground: Ground = _CURRENT) -> ColumnElement[bool]:
    """A query as a condition on the table of the ground."""
    match node:
        case And():
            return and_(*(q_clause(each, ground) for each in node.nodes))
        case Or():
            return or_(*(q_clause(each, ground) for each in node.nodes))
        case Linked():
            return _is_linked(node, ground.table)
        case Absent():
            return not_(q_clause(Exists(path=node.path), ground))
        case Exists() | Comparison() if node.path.attribute in _ENTITY_TIMES:
            return _entity_time(node, ground.table)
        case Exists():
            there = (target.where(f"exists({target.path})") for target in _targets(node.path))
            return _leads(ground, node.path, _any(there))
        case Comparison():
            return _leads(
                ground,
                node.path,
                _any(target.where(_holds(node, target.path)) for target in _comparable_targets(node)),
            )


def _leads(ground: Ground, path: Path, predicate: str) -> ColumnElement[bool]:
    """Whether an instance at the end of the path has the property."""
    steps = "".join(f".{_text(step)}[*]" for step in path.steps if ":" in step)
    return ground.has(path, f"{steps} ? ({predicate})")


def _is_linked(node: Linked, table: FromClause) -> ColumnElement[bool]:
    """A linked entity meets the condition; those it may be are found by their ids."""
    linked = entity.alias()
    members = _any(f"@.key == {_text(member)}" for member in sorted(_REFERENCES))
    reach = f"$.{_text(node.relationship)}[*].keyvalue() ? ({members}).value[*]"
    objects = func.jsonb_path_query(table.c.attributes, cast(literal(reach), JSONPATH))
    uri = objects.op("#>>")(literal_column("'{}'::text[]"))
    uris = func.array(select(uri).correlate(table).scalar_subquery())
    wanted = [linked.c.tenant == table.c.tenant, linked.c.id == func.any(uris)]
    if node.types:
        wanted.append(linked.c.types.overlap(list(node.types)))
    found = select(literal(1)).select_from(linked).where(*wanted, q_clause(node.node, Current(linked)))
    return found.correlate(table).exists()


class _Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a value may be, seen from its instance ``@``, and what has to hold for that to be a path."""

    member: str
    path: str
    guards: tuple[str, ...] = ()

    def where(self, predicate: str) -> str:
        """The predicate, asked only where the guards hold."""
        return " && ".join((*self.guards, f"({predicate})"))


def _targets(path: Path) -> Iterator[_Target]:
    if path.steps and ":" not in path.steps[-1]:
        yield _Target(member=path.steps[-1], path=f"@.{_text(path.steps[-1])}")
        return
    for member in _MEMBERS:
        if member == _LANGUAGES:
            anyone = list(path.members) in ([], ["*"])
            language = "*" if anyone else _text(".".join(path.members))
            yield _Target(member=member, path=f"@.{member}.{language}")
        else:
            yield _inside(member, path.members)


def _inside(member: str, names: Sequence[str]) -> _Target:
    # Without the guards, a path into an object would also go into the objects of an array.
    steps = [f"@.{member}", *(f".{_text(name)}" for name in names)]
    paths = ["".join(steps[:length]) for length in range(1, len(steps) + 1)]
    guards = tuple(f'{path}.type() == "object"' for path in paths[:-1])
    return _Target(member=member, path=paths[-1], guards=guards)


def _comparable_targets(comparison: Comparison) -> Iterator[_Target]:
    for target in _targets(comparison.path):
        if comparison.operator in _EQUALITY or target.member not in _REFERENCES:
            yield target


def _holds(comparison: Comparison, target: str) -> str:
    """Whether values at the target stand in the relation; ``exists`` makes the incomparable false."""
    operator, operands = comparison.operator, comparison.operands
    match operator:
        case Operator.EQUAL:
            return f"exists({target} ? ({_equal(operands)}))"
        case Operator.UNEQUAL:
            return f"(exists({target}) && !exists({target} ? ({_equal(operands)})))"
        case Operator.MATCH:
            return f"exists({target} ? (@ like_regex {_text(str(operands[0]))}))"
        case Operator.NOT_MATCH:
            texts = f'exists({target} ? (@.type() == "string"))'
            return f"({texts} && !exists({target} ? (@ like_regex {_text(str(operands[0]))})))"
        case _:
            return f"exists({target} ? ({_relation(operator, operands[0])}))"


def _equal(operands: Sequence[Value | Range]) -> str:
    return _any(_relation(Operator.EQUAL, operand) for operand in operands)


def _relation(operator: Operator, operand: Value | Range) -> str:
    match operand:
        case Range():
            low = _relation(Operator.GREATER_EQUAL, operand.low)
            return f"({low} && {_relation(Operator.LESS_EQUAL, operand.high)})"
        case date() | time():
            return _any(_moment(operator, operand, path) for path in ("@", '@."@value"'))
        case _:
            return f"@ {operator.value} {json.dumps(operand)}"


def _moment(operator: Operator, operand: date | time, path: str) -> str:
    """Moments are texts in the store, with as many digits of a second as came, so ``Z`` needs care."""
    shape, stem = _written(operand)
    digits = "0*" if "." in stem else r"([.,]0*)?"
    equal = f"{path} like_regex {_text(f'^{_escaped(stem)}{digits}Z?$')}"
    more = "0*[1-9]" if "." in stem else r"[.,]0*[1-9]"
    # Z sorts behind the digits, so a text with fewer of them (03Z, 03.5Z against 03.51Z) only looks greater.
    fewer = "".join(f" && {path} != {_text(stem[:end] + 'Z')}" for end in _cuts(stem))
    longer = f"{path} like_regex {_text(f'^{_escaped(stem)}{more}')}"
    greater = f"(({path} > {_text(stem + 'Z')}{fewer}) || {longer})"
    if not stem.count(":"):  # a Date has one spelling only
        equal, greater = f"{path} == {_text(stem)}", f"{path} > {_text(stem)}"
    return f"({path} like_regex {_text(shape)} && {_ORDERS[operator](equal, greater)})"


def _cuts(stem: str) -> list[int]:
    """Where a text could have ended with fewer digits of a second."""
    dot = stem.find(".")
    return [dot, *range(dot + 2, len(stem))] if dot > 0 else []


_ORDERS: dict[Operator, Callable[[str, str], str]] = {
    Operator.EQUAL: lambda equal, _: equal,
    Operator.GREATER: lambda _, greater: greater,
    Operator.GREATER_EQUAL: lambda equal, greater: f"({equal} || {greater})",
    Operator.LESS: lambda equal, greater: f"!({equal} || {greater})",
    Operator.LESS_EQUAL: lambda _, greater: f"!({greater})",
}
_CLOCK = r"[0-9]{2}:[0-9]{2}:[0-9]{2}([.,][0-9]{1,6})?Z$"
_DAY = "^[0-9]{4}-[0-9]{2}-[0-9]{2}"


def _written(operand: date | time) -> tuple[str, str]:
    """The shape of texts of the operand's kind, and the operand's own text without ``Z`` and idle zeros."""
    match operand:
        case datetime():
            shape, text = f"{_DAY}T{_CLOCK}", format_time(operand)
        case date():
            return f"{_DAY}$", operand.isoformat()
        case time():
            shape, text = f"^{_CLOCK}", operand.isoformat().removesuffix("+00:00")
    stem = text.removesuffix("Z")
    return shape, stem.rstrip("0") if "." in stem else stem


def _entity_time(comparison: Exists | Comparison, table: FromClause) -> ColumnElement[bool]:
    """Times of the entity itself are columns."""
    column = table.c[_ENTITY_TIMES[comparison.path.attribute]]
    if isinstance(comparison, Exists):
        return column.is_not(None)
    moments = [each for each in comparison.operands if isinstance(each, datetime)]
    spans = [each for each in comparison.operands if isinstance(each, Range)]
    equal = [column == moment for moment in moments]
    equal += [column.between(span.low, span.high) for span in spans if isinstance(span.low, datetime)]
    if comparison.operator in _EQUALITY:
        found = or_(false(), *equal)
        return found if comparison.operator is Operator.EQUAL else ~found
    if not moments or comparison.operator not in _ORDERS:
        return false()
    return column.op(comparison.operator.value, is_comparison=True)(moments[0])


def _any(predicates: Iterable[str]) -> str:
    joined = " || ".join(f"({predicate})" for predicate in predicates)
    return f"({joined})" if joined else "1 == 0"


def _text(text: str) -> str:
    """A string literal of SQL/JSON path, which has JavaScript's escapes."""
    return json.dumps(text)


def _escaped(stem: str) -> str:
    return stem.replace(".", "[.,]")
