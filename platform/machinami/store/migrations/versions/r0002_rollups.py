"""Storage that lasts: rollups of the history, its columnstore, and the policies that maintenance follows."""

from alembic import op
from sqlalchemy import Connection

from machinami.store.capabilities import read_capabilities

revision = "0002"
down_revision = "0001"

_STORAGE = """
CREATE TABLE storage (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    retention interval,
    compress_after interval DEFAULT INTERVAL '7 days',
    kept_from timestamptz,
    seen_until timestamptz,
    rolled_until timestamptz,
    maintained_at timestamptz
);
INSERT INTO storage DEFAULT VALUES;
"""

# Block ranges instead of a tree: it costs ingest next to nothing, and rows of one time lie side by side.
_RECORDED = "CREATE INDEX observation_recorded ON observation USING brin (recorded_at)"

_COLUMNSTORE = """
ALTER TABLE observation SET (
    timescaledb.compress,
    timescaledb.compress_segmentby = 'series',
    timescaledb.compress_orderby = 'observed_at'
)"""

_ROLLUPS = (
    ("rollup_minute", "1 minute", "observation"),
    ("rollup_hour", "1 hour", "rollup_minute"),
    ("rollup_day", "1 day", "rollup_hour"),
)

_SLOW_ROWS = 20_000_000


def slow(connection: Connection) -> str | None:
    """What keeps a start waiting: the index is built over all of the history."""
    query = (
        "SELECT sum(greatest(reltuples, 0)) FROM pg_class WHERE relname LIKE 'observation%' AND relkind = 'r'"
    )
    rows = connection.exec_driver_sql(query.replace("%", "%%")).scalar_one() or 0
    return f"an index over {rows:,.0f} rows of history" if rows > _SLOW_ROWS else None


def upgrade() -> None:
    """Rollups are continuous aggregates where TimescaleDB's licence has them, else tables of our own."""
    op.execute(_STORAGE)
    op.execute(_RECORDED)
    community = read_capabilities(op.get_bind()).columnstore
    if community:
        op.execute(_COLUMNSTORE)
    for name, width, source in _ROLLUPS:
        op.execute(_continuous_aggregate(name, width, source) if community else _table(name))


def _table(name: str) -> str:
    # Minutes go with the history that they sum up, a whole partition at a time; hours and days stay.
    partitioned = " PARTITION BY RANGE (bucket)" if name == "rollup_minute" else ""
    return f"""
CREATE TABLE {name} (
    series integer NOT NULL,
    bucket timestamptz NOT NULL,
    count bigint NOT NULL,
    sum double precision NOT NULL,
    min double precision NOT NULL,
    max double precision NOT NULL,
    CONSTRAINT {name}_key PRIMARY KEY (series, bucket)
){partitioned}"""


def _continuous_aggregate(name: str, width: str, source: str) -> str:
    raw = source == "observation"
    moment = "observed_at" if raw else "bucket"
    columns = (
        "count(number) AS count, sum(number) AS sum, min(number) AS min, max(number) AS max"
        if raw
        else "sum(count)::bigint AS count, sum(sum) AS sum, min(min) AS min, max(max) AS max"
    )
    return f"""
CREATE MATERIALIZED VIEW {name} WITH (timescaledb.continuous, timescaledb.materialized_only = true) AS
SELECT series, time_bucket(INTERVAL '{width}', {moment}) AS bucket, {columns}
FROM {source} {"WHERE number IS NOT NULL" if raw else ""} GROUP BY 1, 2 WITH NO DATA"""
