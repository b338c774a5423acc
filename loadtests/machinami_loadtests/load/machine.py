"""The fingerprint of a machine: what one must know to compare two reports."""

import importlib.metadata
import os
import platform
import re
import subprocess
import time
from pathlib import Path
from statistics import median

import msgspec
import psutil
from machinami.errors import SetupError
from machinami.local.broker import find_nats_server
from machinami.store.engine import open_engine
from sqlalchemy import text

_FSYNC_SECONDS = 1.0
_PAGE = bytes(8192)  # what PostgreSQL writes at least
_NOTHING = "–"


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """A machine and the versions that ran on it.

    Attributes:
        cores: that this process may use, not those that are there.
        load_before: processes that wanted a core in the minute before (load average).
        fsync_per_second: pages of 8 KiB written and synced one after the other; the disk's part in latency.
        postgres, timescaledb: versions of the city's database; ``–`` when only a broker was tested.
    """

    processor: str
    cores: int
    memory_gib: float
    kernel: str
    system: str
    load_before: float
    fsync_per_second: float
    fsync_p50_ms: float
    python: str
    machinami: str
    nats_server: str
    postgres: str
    timescaledb: str


def fingerprint(folder: Path, database: str = "") -> Machine:
    """Look at this machine; takes a second.

    Args:
        folder: on the disk whose speed matters.
        database: libpq URL of the city.
    """
    postgres, timescaledb = _database(database) if database else (_NOTHING, _NOTHING)
    times = fsync_times(folder)
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        kernel=platform.release(),
        system=_system(),
        load_before=round(os.getloadavg()[0], 2),
        fsync_per_second=round(len(times) / sum(times), 1),
        fsync_p50_ms=round(median(times) * 1e3, 3),
        python=platform.python_version(),
        machinami=importlib.metadata.version("machinami"),
        nats_server=_nats_server() if database else _NOTHING,
        postgres=postgres,
        timescaledb=timescaledb,
    )


def fsync_times(folder: Path, seconds: float = _FSYNC_SECONDS) -> list[float]:
    """Seconds of each write and fsync of a page, one after the other, for so long; at least one."""
    path = folder / f".fsync-{os.getpid()}"
    times: list[float] = []
    try:
        with path.open("wb", buffering=0) as file:
            end = time.perf_counter() + seconds
            while not times or time.perf_counter() < end:
                begun = time.perf_counter()
                file.write(_PAGE)
                os.fsync(file.fileno())
                times.append(time.perf_counter() - begun)
    finally:
        path.unlink(missing_ok=True)
    return times


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _nats_server() -> str:
    try:
        answer = subprocess.run([find_nats_server(), "-v"], capture_output=True, text=True, check=False)
    except SetupError:  # the city's broker is another machine's
        return _NOTHING
    found = re.search(r"v?(\d[\w.+-]*)", answer.stdout.partition(":")[2])
    return found[1] if found else _NOTHING


def _database(url: str) -> tuple[str, str]:
    engine = open_engine(url, pool_size=1)
    extension = "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
    try:
        with engine.connect() as connection:
            version = str(connection.scalar(text("SHOW server_version"))).partition(" ")[0]
            return version, str(connection.scalar(text(extension)) or _NOTHING)
    finally:
        engine.dispose()
