"""What the database holds and how it is kept: sizes, partitions, compression, rollups, policies."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, select, text

from machinami.store.capabilities import Capabilities, read_capabilities, timescaledb_version
from machinami.store.partitions import read_partitions
from machinami.store.policies import Policies, read_policies
from machinami.store.reading import reading
from machinami.store.rollups import LEVELS, Freshness, read_freshness
from machinami.store.tables import storage

_CHUNKS = text(
    "SELECT c.chunk_name AS name, c.range_start AS start, c.range_end AS end, d.total_bytes AS size"
    " FROM timescaledb_information.chunks c JOIN chunks_detailed_size('observation') d"
    "   ON d.chunk_schema = c.chunk_schema AND d.chunk_name = c.chunk_name"
    " WHERE c.hypertable_name = 'observation' ORDER BY c.range_start"
)
_COMPRESSED = text(
    "SELECT chunk_name AS name, before_compression_total_bytes AS before FROM"
    " chunk_compression_stats('observation') WHERE compression_status = 'Compressed'"
)
_PARTITION_ROWS = (
    "SELECT CAST(coalesce(sum(greatest(c.reltuples, 0)), 0) AS bigint) FROM pg_inherits i"
    " JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'observation'::regclass"
)
_CHUNK_ROWS = "SELECT approximate_row_count('observation')"
_TABLE_SIZE = text(
    "SELECT CAST(coalesce(sum(pg_total_relation_size(c.oid)), 0) AS bigint) FROM pg_class c"
    " WHERE c.oid = CAST(:name AS regclass)"
    " OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = CAST(:name AS regclass))"
)
_VIEW_SIZE = text("SELECT hypertable_size(CAST(:name AS regclass))")


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A partition or a chunk of the history.

    Attributes:
        end: exclusive.
        size: on disk, with indexes, bytes.
        size_before: the same before it was turned into columns; None where it was not.
    """

    name: str
    start: datetime
    end: datetime
    size: int
    size_before: int | None = None


class Rollup(msgspec.Struct, frozen=True, kw_only=True):
    """The rollups of one width: seconds of a bucket, and bytes on disk."""

    name: str
    width: float
    size: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The storage as it is now.

    Attributes:
        server: product and version.
        rows: of history, estimated.
        size: of the history with its indexes, bytes.
        compression_ratio: bytes before by bytes after, of what was turned into columns; None: nothing was.
        database_size: of the whole database, bytes.
        maintained_at: end of the last round of maintenance.
    """

    server: str
    capabilities: Capabilities
    rows: int
    size: int
    compression_ratio: float | None
    database_size: int
    parts: list[Part]
    rollups: list[Rollup]
    freshness: Freshness
    policies: Policies
    maintained_at: datetime | None


def read_storage(engine: Engine) -> Report:
    """Look at everything.

    Raises:
        Unavailable: the database does not answer.
    """
    with reading(engine) as connection:
        capabilities = read_capabilities(connection)
        parts = list(
            _partitions(connection) if capabilities.partitions else _chunks(connection, capabilities)
        )
        before = sum(part.size_before or 0 for part in parts)
        after = sum(part.size for part in parts if part.size_before is not None)
        return Report(
            server=_server(connection, capabilities),
            capabilities=capabilities,
            rows=_scalar(connection, _PARTITION_ROWS if capabilities.partitions else _CHUNK_ROWS),
            size=sum(part.size for part in parts),
            compression_ratio=before / after if after else None,
            database_size=_scalar(connection, "SELECT pg_database_size(current_database())"),
            parts=parts,
            rollups=_rollups(connection, capabilities),
            freshness=read_freshness(connection),
            policies=read_policies(connection),
            maintained_at=connection.execute(select(storage.c.maintained_at)).scalar_one(),
        )


def _server(connection: Connection, capabilities: Capabilities) -> str:
    version = _scalar(connection, "SHOW server_version").split()[0]
    extension = timescaledb_version(connection)
    if extension is None:
        return f"PostgreSQL {version}"
    edition = "" if capabilities.columnstore else " (Apache edition)"
    return f"TimescaleDB {'.'.join(map(str, extension))}{edition} on PostgreSQL {version}"


def _partitions(connection: Connection) -> Iterator[Part]:
    for partition in read_partitions(connection, "observation"):
        yield Part(**msgspec.structs.asdict(partition))


def _chunks(connection: Connection, capabilities: Capabilities) -> Iterator[Part]:
    before: dict[str, int] = {}
    if capabilities.columnstore:
        before = {row["name"]: row["before"] for row in connection.execute(_COMPRESSED).mappings()}
    for row in connection.execute(_CHUNKS).mappings():
        yield Part(**row, size_before=before.get(row["name"]))


def _rollups(connection: Connection, capabilities: Capabilities) -> list[Rollup]:
    query = _VIEW_SIZE if capabilities.continuous_aggregates else _TABLE_SIZE
    return [
        Rollup(
            name=level.relation,
            width=level.width.total_seconds(),
            size=connection.execute(query, {"name": level.relation}).scalar_one(),
        )
        for level in LEVELS
    ]


def _scalar(connection: Connection, query: str) -> Any:
    return connection.exec_driver_sql(query).scalar_one()
