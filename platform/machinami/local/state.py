"""What runs, as its supervisor tells others: ``<data-dir>/state.json``."""

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import psutil

from machinami.errors import Unavailable
from machinami.local.disks import Shortage, shortages
from machinami.local.process import lock_folder

_FILE = "state.json"
_TARGETS_FILE = "metrics-targets.json"
_CLOCK_TICK = 1.0  # seconds by which two readings of a process's start may differ


class State(StrEnum):
    """How a role is."""

    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"  # died; starts again after its backoff
    EXTERNAL = "external"  # not ours to start or stop
    DEAD = "dead"  # its process is gone and its supervisor too


class RoleStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One role.

    Attributes:
        pid: None while it has no process.
        address: URL or file where it is reached; empty when nobody connects to it.
        started: seconds since the epoch, by which a pid that was given anew is told.
        restarts: how often it died since the city started.
        metrics: URL of its numbers for Prometheus; empty when it serves none.
        trouble: why it waits, in words; empty while it does not.
    """

    role: str
    pid: int | None
    state: State
    address: str = ""
    started: float | None = None
    restarts: int = 0
    metrics: str = ""
    trouble: str = ""


class CityStatus(msgspec.Struct, frozen=True, kw_only=True):
    """All roles and the counters, see `machinami.local.counters`.

    Attributes:
        disks: those that lack room at the moment of reading.
    """

    roles: list[RoleStatus]
    counters: dict[str, int | float]
    disks: list[Shortage] = []


def write_state(data_dir: Path, status: CityStatus) -> None:
    """Tell how the city is. Written whole or not at all."""
    part = data_dir / f"{_FILE}.part"
    part.write_bytes(msgspec.json.encode(status))
    part.replace(data_dir / _FILE)
    _write_targets(data_dir, status.roles)


def _write_targets(data_dir: Path, roles: Sequence[RoleStatus]) -> None:
    """Say where Prometheus finds numbers, in the format of its file_sd_configs, when that has changed."""
    targets = [
        {"targets": [urlsplit(role.metrics).netloc], "labels": {"role": role.role}}
        for role in roles
        if role.metrics
    ]
    content, target = msgspec.json.encode(targets), data_dir / _TARGETS_FILE
    if not target.exists() or target.read_bytes() != content:
        part = target.with_suffix(".part")
        part.write_bytes(content)
        part.replace(target)


def remove_state(data_dir: Path) -> None:
    """Nothing runs any more."""
    for name in (_FILE, _TARGETS_FILE):
        (data_dir / name).unlink(missing_ok=True)


def read_state(data_dir: Path) -> CityStatus:
    """How the city on this data folder is now.

    Raises:
        Unavailable: none runs there.
    """
    if not (data_dir / _FILE).exists() or not is_running(data_dir):
        raise Unavailable(
            f"no city runs on {data_dir}",
            field="--data-dir",
            value=str(data_dir),
            cure="Start one: machinami up",
        )
    status = msgspec.json.decode((data_dir / _FILE).read_bytes(), type=CityStatus)
    roles = [_verified(role) for role in status.roles]
    return msgspec.structs.replace(status, roles=roles, disks=shortages(data_dir))


def is_running(data_dir: Path) -> bool:
    """Whether a supervisor holds this data folder."""
    descriptor = lock_folder(data_dir, wait=0.0)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def orphans(data_dir: Path) -> list[psutil.Process]:
    """Processes that a killed supervisor left behind and that have not ended yet."""
    try:
        status = msgspec.json.decode((data_dir / _FILE).read_bytes(), type=CityStatus)
    except (FileNotFoundError, msgspec.DecodeError):
        return []
    return [process for role in status.roles if (process := process_of(role))]


def process_of(role: RoleStatus) -> psutil.Process | None:
    """The role's process if it still is the same one."""
    if role.pid is None or role.started is None:
        return None
    try:
        process = psutil.Process(role.pid)
        same = abs(process.create_time() - role.started) <= _CLOCK_TICK
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def _verified(role: RoleStatus) -> RoleStatus:
    if role.pid is None or process_of(role):
        return role
    return msgspec.structs.replace(role, state=State.DEAD)
