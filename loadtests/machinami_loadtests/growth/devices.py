"""What many devices cost a worker: its memory, and how long it takes to start where all are known already."""

import time
from pathlib import Path

import msgspec
import psutil

from machinami_loadtests.bench import CONNECTIONS, Say, measure_ingest, wait_for
from machinami_loadtests.meters import Plan
from machinami_loadtests.standin import BenchCity, bench_city
from machinami_loadtests.swarm import swarm

_ROUNDS = 3
_MIB = 2**20


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the bench found.

    Attributes:
        first_per_second: messages/s while each device, its entity and its four series are new.
        known_per_second: messages/s of the same devices afterwards.
        memory_mib, peak_mib: resident memory of the worker that has seen all devices: then, and at most.
        start_seconds: from starting another worker to its first commit, a message of every device waiting.
        caught_up_seconds: until it has committed all of them.
        cpu_microseconds: a message of a known device, by role.
    """

    devices: int
    first_per_second: float
    known_per_second: float
    memory_mib: float
    peak_mib: float
    start_seconds: float
    caught_up_seconds: float
    cpu_microseconds: dict[str, float]


def bench_devices(folder: Path, devices: int, database_url: str | None, say: Say) -> Report:
    """Measure with so many devices, in an empty folder."""
    plan = Plan.ending_now("many", devices * _ROUNDS, devices)
    with bench_city(folder, database_url) as city:
        with city.ingest(1):
            say(f"{devices:,} devices report for the first time")
            first = measure_ingest(city, _round(plan, 0))
            say("they report again")
            known = measure_ingest(city, _round(plan, 1))
            worker = city.roles["worker"]
            memory, peak = worker.memory_info().rss, _peak(worker)
        say("another worker starts while a message of each waits")
        started, caught_up = _start(city, _round(plan, 2))
    return Report(
        devices=devices,
        first_per_second=first.per_second,
        known_per_second=known.per_second,
        memory_mib=memory / _MIB,
        peak_mib=peak / _MIB,
        start_seconds=started,
        caught_up_seconds=caught_up,
        cpu_microseconds=known.cpu,
    )


def _round(plan: Plan, number: int) -> Plan:
    """One message of each device."""
    start = plan.moment(number * plan.devices)
    return msgspec.structs.replace(plan, messages=plan.devices, start=start)


def _start(city: BenchCity, plan: Plan) -> tuple[float, float]:
    before = city.stream().last
    swarm(city.mqtt, plan.batches(CONNECTIONS))
    began = time.time()
    with city.ingest(1):
        first = wait_for(city, before + 1) - began
        return first, wait_for(city, before + plan.messages) - began


def _peak(process: psutil.Process) -> int:
    """Most resident memory so far, bytes."""
    lines = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
