"""Rollups kept up with the history: by TimescaleDB's continuous aggregates, else by these statements.

Rows that came or changed since the last time are found by ``recorded_at``, and every bucket that holds one of
them is made anew from all of its rows: what is late or corrected needs no path of its own, and a refresh that
is killed has done nothing.
"""

from datetime import datetime
from itertools import pairwise

from sqlalchemy import Connection, text, update

from machinami.store.capabilities import timescaledb_version
from machinami.store.partitions import make_partitions, month_of
from machinami.store.rollups import LEVELS, ORIGIN, SQL_ORIGIN, Freshness, Level, bucket_start, sql_width
from machinami.store.tables import storage

_NOW = text(
    # A row bears the time at which its transaction began, and is seen when that commits: what a transaction
    # that still runs may have written is left to the next refresh. The second is for one just beginning.
    "SELECT clock_timestamp() AS now, least(min(xact_start), now()) - INTERVAL '1 second' AS settled"
    " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend'"
)
_TOUCHED = "CREATE TEMP TABLE touched (series integer, bucket timestamptz) ON COMMIT DROP"
_TOUCH = text(
    f"INSERT INTO touched SELECT DISTINCT series, date_bin({sql_width(LEVELS[0])}, observed_at, {SQL_ORIGIN})"
    " FROM observation WHERE recorded_at >= :seen AND observed_at >= :kept"
)
_MONTHS = text("SELECT DISTINCT date_trunc('month', bucket) FROM touched")
_WIDEN = """
CREATE TEMP TABLE wider ON COMMIT DROP AS
SELECT DISTINCT series, date_bin({width}, bucket, {origin}) AS bucket FROM touched;
DROP TABLE touched;
ALTER TABLE wider RENAME TO touched"""
_MERGE = """
MERGE INTO {relation} AS old USING (
    SELECT t.series, t.bucket, {columns}
    FROM touched t LEFT JOIN {source} s ON s.series = t.series
    AND s.{moment} >= t.bucket AND s.{moment} < t.bucket + {width}
    AND date_bin({width}, s.{moment}, {origin}) = t.bucket
    GROUP BY t.series, t.bucket
) AS new ON old.series = new.series AND old.bucket = new.bucket
WHEN MATCHED AND new.count = 0 THEN DELETE
WHEN MATCHED THEN UPDATE SET count = new.count, sum = new.sum, min = new.min, max = new.max
WHEN NOT MATCHED AND new.count > 0 THEN INSERT (series, bucket, count, sum, min, max)
    VALUES (new.series, new.bucket, new.count, new.sum, new.min, new.max)"""
# The equality of buckets says nothing that the bounds do not; it allows a hash join when much has changed.

_OF_HISTORY = "count(s.number) AS count, sum(s.number) AS sum, min(s.number) AS min, max(s.number) AS max"
_OF_ROLLUP = "coalesce(sum(s.count), 0) AS count, sum(s.sum) AS sum, min(s.min) AS min, max(s.max) AS max"

_CALL = (
    "CALL refresh_continuous_aggregate(CAST(:relation AS regclass),"
    " CAST(:start AS timestamptz), CAST(:end AS timestamptz){options})"
)
# From 2.28 on TimescaleDB commits every 10 buckets unless told otherwise: 144 times for a day of minutes.
_LARGER_STEPS = ", options => jsonb_build_object('buckets_per_batch', 1440)"
_STEPS_SINCE = (2, 28)


def refresh_tables(connection: Connection, freshness: Freshness) -> None:
    """Bring our own rollup tables up to date, in the caller's transaction."""
    now, settled = connection.execute(_NOW).one()
    _find_touched(connection, freshness)
    make_partitions(connection, LEVELS[0].relation, map(month_of, connection.execute(_MONTHS).scalars()))
    connection.exec_driver_sql(_merge(LEVELS[0], "observation", "observed_at", _OF_HISTORY))
    for finer, level in pairwise(LEVELS):
        connection.exec_driver_sql(_WIDEN.format(width=sql_width(level), origin=SQL_ORIGIN))
        connection.exec_driver_sql("ANALYZE touched")
        connection.exec_driver_sql(_merge(level, finer.relation, "bucket", _OF_ROLLUP))
    _note(connection, settled, now)


def refresh_continuous_aggregates(connection: Connection, freshness: Freshness) -> None:
    """Have TimescaleDB do it. It commits on its own, so the connection must be in autocommit mode."""
    now, settled = connection.execute(_NOW).one()
    version = timescaledb_version(connection) or ()
    call = text(_CALL.format(options=_LARGER_STEPS if version >= _STEPS_SINCE else ""))
    for level in LEVELS:
        span = {"start": freshness.kept_from, "end": bucket_start(now, level.width)}
        connection.execute(call, {"relation": level.relation, **span})
    _note(connection, settled, now)


def _find_touched(connection: Connection, freshness: Freshness) -> None:
    connection.exec_driver_sql(_TOUCHED)
    since = {"seen": freshness.seen_until or ORIGIN, "kept": freshness.kept_from or ORIGIN}
    connection.execute(_TOUCH, since)
    connection.exec_driver_sql("ANALYZE touched")


def _merge(level: Level, source: str, moment: str, columns: str) -> str:
    return _MERGE.format(
        relation=level.relation,
        source=source,
        moment=moment,
        columns=columns,
        width=sql_width(level),
        origin=SQL_ORIGIN,
    )


def _note(connection: Connection, settled: datetime, now: datetime) -> None:
    connection.execute(update(storage).values(seen_until=settled, rolled_until=now))
