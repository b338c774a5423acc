"""Types and attributes that several places have, as one answer (clause 5.7.11)."""

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any, cast

import msgspec

from machinami.federation.registration import Registration
from machinami.ngsild.context import Context

_TYPE_NAMES = frozenset({"typeList", "typeName", "typeNames"})
_ATTRIBUTE_NAMES = frozenset({"attributeList", "attributeName", "attributeNames"})
_DESCRIBED = {"EntityType": "types", "Attribute": "attributes"}


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """Types and attributes that a registration speaks of, expanded; None where it speaks of all."""

    types: frozenset[str] | None
    attributes: frozenset[str] | None


EVERYTHING = Vocabulary(types=None, attributes=None)


def vocabulary_of(registration: Registration) -> Vocabulary:
    """What a source may be asked about."""
    infos = [info for item in registration.information for info in item.entities]
    has_types = all(item.entities for item in registration.information) and all(info.types for info in infos)
    has_names = all(item.attributes for item in registration.information)
    names = frozenset[str]().union(*(item.attributes for item in registration.information))
    return Vocabulary(
        types=frozenset(name for info in infos for name in info.types) if has_types else None,
        attributes=names if has_names else None,
    )


def adopt(answer: Any, vocabulary: Vocabulary, source: Context, target: Context) -> Any:
    """A source's answer in the words of a request, with nothing in it that is not registered."""
    if isinstance(answer, list):
        found = (adopt(each, vocabulary, source, target) for each in cast("list[Any]", answer))
        return [each for each in found if each is not None]
    if not isinstance(answer, dict):
        return answer
    document = cast("dict[str, Any]", answer)
    allowed = _allowed(vocabulary, _DESCRIBED.get(str(document.get("type")), ""))
    if allowed is not None and document.get("id") not in allowed:
        return None
    return {
        name: _adopt_member(name, value, vocabulary, source, target)
        for name, value in document.items()
        if name != "@context"
    }


def combine(answers: Iterable[Any]) -> Any:
    """Several answers of one kind, at least one, as one: names are joined, numbers added, ids made one."""
    return reduce(_both, answers)


def _adopt_member(name: str, value: Any, vocabulary: Vocabulary, source: Context, target: Context) -> Any:
    if name in _TYPE_NAMES:
        return _renamed(value, vocabulary.types, source.expand_type, target)
    if name in _ATTRIBUTE_NAMES:
        return _renamed(value, vocabulary.attributes, source.expand, target)
    return adopt(value, vocabulary, source, target) if isinstance(value, list) else value


def _renamed(
    value: Any, allowed: frozenset[str] | None, expand: Callable[[str], str], target: Context
) -> Any:
    if not isinstance(value, list):
        return target.compact(expand(str(value)))
    names = [expand(str(each)) for each in cast("list[Any]", value)]
    return [target.compact(name) for name in names if allowed is None or name in allowed]


def _allowed(vocabulary: Vocabulary, member: str) -> frozenset[str] | None:
    return getattr(vocabulary, member) if member else None


def _both(one: object, other: object) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return _both_objects(cast("dict[str, Any]", one), cast("dict[str, Any]", other))
    if isinstance(one, list) and isinstance(other, list):
        return _both_lists([*cast("list[Any]", one), *cast("list[Any]", other)])
    if isinstance(one, int) and isinstance(other, int):
        return one + other
    return cast("Any", one)


def _both_objects(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    both = {name: _both(value, other[name]) for name, value in one.items() if name in other}
    return {**one, **other, **both}


def _both_lists(members: list[Any]) -> list[Any]:
    if all(isinstance(each, str) for each in members):
        return sorted(set(members))
    by_id: dict[str, list[Any]] = {}
    for each in members:
        identifier = cast("dict[str, Any]", each).get("id") if isinstance(each, dict) else None
        by_id.setdefault(str(identifier), []).append(each)
    return [combine(same) for _, same in sorted(by_id.items())]
