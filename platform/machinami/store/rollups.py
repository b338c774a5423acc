"""Aggregates over time: from rollups where these are complete, from the history itself elsewhere.

The answer is that of the history at this very moment, however late a row came or however often it was
corrected: buckets that have seen a row since the rollups were refreshed are aggregated anew. Averages
combine, because rollups hold count and sum.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, TextClause, select, text

from machinami.store.tables import storage

ORIGIN = datetime.min.replace(tzinfo=UTC)
"""Where buckets are counted from: a Monday, midnight UTC, so that weeks begin as ISO 8601 has them."""


_TICK = timedelta.resolution


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """One width of rollups.

    Attributes:
        relation: the table, or the continuous aggregate.
        kept: stays when retention drops the history that it sums up.
    """

    relation: str
    width: timedelta
    kept: bool


LEVELS = (
    Level(relation="rollup_minute", width=timedelta(minutes=1), kept=False),
    Level(relation="rollup_hour", width=timedelta(hours=1), kept=True),
    Level(relation="rollup_day", width=timedelta(days=1), kept=True),
)
"""From fine to coarse; each is made of the one before it."""


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of one series in one period.

    Attributes:
        start: of the period, UTC.
    """

    start: datetime
    count: int
    sum: float
    min: float
    max: float


class Freshness(msgspec.Struct, frozen=True, kw_only=True):
    """How far the rollups are.

    Attributes:
        seen_until: every row recorded before this is in them; None: nothing is.
        rolled_until: buckets that end by then are whole.
        kept_from: the history before this is, or is about to be, dropped; rollups of hours and days stay.
    """

    seen_until: datetime | None
    rolled_until: datetime | None
    kept_from: datetime | None


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A span to be read from one place; from the history itself where there is no level."""

    level: Level | None
    start: datetime
    end: datetime


def read_freshness(connection: Connection) -> Freshness:
    """How far the rollups are now."""
    query = select(*(storage.c[name] for name in Freshness.__struct_fields__))
    return Freshness(**connection.execute(query).mappings().one())


def aggregate(
    connection: Connection,
    series: int,
    start: datetime,
    end: datetime,
    width: timedelta,
    *,
    origin: datetime = ORIGIN,
) -> list[Bucket]:
    """Count, sum, minimum and maximum of a series' numbers in each period that has any, oldest first.

    Args:
        start: inclusive.
        end: exclusive.
        width: of a period, more than nothing; whole minutes profit from rollups.
        origin: where some period starts; all others are whole widths away.
    """
    freshness = read_freshness(connection)
    pieces = plan(start, end, _usable(width, origin), freshness)
    if not pieces:
        return []
    parameters = {
        "series": series,
        "width": width,
        "origin": ORIGIN + (origin - ORIGIN) % width,
        "seen": freshness.seen_until,
        **_late_span(pieces, freshness),
        **{f"start{n}": piece.start for n, piece in enumerate(pieces)},
        **{f"end{n}": piece.end for n, piece in enumerate(pieces)},
    }
    rows = connection.execute(_statement(pieces), parameters)
    return [Bucket(**row) for row in rows.mappings()]


def bucket_start(moment: datetime, width: timedelta) -> datetime:
    """Start of the bucket that a moment is in."""
    return moment - (moment - ORIGIN) % width


def plan(start: datetime, end: datetime, levels: Sequence[Level], freshness: Freshness) -> list[Piece]:
    """Cover a span by few pieces: the coarsest level for what it can give, finer ones for its edges.

    Args:
        levels: those that may serve, from fine to coarse.
    """
    usable = levels if freshness.rolled_until else ()
    return [
        piece
        for found in _cover(start, end, usable, freshness.rolled_until or ORIGIN)
        if (piece := _still_there(found, freshness.kept_from)) is not None
    ]


def _cover(
    start: datetime, end: datetime, levels: Sequence[Level], rolled_until: datetime
) -> Iterator[Piece]:
    if start >= end:
        return
    if not levels or start >= rolled_until:
        yield Piece(level=None, start=start, end=end)
        return
    *finer, level = levels
    first = bucket_start(start + level.width - _TICK, level.width)
    last = bucket_start(min(end, rolled_until), level.width)
    if first >= last:
        yield from _cover(start, end, finer, rolled_until)
        return
    yield from _cover(start, first, finer, rolled_until)
    yield Piece(level=level, start=first, end=last)
    yield from _cover(last, end, finer, rolled_until)


def _still_there(piece: Piece, kept_from: datetime | None) -> Piece | None:
    """What retention leaves of a piece, the same whether or not its partition has gone already."""
    if kept_from is None or (piece.level is not None and piece.level.kept):
        return piece
    start = max(piece.start, kept_from)
    return msgspec.structs.replace(piece, start=start) if start < piece.end else None


def _usable(width: timedelta, origin: datetime) -> list[Level]:
    return [level for level in LEVELS if not width % level.width and not (origin - ORIGIN) % level.width]


def _late_span(pieces: Sequence[Piece], freshness: Freshness) -> dict[str, datetime]:
    """Where a row that came since the refresh matters: in what rollups give, and not before what is kept."""
    rolled = [piece for piece in pieces if piece.level is not None]
    if not rolled:
        return {}
    first = max(rolled[0].start, freshness.kept_from or ORIGIN)
    return {"late_start": first, "late_end": rolled[-1].end}


_HISTORY = """
SELECT observed_at AS moment, 1::bigint AS count, number AS sum, number AS min, number AS max FROM observation
WHERE series = :series AND observed_at >= :start{n} AND observed_at < :end{n} AND number IS NOT NULL"""

_ROLLUP = """
SELECT bucket, count, sum, min, max FROM {relation}
WHERE series = :series AND bucket >= :start{n} AND bucket < :end{n}
AND bucket NOT IN (SELECT bucket FROM late{n})
UNION ALL
SELECT observed_at, 1, number, number, number FROM late{n} JOIN observation
ON series = :series AND observed_at >= bucket AND observed_at < bucket + {width} WHERE number IS NOT NULL"""

_LATE = """late AS MATERIALIZED (
SELECT observed_at FROM observation
WHERE series = :series AND recorded_at >= :seen AND observed_at >= :late_start AND observed_at < :late_end)"""

_LATE_BUCKETS = """late{n} AS MATERIALIZED (
SELECT DISTINCT date_bin({width}, observed_at, {origin}) AS bucket FROM late
WHERE observed_at >= :start{n} AND observed_at < :end{n})"""

_ALL = """{common}
SELECT date_bin(:width, moment, :origin) AS start, sum(count)::bigint AS count,
sum(sum) AS sum, min(min) AS min, max(max) AS max
FROM ({pieces}) AS piece (moment, count, sum, min, max) GROUP BY 1 ORDER BY 1"""


def sql_width(level: Level) -> str:
    """The width as an SQL literal."""
    return f"INTERVAL '{level.width.total_seconds():.0f} seconds'"


SQL_ORIGIN = f"TIMESTAMPTZ '{ORIGIN.isoformat()}'"
"""`ORIGIN` as an SQL literal."""


def _statement(pieces: Sequence[Piece]) -> TextClause:
    late: list[str] = []
    selects: list[str] = []
    for n, piece in enumerate(pieces):
        if piece.level is None:
            selects.append(_HISTORY.format(n=n))
        else:
            words: dict[str, Any] = {"n": n, "width": sql_width(piece.level), "origin": SQL_ORIGIN}
            late.append(_LATE_BUCKETS.format(**words))
            selects.append(_ROLLUP.format(relation=piece.level.relation, **words))
    common = "WITH " + ",\n".join([_LATE, *late]) if late else ""
    return text(_ALL.format(common=common, pieces="\nUNION ALL".join(selects)))
