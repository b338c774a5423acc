"""Migrations run by Alembic, written by hand; and what this server can do beyond plain PostgreSQL."""

import re
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from machinami.errors import SetupError
from machinami.store.engine import transaction

OLDEST_POSTGRESQL = 15
_LOCK = 0x6D616368  # "mach": one migration at a time, whoever starts it


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def migrate(engine: Engine) -> str:
    """Bring the schema up to this version's; safe to call at every start and from several processes.

    Returns:
        The revision reached.

    Raises:
        SetupError: the server is older than PostgreSQL 15, or the schema is newer than this program.
    """
    with transaction(engine) as connection:
        _check_version(connection)
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        _refuse_newer(connection)
        command.upgrade(_config(connection), "head")
        return MigrationContext.configure(connection).get_current_revision() or ""


def _check_version(connection: Connection) -> None:
    number = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    if number < OLDEST_POSTGRESQL * 10_000:
        raise SetupError(
            f"PostgreSQL {number // 10_000} is too old",
            field="--database",
            cure=f"Use PostgreSQL {OLDEST_POSTGRESQL} or later",
        )


def _refuse_newer(connection: Connection) -> None:
    current = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if current and current not in known:
        raise SetupError(
            f"the database's schema is of a newer Machinami (revision {current})",
            field="--database",
            cure="Upgrade this Machinami: pip install --upgrade machinami",
        )


def timescaledb_version(connection: Connection) -> tuple[int, ...] | None:
    """Version of the TimescaleDB extension in this database, e.g. ``(2, 28, 3)``; None where it is absent."""
    query = text("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")
    found = connection.execute(query).scalar_one_or_none()
    return tuple(int(part) for part in re.findall(r"\d+", found)[:3]) if found else None


def timescaledb_is_loaded(connection: Connection) -> bool:
    """Whether the server has TimescaleDB installed and preloaded, so that the extension can be created."""
    query = text(
        # The loader's settings show that it is preloaded; shared_preload_libraries is for superusers.
        "SELECT EXISTS (SELECT FROM pg_settings WHERE name LIKE 'timescaledb.%')"
        " AND EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')"
    )
    return bool(connection.execute(query).scalar_one())
