"""History out of the database (clauses 5.7.3 and 5.7.4): instances of attributes in a span of time.

One instance is one row of ``observation``. A number is stored bare and takes its unit from its series; every
other instance is stored whole.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Text,
    cast,
    func,
    select,
    true,
)

from machinami.model import Instance, format_time
from machinami.ngsild.geo import GeoQuery
from machinami.store.queries import ScopeSelection, Selection
from machinami.store.queries_order import order_by
from machinami.store.queries_window import (
    Span,
    in_span,
    moment,
    places,
    scope_before,
    scope_in_force,
    span_clauses,
)
from machinami.store.tables import entity, observation, series

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EXACT = 2**53
_INSTANCE = "urn:ngsi-ld:Instance:"
_INSTANCE_ID = re.compile(rf"{_INSTANCE}([0-9]{{1,9}})-(-?[0-9]{{1,18}})")


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """One instance of one attribute of one entity.

    Attributes:
        moment: its time in the sense of the span.
    """

    entity_id: str
    attribute: str
    moment: datetime
    instance: Instance


def fetch_history(
    connection: Connection,
    tenant: int,
    ids: Sequence[str],
    span: Span,
    *,
    attributes: Sequence[str] = (),
    scopes: ScopeSelection = (),
    last_n: int | None = None,
    limit: int,
) -> list[Observed]:
    """Instances of these entities, oldest first; with last_n the newest of each series, newest first.

    Args:
        attributes: expanded names; none means all.
        scopes: only instances from times when the entity had one of these; none asks for nothing.
        limit: rows at most, cut off at the far end.
    """
    when = moment(span)
    rows = (
        select(observation)
        .where(observation.c.series == series.c.series, *in_span(span))
        .where(*([scope_in_force(scopes, span)] if scopes else []))
        .order_by(when.desc() if last_n else when.asc())
        .limit(last_n or limit)
        .lateral("rows")
    )
    row_moment = rows.c.recorded_at if span.by_record else rows.c.observed_at
    query = (
        select(series, *rows.c[1:])
        .select_from(series.join(rows, true()))
        .where(*_of_entities(tenant, ids, attributes))
        .order_by(row_moment.desc() if last_n else row_moment.asc(), series.c.series)
        .limit(limit)
    )
    return [_observed(row, span) for row in connection.execute(query)]


def fetch_scopes(
    connection: Connection, tenant: int, ids: Sequence[str], scopes: ScopeSelection, span: Span
) -> list[Observed]:
    """Those of these scopes that held already when the span began (annex C.5.16)."""
    return [_observed(row, span) for row in connection.execute(scope_before(tenant, ids, scopes, span))]


def fetch_places(
    connection: Connection,
    tenant: int,
    selection: Selection,
    geo: GeoQuery,
    span: Span,
    datasets: Collection[str],
) -> Iterator[tuple[str, Any]]:
    """Ids of candidates of a geo-query and the values of the GeoProperty that they had in the span."""
    for row in connection.execute(places(tenant, selection, geo, span, datasets)):
        yield row.id, row.place


def fetch_attributes(
    connection: Connection, tenant: int, ids: Sequence[str], attributes: Sequence[str] = ()
) -> dict[str, list[str]]:
    """Expanded names of the attributes that each of these entities ever had."""
    query = (
        select(series.c.entity_id, series.c.attribute)
        .where(*_of_entities(tenant, ids, attributes))
        .distinct()
    )
    found: dict[str, list[str]] = {}
    for row in connection.execute(query):
        found.setdefault(row.entity_id, []).append(row.attribute)
    return found


def fetch_temporal_ids(
    connection: Connection,
    tenant: int,
    selection: Selection,
    span: Span,
    datasets: Collection[str] = (),
    *,
    limit: int,
    offset: int = 0,
) -> list[str]:
    """Ids of the entities of a selection that have an instance in the span.

    Args:
        datasets: of these, '' for default instances; empty asks for nothing.
    """
    wanted = span_clauses(tenant, selection, span, datasets)
    query = select(entity.c.id).where(*wanted).order_by(*order_by(selection.order))
    return list(connection.execute(query.limit(limit).offset(offset)).scalars())


def count_temporal(
    connection: Connection, tenant: int, selection: Selection, span: Span, datasets: Collection[str] = ()
) -> int:
    """How many entities of a selection have an instance in the span; see `fetch_temporal_ids`."""
    wanted = span_clauses(tenant, selection, span, datasets)
    return connection.execute(select(func.count()).select_from(entity).where(*wanted)).scalar_one()


def _of_entities(tenant: int, ids: Sequence[str], attributes: Sequence[str]) -> list[ColumnElement[bool]]:
    wanted = [series.c.tenant == tenant, series.c.entity_id == func.any(cast(list(ids), ARRAY(Text)))]
    return [*wanted, _named(attributes)] if attributes else wanted


def _named(attributes: Sequence[str]) -> ColumnElement[bool]:
    return series.c.attribute == func.any(cast(list(attributes), ARRAY(Text)))


def _observed(row: Any, span: Span) -> Observed:
    recorded = format_time(row.recorded_at)
    identified = {"instanceId": instance_id(row.series, row.observed_at)}
    return Observed(
        entity_id=row.entity_id,
        attribute=row.attribute,
        moment=row.recorded_at if span.by_record else row.observed_at,
        instance={
            **identified,
            "createdAt": recorded,
            "modifiedAt": recorded,
            **(_plain(row) if row.document is None else row.document),
        },
    )


def instance_id(number: int, moment: datetime) -> str:
    """The identifier of an instance (clause 4.5.7), made of its series and its time."""
    return f"{_INSTANCE}{number}-{(moment - _EPOCH) // _MICROSECOND}"


def read_instance_id(text: str) -> tuple[int, datetime] | None:
    """Series and time of an instance; None where the identifier is none of ours."""
    found = _INSTANCE_ID.fullmatch(text)
    if found is None:
        return None
    try:
        return int(found[1]), _EPOCH + int(found[2]) * _MICROSECOND
    except OverflowError:
        return None


def _plain(row: Any) -> Instance:
    value: float = row.number
    whole = int(value) if value.is_integer() and abs(value) < _EXACT else value
    instance: Instance = {"type": "Property", "value": whole, "observedAt": format_time(row.observed_at)}
    if row.unit_code:
        instance["unitCode"] = row.unit_code
    if row.dataset_id:
        instance["datasetId"] = row.dataset_id
    return instance
