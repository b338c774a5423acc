import types
from datetime import UTC, datetime

import pytest
from alembic import command
from machinami.errors import SetupError
from machinami.store.capabilities import timescaledb_version
from machinami.store.engine import open_engine
from machinami.store.maintenance import maintain
from machinami.store.migrate import _config, migrate
from machinami.store.partitions import Partitions
from machinami.store.tables import metadata
from machinami.store.tenants import tenant_number
from sqlalchemy import Engine, inspect, text

_COLUMNS = """
SELECT table_name, column_name, udt_name, is_nullable, collation_name
FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2
"""
_INDEXES = """
SELECT tablename, regexp_replace(indexdef, ' WITH .*', '') FROM pg_indexes
WHERE schemaname = 'public' AND tablename NOT LIKE 'observation%' ORDER BY 1, 2
"""


def _shape(engine: Engine, query: str) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        rows = connection.execute(text(query))
        # Rollups are views of TimescaleDB's where it is, and read by SQL of their own.
        return [tuple(row) for row in rows if not row[0].startswith(("alembic_version", "rollup_"))]


def test_migrations_and_tables_agree(engine: Engine) -> None:
    migrated = [_shape(engine, query) for query in (_COLUMNS, _INDEXES)]
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE; CREATE SCHEMA public"))
        metadata.create_all(connection)
    assert [_shape(engine, query) for query in (_COLUMNS, _INDEXES)] == migrated


def test_migrating_twice_changes_nothing(engine: Engine) -> None:
    assert migrate(engine) == migrate(engine)


def test_a_newer_schema_is_refused(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SetupError, match="Upgrade this Machinami"):
        migrate(engine)


@pytest.fixture
def first_revision(engine: Engine) -> Engine:
    """A database as the first revision left it, with a row of history."""
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE; CREATE SCHEMA public"))
    engine.dispose()  # TimescaleDB refuses to come back into a session that it has left
    with engine.begin() as connection:
        command.upgrade(_config(connection), "0001")
    Partitions().make(engine, [(2026, 1)])
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO observation (series, observed_at, number) VALUES (1, '2026-01-31', 5)")
        )
    return engine


def test_a_database_of_the_first_revision_gets_rollups_of_what_it_holds(first_revision: Engine) -> None:
    assert migrate(first_revision, at_start=True) == "0010"
    maintain(first_revision)
    with first_revision.connect() as connection:
        query = "SELECT bucket, count, sum FROM rollup_day"
        assert [tuple(row) for row in connection.execute(text(query))] == [
            (datetime(2026, 1, 31, tzinfo=UTC), 1, 5.0)
        ]


def test_what_takes_long_is_refused_at_a_start_and_done_by_command(
    first_revision: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.SimpleNamespace(slow=lambda _: "an index over 9 rows")
    monkeypatch.setattr("machinami.store.migrate._pending", lambda _: [module])
    with pytest.raises(SetupError, match=r"an index over 9 rows.*machinami migrate"):
        migrate(first_revision, at_start=True)
    assert migrate(first_revision) == "0010"


def test_the_default_tenant_is_always_there(engine: Engine) -> None:
    with engine.begin() as connection:
        assert tenant_number(connection, "default") == tenant_number(connection, "default")


def test_a_url_of_another_database_is_refused() -> None:
    with pytest.raises(SetupError, match="postgresql://"):
        open_engine("mysql://somewhere/else")


@pytest.mark.timescaledb
@pytest.mark.usefixtures("timescaledb")
def test_history_is_a_hypertable_where_timescaledb_is(engine: Engine) -> None:
    with engine.connect() as connection:
        assert timescaledb_version(connection) >= (2, 13)  # type: ignore[operator] # the fixture has seen it
        query = (
            "SELECT count(*) FROM timescaledb_information.hypertables WHERE hypertable_name = 'observation'"
        )
        assert connection.execute(text(query)).scalar_one() == 1


def test_history_is_partitioned_without_timescaledb(engine: Engine) -> None:
    with engine.connect() as connection:
        if timescaledb_version(connection):
            pytest.skip("this server has TimescaleDB")
    assert "observation" in inspect(engine).get_table_names()
