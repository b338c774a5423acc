"""What this server can do beyond plain PostgreSQL."""

import re

import msgspec
from sqlalchemy import Connection, text

_EXTENSION = text("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")
_KIND = text("SELECT relkind = 'p' FROM pg_class WHERE oid = 'observation'::regclass")
_VIEW = text("SELECT relkind = 'v' FROM pg_class WHERE oid = to_regclass('rollup_minute')")


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """How the history is kept here.

    Attributes:
        partitions: native partitions by month; else chunks of a hypertable.
        columnstore: TimescaleDB under its own licence, which the Apache edition lacks.
        continuous_aggregates: rollups are refreshed by TimescaleDB; else by us.
    """

    partitions: bool
    columnstore: bool
    continuous_aggregates: bool


def read_capabilities(connection: Connection) -> Capabilities:
    """Ask the server and the schema."""
    partitions = bool(connection.execute(_KIND).scalar_one())
    return Capabilities(
        partitions=partitions,
        columnstore=not partitions and _license(connection) == "timescale",
        continuous_aggregates=bool(connection.execute(_VIEW).scalar_one_or_none()),
    )


def _license(connection: Connection) -> str:
    return (
        connection.exec_driver_sql("SELECT current_setting('timescaledb.license', true)").scalar_one() or ""
    )


def timescaledb_version(connection: Connection) -> tuple[int, ...] | None:
    """Version of the TimescaleDB extension in this database, e.g. ``(2, 28, 3)``; None where it is absent."""
    found = connection.execute(_EXTENSION).scalar_one_or_none()
    return tuple(int(part) for part in re.findall(r"\d+", found)[:3]) if found else None


def timescaledb_is_loaded(connection: Connection) -> bool:
    """Whether the server has TimescaleDB installed and preloaded, so that the extension can be created."""
    query = text(
        # The loader's settings show that it is preloaded; shared_preload_libraries is for superusers.
        "SELECT EXISTS (SELECT FROM pg_settings WHERE name LIKE 'timescaledb.%')"
        " AND EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')"
    )
    return bool(connection.execute(query).scalar_one())
