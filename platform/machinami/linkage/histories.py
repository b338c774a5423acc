"""Temporal evolutions read from the store, and aggregates of them (clauses 5.7.3, 5.7.4 and 4.5.19)."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, Engine

from machinami.errors import NotFound
from machinami.linkage.read import Page, entity_not_found, in_order, retrieve_entity, tenant_of
from machinami.model import Attributes, Entity, Instance
from machinami.ngsild.aggregation import Aggregation
from machinami.store import queries, queries_aggregate, queries_temporal
from machinami.store.evolution import fetch_departed, has_history
from machinami.store.queries import ScopeSelection, Selection
from machinami.store.queries_aggregate import Period, SeriesOf, rendered
from machinami.store.queries_temporal import Observed
from machinami.store.queries_window import Span
from machinami.store.reading import reading

__all__ = ["Span", "rendered"]


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Temporal evolution of one entity (clause 5.2.20).

    Attributes:
        deleted_at: when the entity was deleted; None while it is there.
        extent: first and last moment of a partial answer, in its order; None where it is whole.
    """

    entity: Entity
    attributes: Attributes
    deleted_at: datetime | None = None
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


def retrieve_temporal(
    engine: Engine, tenant: str, entity_id: str, span: Span, names: Sequence[str], most: Most
) -> History:
    """Retrieve Temporal Evolution of an Entity, clause 5.7.3; it may have been deleted.

    Raises:
        NotFound: no entity has or had this id, or nothing of it is recorded.
    """
    number = tenant_of(engine, tenant)
    entity, deleted_at = find_entity(engine, tenant, entity_id)
    found = _histories(engine, number, [entity], span, names, most)[0]
    if not found.attributes:
        with reading(engine) as connection:
            if not has_history(connection, number, entity_id, names):
                raise entity_not_found(entity_id, tenant)
    return msgspec.structs.replace(found, deleted_at=deleted_at)


def find_entity(engine: Engine, tenant: str, entity_id: str) -> tuple[Entity, datetime | None]:
    """An entity, or what it was, and when it was deleted.

    Raises:
        NotFound: no entity has or had this id.
    """
    number = tenant_of(engine, tenant)
    try:
        return retrieve_entity(engine, tenant, entity_id), None
    except NotFound:
        with reading(engine) as connection:
            found = fetch_departed(connection, number, entity_id)
        if found is None:
            raise
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
        chosen = _placed(connection, number, selection, span, datasets)
        if chosen is None:
            return FoundHistory(histories=[], total=0 if page.count else None)
        total = (
            queries_temporal.count_temporal(connection, number, chosen, span, datasets)
            if page.count
            else None
        )
        wanted = page.limit + 1 if page.limit else 0
        ids = queries_temporal.fetch_temporal_ids(
            connection, number, chosen, span, datasets, limit=wanted, offset=page.offset
        )
        entities = in_order(queries.fetch_by_ids(connection, number, ids[: page.limit]), ids)
    found = _histories(engine, number, entities, span, selection.attributes, most, selection.scopes)
    return FoundHistory(histories=found, more=len(ids) > page.limit, total=total)


def temporal_ids(
    engine: Engine, tenant: str, selection: Selection, span: Span, datasets: Collection[str], limit: int
) -> list[str]:
    """Ids of the entities whose evolutions `query_temporal` would find, in its order."""
    number = tenant_of(engine, tenant)
    with reading(engine) as connection:
        chosen = _placed(connection, number, selection, span, datasets)
        if chosen is None:
            return []
        return queries_temporal.fetch_temporal_ids(connection, number, chosen, span, datasets, limit=limit)


def _placed(
    connection: Connection, tenant: int, selection: Selection, span: Span, datasets: Collection[str]
) -> Selection | None:
    """The selection with its geo-query decided, as the database cannot; None if nothing is left."""
    geo = selection.geo
    if geo is None:
        return selection
    candidates = queries_temporal.fetch_places(connection, tenant, selection, geo, span, datasets)
    ids = dict.fromkeys(identifier for identifier, place in candidates if geo.matches(place))
    return msgspec.structs.replace(selection, among=tuple(ids), geo=None) if ids else None


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


def _histories(
    engine: Engine,
    tenant: int,
    entities: Sequence[Entity],
    span: Span,
    names: Sequence[str],
    most: Most,
    scopes: ScopeSelection = (),
) -> list[History]:
    if not entities:
        return []
    ids = [entity.id for entity in entities]
    rows = load(engine, tenant, ids, span, names, most, scopes)
    found = compose(entities, rows, most, carried=carried(engine, tenant, ids, span, names, scopes))
    if not found[0].extent:
        return found
    recorded = _all_attributes(engine, tenant, ids, names)
    return [_named(each, recorded.get(each.entity.id, ())) for each in found]


def load(
    engine: Engine,
    tenant: int,
    ids: Sequence[str],
    span: Span,
    names: Sequence[str],
    most: Most,
    scopes: ScopeSelection = (),
) -> list[Observed]:
    """Instances of these entities in the order wanted; one more than an answer holds where there are more."""
    if not ids:
        return []
    with reading(engine) as connection:
        return queries_temporal.fetch_history(
            connection,
            tenant,
            ids,
            span,
            attributes=names,
            scopes=scopes,
            last_n=most.last_n,
            limit=most.instances + 1,
        )


def compose(
    entities: Sequence[Entity],
    rows: Sequence[Observed],
    most: Most,
    *,
    carried: Sequence[Observed] = (),
    horizon: datetime | None = None,
) -> list[History]:
    """Histories out of rows in order; a partial answer where there are too many.

    Args:
        carried: scopes from before the span, which come beside.
        horizon: last moment up to which the rows are known to be whole; None: they are.
    """
    kept, extent = _cut(rows, most, horizon)
    by_entity: dict[str, list[Observed]] = {entity.id: [] for entity in entities}
    for row in [*kept, *carried] if most.last_n else [*carried, *kept]:
        by_entity[row.entity_id].append(row)
    return [
        History(entity=entity, attributes=_by_attribute(by_entity[entity.id], most.last_n), extent=extent)
        for entity in entities
    ]


def _cut(
    rows: Sequence[Observed], most: Most, horizon: datetime | None
) -> tuple[Sequence[Observed], tuple[datetime, datetime] | None]:
    """What fits into an answer, and from when to when it is if that is not all."""
    kept = rows
    if horizon:
        kept = [row for row in rows if (row.moment >= horizon if most.last_n else row.moment <= horizon)]
    if len(kept) > most.instances:
        kept = _whole_moments(kept[: most.instances + 1])
    is_partial = kept and (horizon or len(kept) < len(rows))
    return kept, (kept[0].moment, kept[-1].moment) if is_partial else None


def carried(
    engine: Engine, tenant: int, ids: Sequence[str], span: Span, names: Sequence[str], scopes: ScopeSelection
) -> list[Observed]:
    """Of the scopes asked for, those that held already when the span began."""
    if names or not (scopes and span.start):
        return []
    with reading(engine) as connection:
        return queries_temporal.fetch_scopes(connection, tenant, ids, scopes, span)


def _named(history: History, names: Iterable[str]) -> History:
    """A part of a history with all names that there are."""
    every = {name: list[Instance]() for name in names}
    return msgspec.structs.replace(history, attributes={**every, **history.attributes})


def _all_attributes(
    engine: Engine, tenant: int, ids: Sequence[str], names: Sequence[str]
) -> dict[str, list[str]]:
    """What is recorded of each entity: a partial answer names it all, though some comes in later parts."""
    with reading(engine) as connection:
        return queries_temporal.fetch_attributes(connection, tenant, ids, names)


def _whole_moments(rows: Sequence[Observed]) -> list[Observed]:
    """Cut a partial answer where a moment ends, so that the next request can start there."""
    last = rows[-1].moment
    return [row for row in rows if row.moment != last] or list(rows[:-1])


def _by_attribute(rows: Sequence[Observed], last_n: int | None) -> Attributes:
    """Instances by attribute; with last_n only so many of each, over all its datasets."""
    found: Attributes = {}
    for row in rows:
        instances = found.setdefault(row.attribute, [])
        if last_n is None or len(instances) < last_n:
            instances.append(row.instance)
    return found
