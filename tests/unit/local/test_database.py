"""The embedded database: made, kept, locked, and gone with its parent."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import psycopg
import pytest
from machinami.errors import SetupError, Unavailable
from machinami.local.database import EmbeddedDatabase
from machinami.local.disks import Shortage


def _query(url: str, statement: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement.encode()).fetchone()
        return row[0] if row else None


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory):
    with EmbeddedDatabase(tmp_path_factory.mktemp("city")) as database:
        yield database


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
    ],
)
def test_durable_and_silent_on_the_network(database: EmbeddedDatabase, setting: str, value: str):
    assert _query(database.url, f"SHOW {setting}") == value


def test_the_citys_role_is_no_superuser(database: EmbeddedDatabase):
    assert _query(database.url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False


def test_a_second_server_on_the_same_folder_is_refused(
    database: EmbeddedDatabase, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("machinami.local.database._LOCK_SECONDS", 0.1)
    with pytest.raises(Unavailable, match="another server runs on"):
        EmbeddedDatabase(database.data_dir).start()
    assert _query(database.url, "SELECT 1") == 1


def test_data_is_there_after_a_restart(tmp_path: Path):
    with EmbeddedDatabase(tmp_path) as first, psycopg.connect(first.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    with EmbeddedDatabase(tmp_path) as second:
        assert _query(second.url, "SELECT answer FROM kept") == 42


def test_stopping_leaves_no_process_and_no_socket_folder(tmp_path: Path):
    with EmbeddedDatabase(tmp_path) as database:
        assert database.process is not None
        pid, sockets = database.process.pid, (tmp_path / "socket").readlink()
        assert sockets.is_dir()
    assert not psutil.pid_exists(pid)
    assert not sockets.exists()


def test_a_pid_file_that_names_a_living_stranger_does_not_block_the_start(tmp_path: Path):
    with EmbeddedDatabase(tmp_path):
        pass
    owner = (tmp_path / "database").stat().st_uid
    stranger = subprocess.Popen(["sleep", "60"], user=owner if os.geteuid() == 0 else None)
    try:
        (tmp_path / "database/postmaster.pid").write_text(f"{stranger.pid}\n{tmp_path}/database\n")
        with EmbeddedDatabase(tmp_path) as database:
            assert _query(database.url, "SELECT 1") == 1
    finally:
        stranger.kill()
        stranger.wait()


def test_a_half_made_folder_of_a_killed_first_start_is_made_anew(tmp_path: Path):
    (tmp_path / "database.part").mkdir()
    (tmp_path / "database.part/PG_VERSION").write_text("18\n")
    with EmbeddedDatabase(tmp_path) as database:
        assert _query(database.url, "SELECT 1") == 1


def test_after_kill_of_its_parent_the_server_ends_and_the_next_start_finds_the_data(tmp_path: Path):
    script = textwrap.dedent(f"""
        import pathlib, psycopg, time
        from machinami.local.database import EmbeddedDatabase
        database = EmbeddedDatabase(pathlib.Path({str(tmp_path)!r}))
        with psycopg.connect(database.start()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS answer")
        print(database.process.pid, flush=True)
        time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        server = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
    server.wait(60)
    with EmbeddedDatabase(tmp_path) as database:
        assert _query(database.url, "SELECT answer FROM kept") == 7


def test_a_killed_server_starts_again_under_the_same_url(tmp_path: Path):
    with EmbeddedDatabase(tmp_path) as database:
        url = database.url
        assert database.process is not None
        database.process.kill()
        database.process.wait()
        assert database.start() == url
        assert _query(url, "SELECT 1") == 1


def test_a_long_path_of_the_data_folder_is_no_obstacle(tmp_path: Path):
    deep = tmp_path / ("long" * 25) / ("longer" * 20)
    deep.mkdir(parents=True)
    with EmbeddedDatabase(deep) as database:
        assert _query(database.url, "SELECT 1") == 1


def test_an_unready_server_is_waited_for_with_the_callers_pause(tmp_path: Path):
    class Stopped(Exception):
        pass

    def give_up(_seconds: float) -> None:
        raise Stopped

    database = EmbeddedDatabase(tmp_path)
    with pytest.raises(Stopped):
        database.start(give_up)
    database.stop()
    assert database.process is None


def test_a_start_that_fails_on_a_full_disk_says_which_and_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    full = Shortage(folder=f"{tmp_path}/database/pg_wal", free=0, size=2**30, full=True)
    monkeypatch.setattr("machinami.local.database.shortages", {tmp_path: [full]}.__getitem__)
    with EmbeddedDatabase(tmp_path):
        pass
    (tmp_path / "database/global/pg_control").write_bytes(b"")  # no server starts without
    with pytest.raises(SetupError, match=r"pg_wal is full: 0 of 1,024 MiB free\. Free 256 MiB there"):
        EmbeddedDatabase(tmp_path).start()
