"""Aggregates of history by period (clause 4.5.19), from rollups where these say it all."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from math import fsum
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import Connection, text

from machinami.model import format_time
from machinami.ngsild.aggregation import Aggregation, Method
from machinami.ngsild.terms import SCOPE
from machinami.store.queries_window import Span
from machinami.store.rollups import LEVELS, Bucket, aggregate

_Row: TypeAlias = Mapping[str, Any]

_BETWEEN = "width_bucket(moment, CAST(:starts AS timestamptz[]))"
_BINNED = "date_bin(CAST(:width AS interval), moment, CAST(:origin AS timestamptz))"
_ROLLED = frozenset({Method.TOTAL_COUNT, Method.SUM, Method.AVG, Method.MIN, Method.MAX})


class SeriesOf(msgspec.Struct, frozen=True, kw_only=True):
    """A series, and what of it lies in the span.

    Attributes:
        first, last: times of its first and last instance there.
        numbers: that there is nothing but bare numbers.
        kind: of the newest instance, e.g. ``Property``.
    """

    series: int
    entity_id: str
    attribute: str
    dataset_id: str
    first: datetime
    last: datetime
    numbers: bool
    kind: str


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """One period; each method's value, None where it has none for what is there."""

    start: datetime
    end: datetime
    values: Mapping[Method, Any]


_SPAN = (
    "(CAST(:start AS timestamptz) IS NULL OR {moment} >= CAST(:start AS timestamptz))"
    " AND (CAST(:end AS timestamptz) IS NULL OR {moment} < CAST(:end AS timestamptz))"
)
_THERE = "(o.number IS NOT NULL OR (o.document <> '{{}}' AND NOT o.document ? 'deletedAt'))"

_ROWS = "FROM observation o WHERE o.series = s.series AND {there} AND {span}"

_FIND = f"""
SELECT s.series, s.entity_id, s.attribute, s.dataset_id, oldest.moment AS first, newest.moment AS last,
 NOT EXISTS (SELECT 1 {_ROWS} AND o.document IS NOT NULL) AS numbers, newest.kind
FROM series s
CROSS JOIN LATERAL (SELECT {{moment}} AS moment {_ROWS} ORDER BY 1 LIMIT 1) oldest
CROSS JOIN LATERAL (SELECT {{moment}} AS moment, coalesce(o.document->>'type', 'Property') AS kind
 {_ROWS} ORDER BY 1 DESC LIMIT 1) newest
WHERE s.tenant = :tenant AND s.entity_id = ANY(:ids) AND s.attribute <> :scope
 AND (cardinality(CAST(:names AS text[])) = 0 OR s.attribute = ANY(CAST(:names AS text[])))
ORDER BY s.entity_id, s.series"""

_METHODS: Mapping[Method, str] = {
    Method.TOTAL_COUNT: "count(*)",
    Method.DISTINCT_COUNT: "count(DISTINCT v)",
    Method.SUM: "sum(n)",
    Method.AVG: "avg(n)",
    Method.MIN: "coalesce(to_jsonb(min(n)), to_jsonb(min(t)))",
    Method.MAX: "coalesce(to_jsonb(max(n)), to_jsonb(max(t)))",
    Method.STDDEV: "stddev_pop(n)",
    Method.SUMSQ: "sum(n * n)",
}
"""Each method over values ``v``, which are numbers ``n`` or texts ``t`` or neither."""

_VALUES = "SELECT {bucket} AS bucket, {methods} FROM ({typed}) AS typed GROUP BY 1 ORDER BY 1"

_BARE = """
SELECT {moment} AS moment, o.number AS v, o.number AS n, CAST(NULL AS text) AS t
FROM observation o WHERE o.series = :series AND {there} AND {span}"""

_TYPED = """
SELECT moment, v, CASE jsonb_typeof(v) WHEN 'number' THEN CAST(v AS double precision)
  WHEN 'boolean' THEN CAST(CAST(v AS boolean) AS integer) WHEN 'array' THEN jsonb_array_length(v) END AS n,
  CASE jsonb_typeof(v) WHEN 'string' THEN v #>> '{{}}' END AS t
 FROM (SELECT {moment} AS moment, coalesce(to_jsonb(o.number), o.document->'value', o.document->'object',
   o.document->'valueList', o.document->'objectList', o.document->'languageMap', o.document->'vocab',
   o.document->'json') AS v
  FROM observation o WHERE o.series = :series AND {there} AND {span}) AS given"""


def find_series(
    connection: Connection, tenant: int, ids: Sequence[str], names: Sequence[str], span: Span
) -> list[SeriesOf]:
    """The series of these entities that have something in the span."""
    query = text(_FIND.format(**_words(span)))
    rows = connection.execute(
        query, {"tenant": tenant, "ids": list(ids), "names": list(names), "scope": SCOPE, **_ends(span)}
    )
    return [SeriesOf(**row) for row in rows.mappings()]


def fetch_periods(
    connection: Connection, series: SeriesOf, span: Span, wanted: Aggregation, origin: datetime, end: datetime
) -> list[Period]:
    """The periods that have something, oldest first.

    Args:
        origin: start of the first period; end: of the whole range, exclusive.
    """
    rolled = series.numbers and not span.by_record and set(wanted.methods) <= _ROLLED
    if rolled and wanted.length and not wanted.months:
        found = aggregate(connection, series.series, origin, end, wanted.length, origin=origin)
        return [
            Period(start=each.start, end=each.start + wanted.length, values=_of_bucket(each))
            for each in found
        ]
    if rolled and wanted.whole:
        days = aggregate(connection, series.series, origin, end, LEVELS[-1].width)
        return [Period(start=origin, end=end, values=_of_bucket(_joined(days)))] if days else []
    starts = [origin, end] if wanted.whole else []
    if wanted.months:
        starts = list(wanted.starts(origin, end))
    bucket = (
        "width_bucket(moment, CAST(:starts AS timestamptz[]))"
        if starts
        else "date_bin(:width, moment, :origin)"
    )
    parameters = {"series": series.series, "origin": origin, "width": wanted.length, "starts": starts}
    typed = (_BARE if series.numbers else _TYPED).format(**_words(span))
    methods = ", ".join(f'{_METHODS[method]} AS "{method}"' for method in wanted.methods)
    query = text(_VALUES.format(bucket=bucket, methods=methods, typed=typed))
    rows = connection.execute(query, {**parameters, **_ends(span)})
    grouped: list[_Row] = [dict(row) for row in rows.mappings()]
    return list(_periods(grouped, starts, wanted))


def _periods(rows: Iterable[_Row], starts: Sequence[datetime], wanted: Aggregation) -> Iterator[Period]:
    for row in rows:
        values = {method: _plain(row[method]) for method in wanted.methods}
        if starts:
            place: int = row["bucket"] - 1
            yield Period(start=starts[place], end=starts[min(place + 1, len(starts) - 1)], values=values)
        else:
            start: datetime = row["bucket"]
            yield Period(start=start, end=start + wanted.length, values=values)


def _joined(buckets: Sequence[Bucket]) -> Bucket:
    """Several buckets, at least one, as one."""
    return Bucket(
        start=buckets[0].start,
        count=sum(each.count for each in buckets),
        sum=fsum(each.sum for each in buckets),
        min=min(each.min for each in buckets),
        max=max(each.max for each in buckets),
    )


def _of_bucket(bucket: Bucket) -> dict[Method, Any]:
    return {
        Method.TOTAL_COUNT: bucket.count,
        Method.SUM: bucket.sum,
        Method.AVG: bucket.sum / bucket.count,
        Method.MIN: bucket.min,
        Method.MAX: bucket.max,
    }


def _plain(value: Any) -> Any:
    """Dates of the database's own making never come here; numerics become JSON numbers."""
    return float(value) if value is not None and not isinstance(value, str | int | float) else value


def _words(span: Span) -> dict[str, str]:
    moment = "o.recorded_at" if span.by_record else "o.observed_at"
    there = _THERE.format()
    if not (span.by_record or span.whole):
        there += " AND (o.number IS NOT NULL OR o.document ? 'observedAt')"
    return {"moment": moment, "there": there, "span": _SPAN.format(moment=moment)}


def _ends(span: Span) -> dict[str, datetime | None]:
    return {"start": span.start, "end": span.end}


def rendered(periods: Sequence[Period], methods: Sequence[Method]) -> dict[str, list[list[Any]]]:
    """Each method with its values: ``[value, start, end]`` (clause 4.5.19)."""
    return {
        method.value: [
            [period.values[method], format_time(period.start), format_time(period.end)]
            for period in periods
            if period.values[method] is not None
        ]
        for method in methods
    }
