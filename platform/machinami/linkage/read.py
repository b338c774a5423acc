"""The one read path: what the doors ask, answered from the store in the platform's own words."""

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import Connection, Engine

from machinami.errors import NotFound, TenantNotFound
from machinami.model import Entity
from machinami.ngsild.geo import GeoQuery
from machinami.ngsild.ordering import OrderTerm
from machinami.store import queries, queries_discovery
from machinami.store.queries import EntitySelector, Selection, TypeSelection
from machinami.store.queries_discovery import AttributeUse
from machinami.store.reading import reading
from machinami.store.tenants import tenant_number

__all__ = ["AttributeUse", "EntitySelector", "Selection", "TypeSelection"]


_Candidates: TypeAlias = list[tuple[str, list[list[dict[str, Any]]]]]

_IDS = 1000


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a result, and whether to count it all."""

    limit: int = 20
    offset: int = 0
    count: bool = False


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a result.

    Attributes:
        more: there is a next page.
        total: size of the whole result, if it was asked for.
    """

    entities: list[Entity]
    more: bool = False
    total: int | None = None


@lru_cache(maxsize=1024)
def tenant_of(engine: Engine, name: str) -> int:
    """Number of a tenant; tenants are never removed, so it is asked once.

    Raises:
        TenantNotFound: nobody has written to this tenant.
    """
    with engine.begin() as connection:
        return tenant_number(connection, name)


def check(engine: Engine) -> None:
    """Ask the database for nothing.

    Raises:
        Unavailable: it does not answer.
    """
    with reading(engine) as connection:
        connection.exec_driver_sql("SELECT 1")


def retrieve_entity(engine: Engine, tenant: str, entity_id: str) -> Entity:
    """Retrieve Entity, clause 5.7.1.

    Raises:
        NotFound: no entity has this id.
    """
    number = tenant_of(engine, tenant)
    with reading(engine) as connection:
        found = queries.fetch_by_ids(connection, number, [entity_id])
    if not found:
        raise entity_not_found(entity_id, tenant)
    return found[0]


def retrieve_entities(engine: Engine, tenant: str, ids: Sequence[str]) -> list[Entity]:
    """Those of these entities that exist; none in a tenant that does not."""
    try:
        number = tenant_of(engine, tenant)
    except TenantNotFound:
        return []
    return load_entities(engine, number, ids)


def query_ids(engine: Engine, tenant: str, selection: Selection) -> Iterator[list[str]]:
    """Ids of all entities of a selection, in lists; whatever is written meanwhile, none comes twice."""
    number = tenant_of(engine, tenant)
    after = ""
    while True:
        with reading(engine) as connection:
            found = queries.fetch_next(connection, number, selection, after=after, limit=_IDS)
        geo = selection.geo
        yield [identifier for identifier, instances in found if geo is None or _lies(geo, instances)]
        if len(found) < _IDS:
            return
        after = found[-1][0]


def load_entities(engine: Engine, tenant: int, ids: Sequence[str]) -> list[Entity]:
    """Those of these entities that exist.

    Args:
        tenant: its number, as in notices of changes.
    """
    with reading(engine) as connection:
        return queries.fetch_by_ids(connection, tenant, ids)


def query_entities(engine: Engine, tenant: str, selection: Selection, page: Page) -> Found:
    """Query Entities, clause 5.7.2; in the order wanted, or by id."""
    number = tenant_of(engine, tenant)
    if _has_candidates(selection):
        return _query_candidates(engine, number, selection, page)
    with reading(engine) as connection:
        total = queries.count_entities(connection, number, selection) if page.count else None
        wanted = page.limit + 1 if page.limit else 0
        found = queries.fetch_entities(connection, number, selection, limit=wanted, offset=page.offset)
    return Found(entities=found[: page.limit], more=len(found) > page.limit, total=total)


def matching_ids(engine: Engine, tenant: str, selection: Selection, limit: int) -> list[str]:
    """Ids of the entities that `query_entities` would find, in its order."""
    number = tenant_of(engine, tenant)
    with reading(engine) as connection:
        if _has_candidates(selection):
            return _candidate_ids(connection, number, selection)[:limit]
        return queries.fetch_ids(connection, number, selection, limit=limit)


def _has_candidates(selection: Selection) -> bool:
    """Whether there is something that the database cannot decide."""
    return selection.geo is not None or any(term.by_distance for term in selection.order)


def types(engine: Engine, tenant: str) -> dict[str, int]:
    """Retrieve Available Entity Types, clause 5.7.5: expanded name → number of entities."""
    number = tenant_of(engine, tenant)
    with reading(engine) as connection:
        return queries_discovery.fetch_types(connection, number)


def type_attributes(engine: Engine, tenant: str) -> dict[str, list[str]]:
    """Retrieve Details of Available Entity Types, clause 5.7.6: type → attribute names, all expanded."""
    number = tenant_of(engine, tenant)
    with reading(engine) as connection:
        return queries_discovery.fetch_type_attributes(connection, number)


def attributes(
    engine: Engine, tenant: str, *, type_name: str | None = None, name: str | None = None
) -> list[AttributeUse]:
    """Retrieve Available Attributes, clauses 5.7.7 to 5.7.10: of all entities, of one type, or one alone."""
    number = tenant_of(engine, tenant)
    with reading(engine) as connection:
        return queries_discovery.fetch_attribute_uses(connection, number, type_name=type_name, name=name)


def entity_not_found(entity_id: str, tenant: str) -> NotFound:
    """The error for an id that nothing has."""
    return NotFound(
        f"no entity {entity_id} in tenant {tenant}",
        field="entityId",
        value=entity_id,
        cure="Check the id, and the tenant header: entities of another tenant are not seen",
    )


def _query_candidates(engine: Engine, tenant: int, selection: Selection, page: Page) -> Found:
    """Candidates from the database, then what it cannot decide; only one page is loaded whole."""
    with reading(engine) as connection:
        ids = _candidate_ids(connection, tenant, selection)
        wanted = ids[page.offset : page.offset + page.limit]
        loaded = queries.fetch_by_ids(connection, tenant, wanted) if wanted else []
    found = in_order(loaded, wanted)
    more = page.offset + page.limit < len(ids)
    return Found(entities=found, more=more and page.limit > 0, total=len(ids) if page.count else None)


def _candidate_ids(connection: Connection, tenant: int, selection: Selection) -> list[str]:
    near = [term for term in selection.order if term.by_distance]
    names = [*([selection.geo.geoproperty] if selection.geo else []), *(term.attribute for term in near)]
    candidates = queries.fetch_candidates(connection, tenant, selection, names)
    if selection.geo:
        geo = selection.geo
        candidates = [(id_, found[1:]) for id_, found in candidates if _lies(geo, found[0])]
    return [identifier for identifier, _ in _by_distance(candidates, near)]


def in_order(entities: Iterable[Entity], ids: Sequence[str]) -> list[Entity]:
    """Entities in the order of these ids, among which theirs are."""
    places = {identifier: place for place, identifier in enumerate(ids)}
    return sorted(entities, key=lambda entity: places[entity.id])


def _by_distance(candidates: _Candidates, terms: Sequence[OrderTerm]) -> _Candidates:
    """Ordered by distances, the last term first, as a stable sort wants it; what has no place comes last."""
    for place, term in reversed(list(enumerate(terms))):
        metres = {identifier: _metres(term, found[place]) for identifier, found in candidates}
        sign = -1 if term.descending else 1
        candidates = sorted(
            candidates, key=lambda one: math.inf if metres[one[0]] is None else sign * (metres[one[0]] or 0.0)
        )
    return candidates


def _metres(term: OrderTerm, instances: Sequence[dict[str, Any]]) -> float | None:
    default = next((each for each in instances if "datasetId" not in each), None)
    return None if default is None else term.distance(default.get("value"))


def _lies(geo: GeoQuery, instances: Sequence[dict[str, Any]]) -> bool:
    """Whether one of the instances does (clause 5.7.2.4)."""
    return any("value" in instance and geo.matches(instance["value"]) for instance in instances)
