"""How many messages a second reach the committed row, beside the bare limit measured in the same run.

Real broker, real database, the real ingest role as a process. The swarm publishes at QoS 1 while the worker
reads; the clock runs from the first message sent to the last one committed.
"""

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import quantiles

import msgspec

from machinami_loadtests.meters import Plan
from machinami_loadtests.standin import BenchCity, bench_city
from machinami_loadtests.swarm import Published, swarm
from machinami_loadtests.verify import verify

CONNECTIONS = 4
_LOOK_EVERY = 0.002  # seconds; the finest difference that a latency can show
_LOOK_SELDOM = 0.05
_PATIENCE = 300.0

Say = Callable[[str], None]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the bench found.

    Attributes:
        messages_per_second: MQTT listener to committed row, the whole path.
        limit_messages_per_second: fetch, parse and binary COPY only, under the same load.
        p50_ms: publish to queryable, at `latency_rate` messages/s.
        cpu_microseconds: CPU for each message by role, whole path; limit_cpu_microseconds: of the bare one.
        lost: messages a value of which is not in the history. doubled: rows beyond one a value.
    """

    messages_per_second: float
    limit_messages_per_second: float
    ratio: float
    rows_per_second: float
    p50_ms: float
    p99_ms: float
    latency_rate: float
    cpu_microseconds: dict[str, float]
    limit_cpu_microseconds: dict[str, float]
    lost: int
    doubled: int
    messages: int
    devices: int
    workers: int


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How much to measure: messages for each of the two rates; rate (1/s) and seconds for the latency;
    ingest processes."""

    messages: int = 500_000
    devices: int = 1_000
    latency_rate: float = 1_000.0
    latency_seconds: float = 10.0
    workers: int = 1


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """Messages/s, and CPU microseconds for each of them by role."""

    per_second: float
    cpu: dict[str, float]


def bench_ingest(folder: Path, size: Size, database_url: str | None, say: Say) -> Report:
    """Measure on this machine, in an empty folder."""
    with bench_city(folder, database_url) as city:
        say("bare limit: fetch, parse, COPY")
        limit = _measure_limit(city, _plan("limit", size))
        say("whole path: decode, map, check, history, current state, position")
        plan = _plan("whole", size)
        slow = Plan.ending_now("slow", int(size.latency_rate * size.latency_seconds), size.devices)
        with city.ingest(size.workers):
            whole = measure_ingest(city, plan)
            say(f"latency at {size.latency_rate:,.0f} messages/s")
            latencies = _measure_latency(city, slow, size.latency_rate)
        say("looking for every message")
        verdicts = [verify(city.engine, sent) for sent in (plan, slow)]
    hundredths = quantiles(latencies, n=100)
    return Report(
        messages_per_second=whole.per_second,
        limit_messages_per_second=limit.per_second,
        ratio=whole.per_second / limit.per_second,
        rows_per_second=whole.per_second * 4,
        p50_ms=hundredths[49] * 1e3,
        p99_ms=hundredths[98] * 1e3,
        latency_rate=size.latency_rate,
        cpu_microseconds=whole.cpu,
        limit_cpu_microseconds=limit.cpu,
        lost=sum(verdict.lost + verdict.quarantined for verdict in verdicts),
        doubled=sum(verdict.doubled for verdict in verdicts),
        messages=size.messages,
        devices=size.devices,
        workers=size.workers,
    )


def _plan(name: str, size: Size) -> Plan:
    return Plan.ending_now(name, size.messages, size.devices)


def _measure_limit(city: BenchCity, plan: Plan) -> Rate:
    batches = plan.batches(CONNECTIONS)
    module = "machinami_loadtests.bare"
    with city.worker("-m", module, str(city.data_dir), str(plan.messages)) as worker:
        lines = worker.stdout
        if lines is None or lines.readline() != "ready\n":
            raise RuntimeError("the bare worker did not start")
        return _timed(city, batches, lambda: float(lines.readline()))


def measure_ingest(city: BenchCity, plan: Plan) -> Rate:
    """Send a plan's messages, as fast as they are acknowledged, until the last is committed."""
    batches = plan.batches(CONNECTIONS)
    wait_for(city, city.stream().last)
    last = city.stream().last + plan.messages
    return _timed(city, batches, lambda: wait_for(city, last))


def _timed(city: BenchCity, batches: Sequence[Sequence[bytes]], finished_at: Callable[[], float]) -> Rate:
    before = city.cpu()
    published = swarm(city.mqtt, batches)
    seconds = finished_at() - published.started_at
    after, count = city.cpu(), published.messages
    cpu = {name: (after[name] - before[name]) / count * 1e6 for name in after}
    return Rate(per_second=count / seconds, cpu=cpu)


def wait_for(city: BenchCity, sequence: int) -> float:
    """When the position passed this sequence, in epoch seconds."""
    name, deadline = city.stream().name, time.monotonic() + _PATIENCE
    while city.linkage.counters(name).sequence < sequence:
        if time.monotonic() > deadline:
            raise RuntimeError(f"ingest did not reach message {sequence} in {_PATIENCE:.0f} s")
        time.sleep(_LOOK_SELDOM)  # looking takes CPU that the bare limit's run does not lose
    return time.time()


def _measure_latency(city: BenchCity, plan: Plan, rate: float) -> list[float]:
    """Seconds from publish to queryable for each message; one connection, so that order tells sequence."""
    state = city.stream()
    seen: list[tuple[int, float]] = []
    watcher = threading.Thread(target=_watch, args=(city, state.name, state.last + plan.messages, seen))
    watcher.start()
    published = swarm(city.mqtt, plan.batches(1), rate=rate)
    watcher.join()
    return _latencies(published, state.last, seen)


def _watch(city: BenchCity, name: str, last: int, seen: list[tuple[int, float]]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while (not seen or seen[-1][0] < last) and time.monotonic() < deadline:
        sequence = city.linkage.counters(name).sequence
        if not seen or sequence > seen[-1][0]:
            seen.append((sequence, time.time()))
        time.sleep(_LOOK_EVERY)


def _latencies(published: Published, before: int, seen: Sequence[tuple[int, float]]) -> list[float]:
    positions = [sequence for sequence, _ in seen]
    arrivals = [seen[bisect_left(positions, before + 1 + n)][1] for n in range(published.messages)]
    return [arrival - sent for arrival, sent in zip(arrivals, published.sent_at[0], strict=True)]
