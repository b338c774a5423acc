"""Whose the data folder is while a city starts, and what follows a full disk of it."""

import errno
import io
import os
import threading
from pathlib import Path

import pytest
from machinami.errors import Unavailable
from machinami.local.city import Plan, _Run, _whole_folder
from machinami.local.disks import Shortage
from machinami.local.process import lock_folder
from machinami.local.screen import Screen
from machinami.local.supervisor import Supervisor


def test_a_look_at_the_folder_does_not_keep_a_city_from_starting(tmp_path: Path):
    look = lock_folder(tmp_path, wait=0.0)
    assert look is not None
    threading.Timer(0.1, os.close, [look]).start()
    with _whole_folder(tmp_path):
        assert lock_folder(tmp_path, wait=0.0) is None


def test_a_second_city_does_not_start_beside_the_first(tmp_path: Path):
    with _whole_folder(tmp_path), pytest.raises(Unavailable, match="runs on"), _whole_folder(tmp_path):
        pass


class Asked(Supervisor):
    """Notes which roles it was asked to start anew."""

    def __init__(self, out: io.StringIO) -> None:
        super().__init__(Screen(out))
        self.anew: list[str] = []

    def restart(self, name: str, why: str) -> None:
        super().restart(name, why)
        self.anew.append(name)


@pytest.mark.parametrize(("full", "anew"), [(True, ["broker"]), (False, [])])
def test_the_broker_starts_anew_when_its_full_disk_has_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: bool, anew: list[str]
):
    (tmp_path / "stream").mkdir()
    short = Shortage(folder=str(tmp_path), free=0, size=1, full=full)
    seen = iter([[short], []])
    monkeypatch.setattr("machinami.local.city.shortages", lambda _folder: next(seen))
    supervisor = Asked(out := io.StringIO())
    run = _Run(Plan(data_dir=tmp_path, api_port=0, mqtt_port=0), supervisor)
    run._look_at_disks()
    assert supervisor.anew == []
    run._look_at_disks()
    assert supervisor.anew == anew
    assert out.getvalue() == f"disk       {short}\ndisk       the disk of {tmp_path} has room again\n"


def test_a_state_that_a_full_disk_does_not_take_stops_no_city(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("machinami.local.city.write_state", refuse)
    _Run(Plan(data_dir=tmp_path, api_port=0, mqtt_port=0), Supervisor(Screen(io.StringIO())))._write_state()
