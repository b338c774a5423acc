"""Whether the city's disks have room: said before a server dies of it, and as long as there is none."""

import errno
import shutil
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

_FULL = 32 * 2**20
"""Bytes; two segments of PostgreSQL's write-ahead log. It stops when it cannot make the next one."""

_LOW = 256 * 2**20
_FOLDERS = (".", "stream", "database", "database/pg_wal")
"""Below the data folder: each may be a disk of its own."""


class Shortage(msgspec.Struct, frozen=True, kw_only=True):
    """A file system that lacks room.

    Attributes:
        folder: of the city's; the outermost one on it.
        free: bytes that the city may still take.
        size: bytes of all of it.
        full: servers stop, or have stopped; else they soon will.
    """

    folder: str
    free: int
    size: int
    full: bool

    @property
    def trouble(self) -> str:
        """What is the matter."""
        room = f"{self.free / 2**20:,.0f} of {self.size / 2**20:,.0f} MiB free"
        return f"the disk of {self.folder} is {'full' if self.full else 'nearly full'}: {room}"

    @property
    def cure(self) -> str:
        """What helps."""
        if self.full:
            return (
                f"Free {_LOW >> 20} MiB there: what stopped for it goes on by itself in half a minute, and "
                "nothing acknowledged is lost"
            )
        return "Free space there before database and broker stop"

    def __str__(self) -> str:
        """Both."""
        return f"{self.trouble}. {self.cure}"


def shortages(data_dir: Path) -> list[Shortage]:
    """The city's file systems that lack room, each once."""
    folders: dict[int, Path] = {}
    for folder in filter(Path.is_dir, (data_dir / name for name in _FOLDERS)):
        folders.setdefault(folder.stat().st_dev, folder)
    return [found for folder in folders.values() if (found := _shortage(folder))]


def _shortage(folder: Path) -> Shortage | None:
    usage = shutil.disk_usage(folder)
    if usage.free >= _LOW:
        return None
    return Shortage(folder=str(folder), free=usage.free, size=usage.total, full=usage.free < _FULL)


class DiskWatch:
    """Says which disks lack room: when they begin to, when they are full, and when there is room again.

    Attributes:
        relieved: folders whose disk was full, and has had room since the last news.
    """

    def __init__(self, look: Callable[[], Sequence[Shortage]]) -> None:
        self._look = look
        self._full: dict[str, bool] = {}
        self.relieved: Sequence[str] = ()

    def news(self) -> list[str]:
        """What is to be said now; empty where that was said before."""
        before, found = self._full, self._look()
        self._full = {each.folder: each.full or before.get(each.folder, False) for each in found}
        worse = [str(each) for each in found if each.full > before.get(each.folder, -1)]
        better = [folder for folder in before if folder not in self._full]
        self.relieved = [folder for folder in better if before[folder]]
        return [*worse, *(f"the disk of {folder} has room again" for folder in better)]


def same_disk(one: Path, other: Path) -> bool:
    """Whether two folders are on one file system."""
    return one.stat().st_dev == other.stat().st_dev


@contextmanager
def left_for_later() -> Generator[None]:
    """What a full disk does not take is left undone; `DiskWatch` says why, and it is done again soon."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise


def write_if_changed(file: Path, content: str) -> None:
    """Write a small file, but leave one that is right as it is: on a full disk it could only be emptied."""
    if not file.exists() or file.read_text(encoding="utf-8") != content:
        file.write_text(content, encoding="utf-8")
