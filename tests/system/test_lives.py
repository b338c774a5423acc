"""A city over several lives: stopped politely, killed, started again, by root and by others."""

import os
import pwd
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from system.conftest import PATIENCE, RunningCity, running_city, wait_for

pytestmark = pytest.mark.system

STOP_SECONDS = 5.0
GATE = {
    "id": "urn:ngsi-ld:SluiceGate:1",
    "type": "SluiceGate",
    "gateOpening": {"type": "Property", "value": 3},
}


def gate(city: RunningCity) -> object:
    return city.ask(f"/ngsi-ld/v1/entities/{GATE['id']}?options=keyValues")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_polite_signal_stops_all_in_time_and_leaves_nothing(tmp_path: Path, number: int):
    with running_city(tmp_path / "city") as city:
        family = psutil.Process(city.process.pid).children(recursive=True)
        sockets = (city.data_dir / "socket").readlink()
        began = time.monotonic()
        assert city.stop(number) == 0
        assert time.monotonic() - began <= STOP_SECONDS
    assert not any(process.is_running() for process in family)
    assert not sockets.exists()
    assert {path.name for path in city.data_dir.iterdir()}.isdisjoint({"city.json", "state.json", "socket"})
    assert city.said().endswith("stopping\nstopped\n")


def test_a_kill_of_the_supervisor_leaves_no_orphan_and_the_next_start_goes_on(tmp_path: Path):
    with running_city(tmp_path / "city") as city:
        assert city.ask("/ngsi-ld/v1/entities", GATE)
        family = psutil.Process(city.process.pid).children(recursive=True)
        city.stop(signal.SIGKILL)
    with running_city(tmp_path / "city") as city:
        assert wait_for("the entity of the first life", lambda: gate(city))
        assert not any(process.is_running() for process in family)


def test_a_second_start_goes_on_with_the_same_data(tmp_path: Path):
    for life in range(2):
        with running_city(tmp_path / "city") as city:
            if life == 0:
                assert city.ask("/ngsi-ld/v1/entities", GATE)
            assert wait_for("the entity of the first life", lambda city=city: gate(city))


def test_a_role_that_does_not_end_when_asked_does_not_hold_up_the_others(tmp_path: Path):
    with running_city(tmp_path / "city") as city:
        psutil.Process(city.roles()["api"]["pid"]).suspend()
        began = time.monotonic()
        assert city.stop() == 0
        assert time.monotonic() - began <= STOP_SECONDS


@pytest.fixture
def folder_of_nobody() -> Iterator[Path]:
    """A folder that belongs to nobody; pytest's own are closed to all but their maker."""
    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory(prefix="machinami-test-") as name:
        os.chown(name, nobody.pw_uid, nobody.pw_gid)
        yield Path(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_city_runs_for_a_user_without_home_and_shell(folder_of_nobody: Path):
    nobody = pwd.getpwnam("nobody")
    become = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": [], "cwd": "/"}
    environment = {"PATH": "/usr/bin:/bin", "HOME": nobody.pw_dir, "LANG": "C.UTF-8"}
    command = [sys.executable, "-m", "machinami", "doctor", "--api-port", "0", "--mqtt-port", "0"]
    try:
        subprocess.run(
            [*command, "--data-dir", str(folder_of_nobody)],
            check=True,
            env=environment,
            timeout=PATIENCE,
            **become,
        )
    except (PermissionError, subprocess.CalledProcessError) as error:
        pytest.skip(f"nobody may not run this Python, {sys.executable}: {error}")
    with running_city(folder_of_nobody / "city", start={"env": environment, **become}) as city:
        assert city.ask("/ngsi-ld/v1/entities", GATE)
        pids = [role["pid"] for role in city.roles().values()]
        assert {psutil.Process(pid).username() for pid in pids} == {"nobody"}
