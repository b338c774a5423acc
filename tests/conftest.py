"""Fixtures that every kind of test shares: a real database, cloned for each test."""

import os
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from machinami.store.capabilities import timescaledb_version
from machinami.store.engine import open_engine
from machinami.store.migrate import migrate
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import OperationalError, ProgrammingError

SHARED_DATA = Path(os.environ.get("MACHINAMI_SHARED_DATA", Path(__file__).parents[2] / "shared/data"))

settings.register_profile("busy", deadline=None)  # a machine that has other work fails no test
settings.load_profile("busy")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real recordings are not part of the project: without them their tests say so and are skipped."""
    if SHARED_DATA.is_dir():
        return
    skip = pytest.mark.skip(reason="no recordings: set MACHINAMI_SHARED_DATA to a folder that has them")
    for item in items:
        if item.get_closest_marker("real_data"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the openly licensed recordings and contexts."""
    return SHARED_DATA


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server: the one MACHINAMI_TEST_DATABASE_URL names, else the embedded one."""
    if url := os.environ.get("MACHINAMI_TEST_DATABASE_URL"):
        yield url
        return
    from machinami.local.database import EmbeddedDatabase

    with EmbeddedDatabase(tmp_path_factory.mktemp("database")) as database:
        yield database.url


@contextmanager
def _database(server_url: str, template: str) -> Generator[str]:
    name = f"machinami_test_{uuid.uuid4().hex[:12]}"
    server = open_engine(server_url).execution_options(isolation_level="AUTOCOMMIT")
    try:
        _create(server, name, template)
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        _drop(server, name)
        server.dispose()


def _drop(server: Engine, name: str) -> None:
    """Autovacuum belongs to the server: WITH (FORCE) may not end it, the plain command asks it to go."""
    for how in ("WITH (FORCE)", "", "WITH (FORCE)"):
        try:
            with server.connect() as connection:
                connection.execute(text(f"DROP DATABASE IF EXISTS {name} {how}"))
            return
        except (ProgrammingError, OperationalError) as error:
            if not isinstance(error.orig, psycopg.errors.InsufficientPrivilege | psycopg.errors.ObjectInUse):
                raise
    raise AssertionError(f"{name} is still in use")


def _create(server: Engine, name: str, template: str, attempts: int = 20) -> None:
    """TimescaleDB's scheduler looks into every database now and then, and a template must be alone."""
    for left in reversed(range(attempts)):
        try:
            with server.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
            return
        except OperationalError as error:
            if left == 0 or not isinstance(error.orig, psycopg.errors.ObjectInUse):
                raise


@pytest.fixture(scope="session")
def template(server_url: str) -> Iterator[str]:
    """Name of a migrated, empty database."""
    with _database(server_url, "template0") as url:
        engine = open_engine(url)
        migrate(engine)
        engine.dispose()
        yield str(make_url(url).database)


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    """An empty, migrated database of this test's own."""
    with _database(server_url, template) as url:
        yield url


@pytest.fixture
def more_databases(server_url: str, template: str) -> Iterator[Callable[[], str]]:
    """Makes further empty, migrated databases of this test's own."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(_database(server_url, template))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Connections to the test's own database."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def timescaledb(engine: Engine) -> None:
    """Skips where the server has no TimescaleDB."""
    with engine.connect() as connection:
        if timescaledb_version(connection) is None:
            pytest.skip("no TimescaleDB: name a server that has it in MACHINAMI_TEST_DATABASE_URL")
