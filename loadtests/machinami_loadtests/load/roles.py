"""What the city's roles use, and how far it has committed: every second, in long runs less often."""

import threading
import time
from pathlib import Path

import msgspec
import psutil
from machinami.errors import Unavailable
from machinami.local.state import CityStatus, process_of, read_state

TESTER = "load tester"
STATE_FILE = "state.json"
"""What `machinami.local.state` writes every second."""

_MOST_SAMPLES = 20_000  # then every other is forgotten, and looks are half as frequent
_MIB = 2**20


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What a role has used: seconds of CPU since it started, and MiB of memory now."""

    cpu: float
    memory: float


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One look.

    Attributes:
        at: epoch seconds.
        roles: by name; without those that have no process now.
        counted_at: when the city wrote its counters, epoch seconds.
        committed, lag: these counters, in messages; None without a city or an answer.
    """

    at: float
    roles: dict[str, Use]
    counted_at: float = 0.0
    committed: float | None = None
    lag: float | None = None


class Sampler(threading.Thread):
    """Looks every second until it is stopped. Starts with one look, so that differences have a beginning."""

    def __init__(self, data_dir: Path | None) -> None:
        super().__init__(name="load-sampler", daemon=True)
        self._data_dir = data_dir
        self._stopped = threading.Event()
        self._seconds = 1.0
        self.samples = [self._look()]

    def run(self) -> None:
        """Look until `stop`."""
        while not self._stopped.wait(self._seconds):
            self.samples.append(self._look())
            if len(self.samples) > _MOST_SAMPLES:
                del self.samples[1::2]
                self._seconds *= 2

    def stop(self) -> None:
        """Look a last time."""
        self._stopped.set()
        self.join()
        self.samples.append(self._look())

    def _look(self) -> Sample:
        counted_at, status = _counted_at(self._data_dir), _status(self._data_dir)
        processes = {role.role: process_of(role) for role in status.roles} if status else {}
        used = {name: use(process) for name, process in processes.items() if process}
        counters = status.counters if status else {}
        return Sample(
            at=time.time(),
            roles={**{name: found for name, found in used.items() if found}, TESTER: _own()},
            counted_at=counted_at,
            committed=counters.get("committed"),
            lag=counters.get("lag"),
        )


def use(process: psutil.Process) -> Use | None:
    """What a process and its children use; None when it has just ended."""
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return None
    used = [found for member in family if (found := _used(member))]
    return Use(cpu=sum(u.cpu for u in used), memory=sum(u.memory for u in used)) if used else None


def _own() -> Use:
    process = psutil.Process()
    times = process.cpu_times()
    return Use(cpu=times.user + times.system, memory=_memory(process))


def _used(process: psutil.Process) -> Use | None:
    try:
        times = process.cpu_times()
        reaped = times.children_user + times.children_system
        return Use(cpu=times.user + times.system + reaped, memory=_memory(process))
    except psutil.NoSuchProcess:  # it ended just now; its parent counts what it used
        return None


def _memory(process: psutil.Process) -> float:
    """MiB, a shared page shared out to all who have it: PostgreSQL's buffers would else count many times."""
    try:
        return process.memory_full_info().pss / _MIB
    except psutil.AccessDenied:
        return process.memory_info().rss / _MIB


def _counted_at(data_dir: Path | None) -> float:
    """By the file's own time, so that two looks between two writings do not give a rate of zero.

    Asked for before the file is read: an old count with a new time would be a dip, then a peak.
    """
    try:
        return (data_dir / STATE_FILE).stat().st_mtime if data_dir else 0.0
    except FileNotFoundError:  # stopped just now
        return 0.0


def _status(data_dir: Path | None) -> CityStatus | None:
    try:
        return read_state(data_dir) if data_dir else None
    except Unavailable:  # it is being restarted, or was stopped: the report shows the gap
        return None
