"""Migrations run by Alembic, written by hand: at each start where that takes a moment, else by command."""

from pathlib import Path
from types import ModuleType

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


def migrate(engine: Engine, *, at_start: bool = False) -> str:
    """Bring the schema up to this version's; safe to call at every start and from several processes.

    Args:
        at_start: somebody waits; refuse what takes more than a moment.

    Returns:
        The revision reached.

    Raises:
        SetupError: the server is older than PostgreSQL 15, the schema is newer than this program, or the
            migration is no matter for a start.
    """
    with transaction(engine) as connection:
        _check_version(connection)
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        _refuse_newer(connection)
        if at_start:
            _refuse_slow(connection)
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


def _refuse_slow(connection: Connection) -> None:
    """A migration says by a function ``slow`` what of it takes long on this database; most have none."""
    for module in _pending(connection):
        slow = getattr(module, "slow", None)
        if slow is not None and (reason := slow(connection)):
            raise SetupError(
                f"the database needs a migration that takes long: {reason}",
                field="--database",
                cure="Run it when it suits: machinami migrate",
            )


def _pending(connection: Connection) -> list[ModuleType]:
    """Migrations to come, newest first; for an empty database none that could be slow."""
    current = MigrationContext.configure(connection).get_current_revision()
    scripts = ScriptDirectory.from_config(_config())
    return [script.module for script in scripts.iterate_revisions("head", current)] if current else []
