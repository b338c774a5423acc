"""A disk without room is said, once, with the cure; what it refuses is done later."""

import errno
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from machinami.local.disks import DiskWatch, Shortage, left_for_later, shortages, write_if_changed

MIB = 2**20
Usage = namedtuple("Usage", "total used free")


def shortage(*, full: bool, folder: str = "/city") -> Shortage:
    return Shortage(folder=folder, free=MIB if full else 200 * MIB, size=4096 * MIB, full=full)


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A city whose write-ahead log has the free bytes that its file `free` says."""
    (tmp_path / "database/pg_wal").mkdir(parents=True)

    def usage(folder: Path) -> Usage:
        return Usage(total=4096 * MIB, used=0, free=int((tmp_path / "free").read_text()))

    monkeypatch.setattr(shutil, "disk_usage", usage)
    return tmp_path


@pytest.mark.parametrize(
    ("free", "full"), [(0, True), (31 * MIB, True), (33 * MIB, False), (255 * MIB, False)]
)
def test_a_disk_without_room_is_told_once_for_all_folders_on_it(data_dir: Path, free: int, full: bool):
    (data_dir / "free").write_text(str(free))
    expected = Shortage(folder=str(data_dir), free=free, size=4096 * MIB, full=full)
    assert shortages(data_dir) == [expected]


def test_a_disk_with_room_is_not_told(data_dir: Path):
    (data_dir / "free").write_text(str(256 * MIB))
    assert shortages(data_dir) == []


def test_a_folder_that_is_not_there_is_not_asked(tmp_path: Path):
    assert shortages(tmp_path / "none") == []


def test_the_line_names_folder_value_and_cure():
    assert str(shortage(full=True)).startswith(
        "the disk of /city is full: 1 of 4,096 MiB free. Free 256 MiB there: what stopped"
    )
    assert str(shortage(full=False)) == (
        "the disk of /city is nearly full: 200 of 4,096 MiB free. "
        "Free space there before database and broker stop"
    )


def test_each_turn_is_said_once():
    low, full = shortage(full=False), shortage(full=True)
    seen = iter([[], [low], [low], [full], [full], [low], [full], [], []])
    watch = DiskWatch(lambda: next(seen))
    said = [watch.news() for _ in range(9)]
    room = ["the disk of /city has room again"]
    assert said == [[], [str(low)], [], [str(full)], [], [], [], room, []]


def test_of_two_disks_each_has_its_own_turn():
    one, two = shortage(full=True), shortage(full=True, folder="/wal")
    seen = iter([[one], [one, two], [two]])
    watch = DiskWatch(lambda: next(seen))
    assert [watch.news() for _ in range(3)] == [[str(one)], [str(two)], ["the disk of /city has room again"]]


@pytest.mark.parametrize("full", [True, False])
def test_only_a_disk_that_was_full_is_relieved(full: bool):
    seen = iter([[shortage(full=full)], []])
    watch = DiskWatch(lambda: next(seen))
    watch.news()
    watch.news()
    assert watch.relieved == (["/city"] if full else [])


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_what_a_full_disk_refuses_is_left_for_later(number: int):
    with left_for_later():
        raise OSError(number, os.strerror(number))


def test_another_failure_is_not_left_for_later():
    with pytest.raises(PermissionError), left_for_later():
        raise PermissionError(errno.EACCES, "no")


def test_a_file_that_is_right_is_not_written_again(tmp_path: Path):
    file = tmp_path / "pg_hba.conf"
    write_if_changed(file, "a\n")
    os.utime(file, (1, 1))
    write_if_changed(file, "a\n")
    assert file.stat().st_mtime == 1
    write_if_changed(file, "b\n")
    assert file.read_text() == "b\n"
