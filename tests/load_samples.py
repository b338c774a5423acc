"""A load test's report without a load test."""

from typing import Any

import msgspec
from machinami_loadtests.load.machine import Machine
from machinami_loadtests.load.report import Ledger, Point, Report, Request, RoleUse, Summary
from machinami_loadtests.load.tally import Latency

MACHINE = Machine(
    processor="Abacus <9000>",
    cores=2,
    memory_gib=8.0,
    kernel="6.1",
    system="Debian GNU/Linux 12",
    load_before=0.1,
    fsync_per_second=1_000.0,
    fsync_p50_ms=1.0,
    python="3.11.2",
    machinami="0.1.0",
    nats_server="2.12.0",
    postgres="18.0",
    timescaledb="–",
)
REQUEST = Request(
    target="city", address="127.0.0.1:1883", devices=100, rate=1_000, duration=12, qos=1, connections=4
)
LEDGER = Ledger(
    sent=12_000, acknowledged=12_000, stored=12_000, quarantined=0, lost=0, not_arrived=0, doubled=0
)


def latency(p50_ms: float) -> Latency:
    return Latency(count=100, p50_ms=p50_ms, p90_ms=p50_ms * 2, p99_ms=p50_ms * 5, max_ms=p50_ms * 9)


def point(at: int) -> Point:
    quiet = at == 5  # nothing was measured in this step
    return Point(
        at=float(at),
        sent=1_000.0,
        acknowledged=1_000.0,
        committed=None if quiet else 990.0 + at,
        lag=None if quiet else 20.0,
        puback=None if quiet else latency(0.4),
        stored=None if quiet else latency(10 + at),
    )


def report(**changes: Any) -> Report:
    use = RoleUse(cpu=[0.5] * 12, memory=[80.0] * 12, mean_cpu=0.5, peak_memory=80.0, cpu_microseconds=500.0)
    whole = Report(
        started="2026-11-21T03:00:00Z",
        ended="",
        request=REQUEST,
        machine=MACHINE,
        summary=Summary(
            messages=12_000,
            sent=1_000.0,
            acknowledged=1_000.0,
            committed=995.0,
            puback=latency(0.4),
            stored=latency(12),
        ),
        ledger=LEDGER,
        step=1.0,
        points=[point(at) for at in range(12)],
        roles={"broker": use, "database": use, "load tester": use},
    )
    return msgspec.structs.replace(whole, **changes)
