"""What was so in a span of time: conditions on entities and on rows of history (clauses 4.11 and 5.7.4.4).

A temporal query is judged on the instances in its span, not on what is current: a value that was never
observed in the span does not count, and one that has been overwritten since does.
"""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Double,
    FromClause,
    Select,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH, distinct_on

from machinami.model import Instance
from machinami.ngsild.geo import Bounds, GeoQuery
from machinami.ngsild.query import Path
from machinami.ngsild.terms import SCOPE
from machinami.store.queries import ScopeSelection, Selection, clauses, in_scopes
from machinami.store.queries_q import q_clause
from machinami.store.tables import entity, observation, series

TAKEN_AWAY: Instance = {}
"""The document of a row whose instance was deleted: rollups must see that something changed there."""

_ISO = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A span of time (clause 4.11): from (inclusive) to (exclusive), either open.

    Attributes:
        by_record: by the time of writing (createdAt, modifiedAt) and not by ``observedAt``.
        whole: also instances without ``observedAt``, at the time of writing.
        deleted: only instances that say that the attribute was deleted then (``deletedAt``).
    """

    start: datetime | None = None
    end: datetime | None = None
    by_record: bool = False
    whole: bool = False
    deleted: bool = False


class InSpan(msgspec.Struct, frozen=True):
    """The instances in a span, as the ground of a query over values."""

    span: Span
    table: FromClause = entity

    def has(self, path: Path, reach: str) -> ColumnElement[bool]:
        """See `machinami.store.queries_q.Ground`."""
        is_member = bool(path.steps) and ":" not in path.steps[-1]
        instance = _whole_instance() if is_member else _instance()
        return _has_row(
            self.span,
            series.c.attribute == path.attribute,
            instance.path_exists(cast(literal(f"${reach}"), JSONPATH)),
        )


def span_clauses(
    tenant: int, selection: Selection, span: Span, datasets: Collection[str]
) -> list[ColumnElement[bool]]:
    """The WHERE clause of a temporal query, on `entity`; its geo-query is not in it, see `places`.

    Args:
        datasets: of these, '' for default instances; empty asks for nothing.
    """
    own = [_named(selection.attributes)] if selection.attributes else []
    own += [series.c.dataset_id.in_(datasets)] if datasets else []
    named = Selection(selectors=selection.selectors, among=selection.among)
    wanted = [*clauses(tenant, named), _has_row(span, *own)]
    if selection.q:
        wanted.append(q_clause(selection.q, InSpan(span)))
    if selection.scopes:
        wanted.append(_scope_in_span(selection.scopes, span))
    return wanted


def places(
    tenant: int, selection: Selection, geo: GeoQuery, span: Span, datasets: Collection[str]
) -> Select[Any, Any]:
    """Ids of entities that else meet a selection, with values of the GeoProperty in the span, each once.

    Points outside the box of the geo-query are left out.
    """
    value = observation.c.document["value"]
    query: Select[Any, Any] = (
        select(entity.c.id, value.label("place"))
        .select_from(entity.join(series, _of_entity()).join(observation, _of_series()))
        .where(*span_clauses(tenant, selection, span, datasets))
        .where(series.c.attribute == geo.geoproperty, observation.c.document.is_not(None), *in_span(span))
    )
    bounds = geo.bounds()
    return (query if bounds is None else query.where(_may_lie(value, bounds))).distinct()


def in_span(span: Span) -> list[ColumnElement[bool]]:
    """Rows in a span; one without ``observedAt`` is outside every span of it (clause 4.11)."""
    when, within = moment(span), [is_there()]
    if span.start:
        within.append(when >= span.start)
    if span.end:
        within.append(when < span.end)
    if span.deleted:
        within.append(observation.c.document.has_key("deletedAt"))
    if not (span.by_record or span.whole):
        observed = or_(observation.c.number.is_not(None), observation.c.document.has_key("observedAt"))
        within.append(observed)
    return within


def moment(span: Span) -> ColumnElement[datetime]:
    """The time of a row in the sense of a span."""
    return observation.c.recorded_at if span.by_record else observation.c.observed_at


def is_there() -> ColumnElement[bool]:
    """Rows whose instance was not deleted since."""
    return or_(observation.c.number.is_not(None), observation.c.document != TAKEN_AWAY)


def scope_in_force(scopes: ScopeSelection, span: Span) -> ColumnElement[bool]:
    """Rows of history from times when the entity's scope was one of these (clause 4.18, annex C.5.16)."""
    since, document, held = _scope_rows(span, series.c.tenant, series.c.entity_id)
    newest = held.where(since <= moment(span)).order_by(since.desc()).limit(1)
    last = newest.with_only_columns(_is_scope(document, scopes)).correlate(series, observation)
    return func.coalesce(last.scalar_subquery(), ~held.correlate(series).exists())


def scope_before(tenant: int, ids: Sequence[str], scopes: ScopeSelection, span: Span) -> Select[Any]:
    """The rows of those scopes that held already when a span began."""
    when = moment(span)
    last = (
        select(series.c.entity_id, series.c.attribute, observation)
        .join_from(series, observation, _of_series())
        .where(series.c.tenant == tenant, series.c.entity_id == func.any(cast(list(ids), ARRAY(Text))))
        .where(series.c.attribute == SCOPE, is_there(), when <= span.start)
        .ext(distinct_on(series.c.entity_id))
        .order_by(series.c.entity_id, when.desc())
        .subquery()
    )
    since = last.c.recorded_at if span.by_record else last.c.observed_at
    nothing = literal_column("''", Text)
    columns = [last, nothing.label("unit_code"), nothing.label("dataset_id")]
    return select(*columns).where(since < span.start, _is_scope(last.c.document, scopes))


def _scope_in_span(scopes: ScopeSelection, span: Span) -> ColumnElement[bool]:
    """Entities that had one of these scopes at some time of a span.

    A scope so old that its row was dropped with its partition, and unchanged since, is the current one.
    """
    since, document, held = _scope_rows(span, entity.c.tenant, entity.c.id)
    until = func.lead(since).over(order_by=since)
    rows = held.with_only_columns(document, since.label("since"), until.label("until"))
    valid = rows.correlate(entity).subquery()
    wanted = [_is_scope(valid.c.document, scopes)]
    if span.start:
        wanted.append(or_(valid.c.until.is_(None), valid.c.until > span.start))
    if span.end:
        wanted.append(valid.c.since < span.end)
    told = select(literal(1)).select_from(valid).where(*wanted).correlate(entity).exists()
    return or_(told, and_(in_scopes(scopes), ~held.correlate(entity).exists()))


def _scope_rows(
    span: Span, tenant: ColumnElement[int], entity_id: ColumnElement[str]
) -> tuple[ColumnElement[datetime], ColumnElement[Any], Select[Any]]:
    """Times and documents of an entity's scopes, and the query for them."""
    own, row = series.alias("of_scope"), observation.alias("scope_row")
    query = (
        select(literal(1))
        .join_from(own, row, own.c.series == row.c.series)
        .where(own.c.tenant == tenant, own.c.entity_id == entity_id, own.c.attribute == SCOPE)
        .where(row.c.document != TAKEN_AWAY)
    )
    return (row.c.recorded_at if span.by_record else row.c.observed_at), row.c.document, query


def _is_scope(document: ColumnElement[Any], scopes: ScopeSelection) -> ColumnElement[bool]:
    return or_(false(), *(and_(*(_names_scope(document, pattern) for pattern in group)) for group in scopes))


def _names_scope(document: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    path = f"$.value[*] ? (@ like_regex {json.dumps(pattern)})"
    return func.coalesce(func.jsonb_path_exists(document, cast(literal(path), JSONPATH)), literal(False))


def _may_lie(value: ColumnElement[Any], bounds: Bounds) -> ColumnElement[bool]:
    """Whether a geometry is no point, or a point in the box."""
    west, south, east, north = bounds
    x, y = (value["coordinates"][place].astext.cast(Double) for place in (0, 1))
    # A CASE, so that coordinates of what is no point are not read as numbers.
    inside = and_(y.between(south, north), or_(x.between(west, east), literal(west > east)))
    return case((value["type"].astext == "Point", inside), else_=literal(True))


def _has_row(span: Span, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Entities with a row in the span that meets the conditions."""
    rows = select(literal(1)).join_from(series, observation, _of_series())
    return rows.where(_of_entity(), *conditions, *in_span(span)).correlate(entity).exists()


def _of_entity() -> ColumnElement[bool]:
    return and_(series.c.tenant == entity.c.tenant, series.c.entity_id == entity.c.id)


def _of_series() -> ColumnElement[bool]:
    return observation.c.series == series.c.series


def _named(attributes: Sequence[str]) -> ColumnElement[bool]:
    return series.c.attribute == func.any(cast(list(attributes), ARRAY(Text)))


def _instance() -> ColumnElement[Any]:
    """What is stored of an instance; a number that is stored bare, as a Property."""
    bare = func.jsonb_build_object("type", "Property", "value", observation.c.number)
    return func.coalesce(observation.c.document, bare, type_=JSONB())


def _whole_instance() -> ColumnElement[Any]:
    """As `_instance`, with the members that are columns."""
    recorded = _text(observation.c.recorded_at)
    bare = observation.c.number.is_not(None)
    members = func.jsonb_build_object(
        "createdAt", recorded,
        "modifiedAt", recorded,
        "observedAt", case((bare, _text(observation.c.observed_at))),
        "unitCode", case((bare, func.nullif(series.c.unit_code, ""))),
        "datasetId", func.nullif(series.c.dataset_id, ""),
    )  # fmt: skip
    return func.jsonb_strip_nulls(members).op("||", return_type=JSONB())(_instance())


def _text(when: ColumnElement[datetime]) -> ColumnElement[str]:
    return func.to_char(func.timezone("UTC", when), _ISO)
