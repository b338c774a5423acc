"""The one read path: what the doors ask, answered from the store in the platform's own words."""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import Engine

from machinami.errors import NotFound, TenantNotFound
from machinami.model import Attributes, Entity
from machinami.ngsild.aggregation import Aggregation
from machinami.ngsild.geo import GeoQuery
from machinami.ngsild.ordering import OrderTerm
from machinami.store import queries, queries_aggregate, queries_discovery, queries_temporal
from machinami.store.evolution import has_history
from machinami.store.queries import EntitySelector, Selection, TypeSelection
from machinami.store.queries_aggregate import Period, SeriesOf, rendered
from machinami.store.queries_discovery import AttributeUse
from machinami.store.queries_temporal import Observed, Span
from machinami.store.reading import reading
from machinami.store.tenants import tenant_number

__all__ = ["AttributeUse", "EntitySelector", "Selection", "Span", "TypeSelection", "rendered"]


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


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Temporal evolution of one entity (clause 5.2.20).

    Attributes:
        extent: first and last moment of a partial answer, in its order; None where it is whole.
    """

    entity: Entity
    attributes: Attributes
    extent: tuple[datetime, datetime] | None = None


class Most(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a temporal evolution is wanted.

    Attributes:
        last_n: only so many instances of each attribute, the newest; None for all.
        instances: that one answer may hold; more is a partial answer (clause 6.3.10).
    """

    last_n: int | None = None
    instances: int = 10_000


class FoundHistory(msgspec.Struct, frozen=True, kw_only=True):
    """One page of temporal evolutions; see `Found` and `History`."""

    histories: list[History]
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
    if selection.geo or any(term.by_distance for term in selection.order):
        return _query_candidates(engine, number, selection, page)
    with reading(engine) as connection:
        total = queries.count_entities(connection, number, selection) if page.count else None
        wanted = page.limit + 1 if page.limit else 0
        found = queries.fetch_entities(connection, number, selection, limit=wanted, offset=page.offset)
    return Found(entities=found[: page.limit], more=len(found) > page.limit, total=total)


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


def retrieve_temporal(
    engine: Engine, tenant: str, entity_id: str, span: Span, names: Sequence[str], most: Most
) -> History:
    """Retrieve Temporal Evolution of an Entity, clause 5.7.3.

    Raises:
        NotFound: no entity has this id, or nothing of it is recorded.
    """
    entity, number = retrieve_entity(engine, tenant, entity_id), tenant_of(engine, tenant)
    found = _histories(engine, number, [entity], span, names, most)[0]
    if not found.attributes:
        with reading(engine) as connection:
            if not has_history(connection, number, entity_id, names):
                raise entity_not_found(entity_id, tenant)
    return found


def query_temporal(
    engine: Engine,
    tenant: str,
    selection: Selection,
    span: Span,
    most: Most,
    page: Page,
    datasets: Collection[str] = (),
) -> FoundHistory:
    """Query Temporal Evolution of Entities, clause 5.7.4; ordered by id.

    Args:
        datasets: an entity must have instances of one of these, '' for default ones; empty asks for nothing.
    """
    number = tenant_of(engine, tenant)
    with reading(engine) as connection:
        total = (
            queries_temporal.count_temporal(connection, number, selection, span, datasets)
            if page.count
            else None
        )
        wanted = page.limit + 1 if page.limit else 0
        ids = queries_temporal.fetch_temporal_ids(
            connection, number, selection, span, datasets, limit=wanted, offset=page.offset
        )
        entities = in_order(queries.fetch_by_ids(connection, number, ids[: page.limit]), ids)
    found = _histories(engine, number, entities, span, selection.attributes, most)
    return FoundHistory(histories=found, more=len(ids) > page.limit, total=total)


class Aggregated(msgspec.Struct, frozen=True, kw_only=True):
    """Aggregates of one series; see `machinami.store.queries_aggregate`."""

    series: SeriesOf
    periods: list[Period]


def aggregate_temporal(
    engine: Engine, tenant: str, ids: Sequence[str], names: Sequence[str], span: Span, wanted: Aggregation
) -> dict[str, list[Aggregated]]:
    """Aggregates of these entities' attributes (clause 4.5.19); periods begin where the span does."""
    number = tenant_of(engine, tenant)
    found: dict[str, list[Aggregated]] = {identifier: [] for identifier in ids}
    with reading(engine) as connection:
        series = queries_aggregate.find_series(connection, number, ids, names, span)
        for each in series:
            own = [one for one in series if one.entity_id == each.entity_id]
            origin = span.start or min(one.first for one in own)
            end = span.end or max(one.last for one in own) + timedelta.resolution
            periods = queries_aggregate.fetch_periods(connection, each, span, wanted, origin, end)
            found[each.entity_id].append(Aggregated(series=each, periods=periods))
    return found


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
    near = [term for term in selection.order if term.by_distance]
    names = [*([selection.geo.geoproperty] if selection.geo else []), *(term.attribute for term in near)]
    with reading(engine) as connection:
        candidates = queries.fetch_candidates(connection, tenant, selection, names)
        if selection.geo:
            geo = selection.geo
            candidates = [(id_, found[1:]) for id_, found in candidates if _lies(geo, found[0])]
        ids = [identifier for identifier, _ in _by_distance(candidates, near)]
        wanted = ids[page.offset : page.offset + page.limit]
        loaded = queries.fetch_by_ids(connection, tenant, wanted) if wanted else []
    found = in_order(loaded, wanted)
    more = page.offset + page.limit < len(ids)
    return Found(entities=found, more=more and page.limit > 0, total=len(ids) if page.count else None)


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


def _histories(
    engine: Engine,
    tenant: int,
    entities: Sequence[Entity],
    span: Span,
    names: Sequence[str],
    most: Most,
) -> list[History]:
    if not entities:
        return []
    ids = [entity.id for entity in entities]
    with reading(engine) as connection:
        rows = queries_temporal.fetch_history(
            connection, tenant, ids, span, attributes=names, last_n=most.last_n, limit=most.instances + 1
        )
    extent, empty = None, dict[str, list[str]]()
    if len(rows) > most.instances:
        rows = _whole_moments(rows)
        extent = rows[0].moment, rows[-1].moment
        empty = _all_attributes(engine, tenant, ids, names)
    by_entity: dict[str, list[Observed]] = {identifier: [] for identifier in ids}
    for row in rows:
        by_entity[row.entity_id].append(row)
    return [
        History(
            entity=entity,
            attributes={
                **{name: [] for name in empty.get(entity.id, ())},
                **_by_attribute(by_entity[entity.id], most.last_n),
            },
            extent=extent,
        )
        for entity in entities
    ]


def _all_attributes(
    engine: Engine, tenant: int, ids: Sequence[str], names: Sequence[str]
) -> dict[str, list[str]]:
    """What is recorded of each entity: a partial answer names it all, though some comes in later parts."""
    with reading(engine) as connection:
        return queries_temporal.fetch_attributes(connection, tenant, ids, names)


def _whole_moments(rows: list[Observed]) -> list[Observed]:
    """Cut a partial answer where a moment ends, so that the next request can start there."""
    last = rows[-1].moment
    return [row for row in rows if row.moment != last] or rows[:-1]


def _by_attribute(rows: Sequence[Observed], last_n: int | None) -> Attributes:
    """Instances by attribute; with last_n only so many of each, over all its datasets."""
    found: Attributes = {}
    for row in rows:
        instances = found.setdefault(row.attribute, [])
        if last_n is None or len(instances) < last_n:
            instances.append(row.instance)
    return found
