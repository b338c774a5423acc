"""What is done to the city, as a table."""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import msgspec
import psutil
from machinami.errors import InvalidRequest

from machinami_loadtests.soak.town import PATIENCE, Town

Act = Callable[[Town, float], None]
"""Does it to a city; for so many seconds, where it takes time."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of fault.

    Attributes:
        weight: how often it comes among forty.
        needs_quota: it fills a disk of the database, which must then be one of its own.
    """

    name: str
    what: str
    act: Act
    weight: int
    needs_quota: bool = False


def _kill(*roles: str) -> Act:
    def act(town: Town, _seconds: float) -> None:
        processes = [_one(town, name) for name in roles]
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, timeout=PATIENCE)

    return act


def _one(town: Town, name: str) -> psutil.Process:
    """The role's process; of several workers any one."""
    return town.role(random.choice(town.ingest_roles()) if name == "ingest" else name)  # noqa: S311 - no secret


def _freeze_worker(town: Town, seconds: float) -> None:
    process = _one(town, "ingest")
    process.suspend()
    try:
        time.sleep(seconds)
    finally:
        process.resume()


def _restart_broker(town: Town, _seconds: float) -> None:
    broker = town.role("broker")
    broker.terminate()
    broker.wait(PATIENCE)


def _restart_supervisor(town: Town, _seconds: float) -> None:
    town.kill_supervisor()
    town.start()


def _kill_backend(town: Town, _seconds: float) -> None:
    random.choice(town.backends()).kill()  # noqa: S311 - any of them will do, nothing is secret


def _cut(town: Town, _seconds: float) -> None:
    town.cut_connections()


def _freeze_database(town: Town, seconds: float) -> None:
    postmaster = town.role("database")
    with ExitStack() as stack:
        for process in [postmaster, *postmaster.children(recursive=True)]:
            try:
                process.suspend()
            except psutil.NoSuchProcess:  # a backend that has just ended
                continue
            stack.callback(process.resume)
        time.sleep(seconds)


def _fill_disk(town: Town, seconds: float) -> None:
    if town.quota is None:
        raise RuntimeError("the database has no disk of its own")
    try:
        town.quota.fill()
        time.sleep(seconds)
    finally:
        town.quota.free()


def _fill_log(town: Town, seconds: float) -> None:
    if town.wal_quota is None:
        raise RuntimeError("the database's log has no disk of its own")
    try:
        town.fill_log_disk()
        town.wait_until_said_full()
        time.sleep(seconds)
    finally:
        town.wal_quota.free()


FAULTS = (
    Fault(name="broker killed", what="kill -9", act=_kill("broker"), weight=5),
    Fault(name="ingest killed", what="kill -9", act=_kill("ingest"), weight=4),
    Fault(name="database killed", what="kill -9 of the postmaster", act=_kill("database"), weight=4),
    Fault(name="supervisor killed", what="kill -9, then machinami up", act=_restart_supervisor, weight=4),
    Fault(name="connections cut", what="pg_terminate_backend of all", act=_cut, weight=3),
    Fault(
        name="database frozen",
        what="SIGSTOP to all its processes, then SIGCONT",
        act=_freeze_database,
        weight=2,
    ),
    Fault(name="backend killed", what="kill -9 of one postgres backend", act=_kill_backend, weight=3),
    Fault(name="broker restarted", what="SIGTERM", act=_restart_broker, weight=3),
    Fault(
        name="broker and database killed", what="kill -9 at once", act=_kill("broker", "database"), weight=2
    ),
    Fault(
        name="ingest and database killed", what="kill -9 at once", act=_kill("ingest", "database"), weight=2
    ),
    Fault(name="disk full", what="no byte left for the database", act=_fill_disk, weight=2, needs_quota=True),
    Fault(
        name="WAL full",
        what="no byte left for the write-ahead log: the database panics, and cannot recover",
        act=_fill_log,
        weight=2,
        needs_quota=True,
    ),
    Fault(name="ingest frozen", what="SIGSTOP to one worker, then SIGCONT", act=_freeze_worker, weight=2),
    Fault(name="api killed", what="kill -9", act=_kill("api"), weight=1),
    Fault(name="notify killed", what="kill -9", act=_kill("notify"), weight=1),
)
"""The first six make the short form."""


def named(names: Sequence[str]) -> Sequence[Fault]:
    """The faults of these names; all where none is given.

    Raises:
        InvalidRequest: there is none of such a name.
    """
    known = {fault.name: fault for fault in FAULTS}
    for name in names:
        if name not in known:
            raise InvalidRequest(
                f"there is no fault {name!r}",
                field="--fault",
                value=name,
                cure=f"Write one of: {', '.join(known)}",
            )
    return [known[name] for name in names] or FAULTS


def choose(faults: Sequence[Fault], count: int, chance: random.Random) -> list[Fault]:
    """So many of them in random order: each kind once, the first ones first, then by weight."""
    chosen = list(faults[:count])
    while len(chosen) < count:
        again = [fault for fault in faults for _ in range(fault.weight - 1)] or list(faults)
        chosen += chance.sample(again, min(count - len(chosen), len(again)))
    chance.shuffle(chosen)
    return chosen
