import pytest
from machinami.errors import SetupError
from machinami.store.capabilities import timescaledb_version
from machinami.store.engine import open_engine
from machinami.store.migrate import migrate
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
