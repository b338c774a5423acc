"""Queries asked of entities in memory (clause 4.9): for subscriptions and for what SQL cannot say."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, time
from operator import ge, gt, le, lt
from typing import Any, TypeAlias, cast

from machinami.model import Entity, Instance, format_time
from machinami.ngsild.patterns import found
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
from machinami.ngsild.times import comparable_moment, literal_moment

Lookup: TypeAlias = Callable[[Sequence[str]], Sequence[Entity]]

Candidates: TypeAlias = list[Any]
"""Values of one target; several where it is an array or has several languages."""

_ENTITY_TIMES: dict[str, Callable[[Entity], Any]] = {
    "createdAt": lambda entity: entity.created_at,
    "modifiedAt": lambda entity: entity.modified_at,
    "expiresAt": lambda entity: entity.expires_at,
}
_ORDERS: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.GREATER: gt,
    Operator.GREATER_EQUAL: ge,
    Operator.LESS: lt,
    Operator.LESS_EQUAL: le,
}
_ONLY_EQUALITY = frozenset({"Relationship", "ListRelationship"})


def _nobody(_: Sequence[str]) -> Sequence[Entity]:
    return ()


def matches(node: Node, entity: Entity, lookup: Lookup = _nobody) -> bool:
    """Whether the entity meets the query. Of several instances of an attribute, one that does is enough.

    Args:
        lookup: entities by their ids, for conditions on linked ones; without it none is known.

    Raises:
        TooComplexQuery: a pattern takes too long.
    """
    match node:
        case And():
            return all(matches(each, entity, lookup) for each in node.nodes)
        case Or():
            return any(matches(each, entity, lookup) for each in node.nodes)
        case Linked():
            return any(
                matches(node.node, each, lookup)
                for each in lookup(_ids(node, entity))
                if not node.types or not set(node.types).isdisjoint(each.types)
            )
        case Exists():
            return next(_targets(node.path, entity), None) is not None
        case Absent():
            return next(_targets(node.path, entity), None) is None
        case Comparison():
            return any(_holds(node, kind, candidates) for kind, candidates in _targets(node.path, entity))


def _ids(node: Linked, entity: Entity) -> list[str]:
    targets = [
        instance.get("object") or instance.get("objectList", [])
        for instance in entity.attributes.get(node.relationship, [])
    ]
    lists = (cast("list[str]", target if isinstance(target, list) else [target]) for target in targets)
    return [uri for each in lists for uri in each]


def _targets(path: Path, entity: Entity) -> Iterator[tuple[str, Candidates]]:
    """Kind and candidate values of each instance that the path leads to."""
    if path.attribute in _ENTITY_TIMES:
        moment = _ENTITY_TIMES[path.attribute](entity)
        if moment:
            yield "", [format_time(moment)]
        return
    instances: list[Instance] = entity.attributes.get(path.attribute, [])
    for step in path.steps:
        if ":" not in step:
            yield from (("", [instance[step]]) for instance in instances if step in instance)
            return
        instances = [below for instance in instances for below in instance.get(step, ())]
    for instance in instances:
        candidates = _candidates(instance, path.members)
        if candidates:
            yield instance["type"], candidates


def _candidates(instance: Instance, members: Sequence[str]) -> Candidates:
    """Values of an instance; none where its trailing path leads nowhere."""
    value: Any = instance[KINDS[instance["type"]].member]
    if instance["type"] == "LanguageProperty" and isinstance(value, dict):
        texts = cast("dict[str, Any]", value)
        wanted = texts.values() if list(members) in ([], ["*"]) else [texts.get(".".join(members))]
        return [candidate for text in wanted if text is not None for candidate in _elements(text)]
    for member in members:
        if not isinstance(value, dict) or member not in value:
            return []
        value = cast("dict[str, Any]", value)[member]
    return _elements(value)


def _elements(value: Any) -> Candidates:
    """The value; of an array itself and its elements."""
    return [value, *cast("list[Any]", value)] if isinstance(value, list) else [value]


def _holds(comparison: Comparison, kind: str, candidates: Candidates) -> bool:
    operator, operands = comparison.operator, comparison.operands
    if operator is Operator.EQUAL:
        return _any_equal(candidates, operands)
    if operator is Operator.UNEQUAL:
        return not _any_equal(candidates, operands)
    if kind in _ONLY_EQUALITY:
        return False
    operand = operands[0]
    if operator in _ORDERS:
        return any(_ordered(_ORDERS[operator], candidate, operand) for candidate in candidates)
    texts = [candidate for candidate in candidates if isinstance(candidate, str)]
    hit = any(found(str(operand), text) for text in texts)
    return hit if operator is Operator.MATCH else bool(texts) and not hit


def _any_equal(candidates: Candidates, operands: Sequence[Value | Range]) -> bool:
    return any(_equals(candidate, operand) for candidate in candidates for operand in operands)


def _equals(candidate: Any, operand: Value | Range) -> bool:
    if isinstance(operand, Range):
        return _ordered(ge, candidate, operand.low) and _ordered(le, candidate, operand.high)
    return _ordered(lambda one, other: one == other, candidate, operand)


def _ordered(relation: Callable[[Any, Any], bool], candidate: Any, operand: Value | Range) -> bool:
    """Whether a relation holds between values of one kind; between kinds none does."""
    pair = _comparable(candidate, operand)
    return pair is not None and relation(*pair)


def _comparable(candidate: Any, operand: Any) -> tuple[Any, Any] | None:
    match operand:
        case bool():
            return (candidate, operand) if isinstance(candidate, bool) else None
        case int() | float():
            is_number = isinstance(candidate, int | float) and not isinstance(candidate, bool)
            return (candidate, operand) if is_number else None
        case str():
            return (candidate, operand) if isinstance(candidate, str) else None
        case _:
            return _moments(candidate, operand)


def _moments(candidate: Any, operand: date | time) -> tuple[Any, Any] | None:
    """Both on one axis, where the candidate, perhaps a ``{"@value": …}``, is of the operand's kind."""
    text = cast("dict[str, Any]", candidate).get("@value") if isinstance(candidate, dict) else candidate
    moment = literal_moment(text) if isinstance(text, str) else None
    if moment is None:
        return None
    kind, instant = comparable_moment(moment)
    wanted, other = comparable_moment(operand)
    return (instant, other) if kind == wanted else None
