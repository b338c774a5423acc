"""A write-ahead log that cannot grow: said, waited for, and nothing is gone. The soak does it under load."""

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from machinami.errors import SetupError
from machinami.local.database import EmbeddedDatabase
from machinami.local.screen import Screen
from machinami.local.state import State
from machinami.local.supervisor import Supervisor
from machinami_loadtests.soak.quota import Quota

_SIZE = 512 * 2**20
_PATIENCE = 120.0
_COUNT = "SELECT count(*) FROM kept"


@pytest.fixture
def wal(tmp_path: Path) -> Iterator[Quota]:
    """A disk of its own for the log of a database in ``tmp_path``, which has a table with one row."""
    with EmbeddedDatabase(tmp_path) as database, psycopg.connect(database.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1")
    try:
        quota = Quota(tmp_path / "database/pg_wal", _SIZE)
    except SetupError as error:
        pytest.skip(f"only root may mount a disk for the write-ahead log: {error}")
    yield quota
    quota.close()


def _look_until(supervisor: Supervisor, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        supervisor.look()
        time.sleep(0.05)


def _write_until_it_breaks(url: str) -> int:
    """Rows committed one by one, each at the beginning of a segment, until the database dies."""
    rows = 0
    try:
        while True:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("INSERT INTO kept VALUES (2)")
            rows += 1
            with psycopg.connect(url, user="postgres", dbname="postgres", autocommit=True) as connection:
                connection.execute("SELECT pg_switch_wal()")
    except psycopg.OperationalError:
        return rows


@pytest.mark.system
def test_a_full_write_ahead_log_is_told_and_all_goes_on_when_there_is_room(tmp_path: Path, wal: Quota):
    out = io.StringIO()
    supervisor = Supervisor(Screen(out))
    with supervisor.supervision():
        database = EmbeddedDatabase(tmp_path)
        supervisor.add(database)
        role = supervisor.roles[0]
        wal.fill()
        committed = _write_until_it_breaks(database.url)
        told = f"the disk of {tmp_path}/database/pg_wal is full: 0 of 512 MiB free. Free 256 MiB there"
        _look_until(supervisor, lambda: told in role.status().trouble)
        assert role.status().state is State.WAITING
        wal.free()
        _look_until(supervisor, lambda: role.state is State.RUNNING)
        assert role.status().trouble == ""
        with psycopg.connect(database.url) as connection:
            row = connection.execute(_COUNT).fetchone()
    assert row is not None
    assert row[0] in {
        1 + committed,
        2 + committed,
    }  # the last one's answer may have been lost with the server
    assert told in out.getvalue()
