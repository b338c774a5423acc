"""What a supervisor tells about its roles is checked against what is alive."""

import os
from pathlib import Path

import psutil
import pytest
from machinami.errors import Unavailable
from machinami.local.disks import Shortage
from machinami.local.process import lock_folder
from machinami.local.state import (
    CityStatus,
    RoleStatus,
    State,
    orphans,
    read_state,
    remove_state,
    write_state,
)


def me(**changes: object) -> RoleStatus:
    mine = {"pid": os.getpid(), "started": psutil.Process().create_time(), "state": State.RUNNING}
    return RoleStatus(role="ingest", **{**mine, **changes})


@pytest.fixture
def held(tmp_path: Path):
    descriptor = lock_folder(tmp_path, wait=0)
    assert descriptor is not None
    yield tmp_path
    os.close(descriptor)


def test_a_living_role_is_as_its_supervisor_says(held: Path):
    write_state(held, CityStatus(roles=[me()], counters={"in": 3}))
    told = read_state(held)
    assert (told.roles, told.counters) == ([me()], {"in": 3})


def test_disks_without_room_are_those_of_the_moment(held: Path, monkeypatch: pytest.MonkeyPatch):
    full = Shortage(folder=str(held), free=0, size=1, full=True)
    monkeypatch.setattr("machinami.local.state.shortages", {held: [full]}.__getitem__)
    write_state(held, CityStatus(roles=[], counters={}))
    assert read_state(held).disks == [full]


def test_a_pid_given_to_somebody_else_is_not_the_role(held: Path):
    write_state(held, CityStatus(roles=[me(started=1.0)], counters={}))
    assert read_state(held).roles[0].state is State.DEAD


def test_an_external_role_needs_no_process(held: Path):
    external = RoleStatus(role="database", pid=None, state=State.EXTERNAL)
    write_state(held, CityStatus(roles=[external], counters={}))
    assert read_state(held).roles == [external]


def test_without_a_supervisor_no_city_runs(tmp_path: Path):
    write_state(tmp_path, CityStatus(roles=[me()], counters={}))
    with pytest.raises(Unavailable, match=f"no city runs on {tmp_path}"):
        read_state(tmp_path)


def test_a_folder_that_is_not_there_has_no_city(tmp_path: Path):
    with pytest.raises(Unavailable):
        read_state(tmp_path / "none")


def test_orphans_are_the_living_of_a_dead_supervisor(tmp_path: Path):
    write_state(tmp_path, CityStatus(roles=[me(), me(started=1.0), me(pid=None)], counters={}))
    assert [process.pid for process in orphans(tmp_path)] == [os.getpid()]


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"roles": 3}'])
def test_an_unreadable_state_has_no_orphans(tmp_path: Path, content: bytes | None):
    if content is not None:
        (tmp_path / "state.json").write_bytes(content)
    assert orphans(tmp_path) == []
    remove_state(tmp_path)
    remove_state(tmp_path)
