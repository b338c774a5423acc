"""Which registrations a request concerns (clause 5.12)."""

from collections.abc import Collection, Sequence

import msgspec

from machinami.federation.registration import EntityInfo, Information, Registration
from machinami.linkage.types import has_types
from machinami.ngsild.patterns import found
from machinami.store.queries import EntitySelector


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a request is about; an empty member asks for nothing.

    Attributes:
        selectors: any of these entities.
        attributes: expanded names, any of them.
        datasets: ids of instances, any of them.
    """

    selectors: tuple[EntitySelector, ...] = ()
    attributes: frozenset[str] = frozenset()
    datasets: frozenset[str] = frozenset()


def matching_information(registration: Registration, wanted: Wanted) -> list[Information]:
    """The parts of a registration that a request concerns; none where it does not concern it.

    Raises:
        TooComplexQuery: a pattern takes too long.
    """
    if wanted.datasets and registration.datasets and wanted.datasets.isdisjoint(registration.datasets):
        return []
    return [item for item in registration.information if is_relevant(item, wanted)]


def covers(item: Information, entity_id: str, types: Collection[str]) -> bool:
    """Whether part of a registration means an entity; where its types are not known any will do."""
    return not item.entities or any(_is_entity(info, entity_id, types) for info in item.entities)


def is_meant(info: EntityInfo, selector: EntitySelector) -> bool:
    """Whether a source has entities that a selector means."""
    if info.types and selector.types and not has_types(info.types, selector.types):
        return False
    if info.id:
        return _selects_id(selector, info.id)
    if info.id_pattern and selector.ids:
        return any(found(info.id_pattern, identifier) for identifier in selector.ids)
    return True  # two patterns may always have something in common


def _is_entity(info: EntityInfo, entity_id: str, types: Collection[str]) -> bool:
    if types and not set(info.types) <= set(types):
        return False
    if info.id:
        return info.id == entity_id
    return not info.id_pattern or found(info.id_pattern, entity_id)


def is_relevant(item: Information, wanted: Wanted) -> bool:
    """Whether a request concerns this part of a registration."""
    if item.attributes and wanted.attributes and item.attributes.isdisjoint(wanted.attributes):
        return False
    return _has_entity(item, wanted.selectors)


def _has_entity(item: Information, selectors: Sequence[EntitySelector]) -> bool:
    if not item.entities or not selectors:
        return True
    return any(is_meant(info, selector) for info in item.entities for selector in selectors)


def _selects_id(selector: EntitySelector, identifier: str) -> bool:
    if selector.ids:
        return identifier in selector.ids
    return not selector.id_pattern or found(selector.id_pattern, identifier)
