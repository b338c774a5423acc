"""What the database needs every minute: partitions ahead of time, fresh rollups, columns, retention.

Nothing depends on a round taking place: ingest makes the partition that it lacks, and aggregates are right
without fresh rollups, only slower.
"""

import logging
from contextlib import AbstractContextManager
from datetime import UTC, datetime

import msgspec
import psycopg
from sqlalchemy import Connection, Engine, func, select, text, update

from machinami.store.capabilities import read_capabilities
from machinami.store.engine import driver_connection
from machinami.store.keeping import kept
from machinami.store.partitions import make_partitions, months_from
from machinami.store.policies import compress_old, drop_old, read_policies
from machinami.store.reading import reading
from machinami.store.refresh import refresh_continuous_aggregates, refresh_tables
from machinami.store.rollups import LEVELS, read_freshness
from machinami.store.tables import storage

logger = logging.getLogger(__name__)

PAUSE = 60.0
"""Seconds between two rounds."""

_MONTHS_AHEAD = 3
_LOCK = 0x6B656570  # "keep": one round at a time, whoever starts it

# Dropping a partition needs the whole table for a moment: rather wait a minute than queue writers. Power loss
# may take the last moment's commits with all that follow them: the next round does them again.
_MANNERS = "SET lock_timeout = '2s'; SET synchronous_commit = off"

_SUMMARIZE = text(
    "SELECT brin_summarize_new_values(x.indexrelid) FROM pg_inherits i"
    " JOIN pg_index x ON x.indrelid = i.inhrelid JOIN pg_class c ON c.oid = x.indexrelid"
    " JOIN pg_am a ON a.oid = c.relam WHERE i.inhparent = 'observation'::regclass AND a.amname = 'brin'"
)


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What a round did, by the names of partitions or chunks."""

    dropped: list[str]
    compressed: list[str]


def maintain(engine: Engine, now: datetime | None = None) -> Round | None:
    """One round; None where another process is at it.

    Args:
        now: what partitions and policies go by, in UTC.

    Raises:
        Unavailable: the database does not answer, or a lock was not to be had soon.
    """
    with reading(engine) as connection:
        if not connection.execute(select(func.pg_try_advisory_lock(_LOCK))).scalar_one():
            return None
        try:
            connection.exec_driver_sql(_MANNERS)
            return _round(connection, now or datetime.now(UTC))
        finally:
            connection.invalidate()  # close it: back in the pool it would still have lock and manners


def _round(connection: Connection, now: datetime) -> Round:
    driver = driver_connection(connection)
    capabilities, policies = read_capabilities(connection), read_policies(connection)
    with driver.transaction():
        for parent in ("observation", LEVELS[0].relation):
            make_partitions(connection, parent, months_from(now, _MONTHS_AHEAD))
    _refresh(connection, driver, continuous_aggregates=capabilities.continuous_aggregates)
    with driver.transaction():
        dropped = drop_old(connection, policies, now)
    compressed = compress_old(connection, policies, now) if capabilities.columnstore else []
    connection.execute(_SUMMARIZE)
    connection.execute(update(storage).values(maintained_at=func.now()))
    return Round(dropped=dropped, compressed=compressed)


def _refresh(
    connection: Connection, driver: "psycopg.Connection[object]", *, continuous_aggregates: bool
) -> None:
    freshness = read_freshness(connection)
    if continuous_aggregates:
        refresh_continuous_aggregates(connection, freshness)
    else:
        with driver.transaction():
            refresh_tables(connection, freshness)


def _tell(done: Round | None) -> None:
    for verb, names in (("dropped", done.dropped), ("compressed", done.compressed)) if done else ():
        if names:
            logger.info("storage maintenance %s %s", verb, ", ".join(names))


def maintained(url: str) -> AbstractContextManager[None]:
    """Maintain this database while the block runs, in a thread with a connection of its own."""
    return kept(url, "storage maintenance", lambda engine: _tell(maintain(engine)), PAUSE)
