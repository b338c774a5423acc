"""Runs one load test: swarm, observer and sampler together, then the look for every message."""

import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import chain, islice
from math import ceil
from typing import Protocol

import msgspec
from machinami.errors import InvalidRequest, MachinamiError, Unavailable
from machinami.store.engine import open_engine
from machinami.store.queries_ledger import HistoryKey, count_observations
from sqlalchemy import Engine

from machinami_loadtests.load.observer import Observer
from machinami_loadtests.load.roles import Sampler
from machinami_loadtests.load.tally import Tally
from machinami_loadtests.load.target import Target
from machinami_loadtests.meters import Plan
from machinami_loadtests.swarm import Journal, SwarmError, swarm
from machinami_loadtests.verify import Verdict, history_keys, verify

CEILING = 100_000.0
"""Messages/s that no broker on one machine reaches; plans without a rate provide for it."""

_LONGEST_DAYS = 31.0
_GRACE = 0.5  # seconds after the duration in which the last messages may still leave
_PATIENCE = 30.0  # seconds without progress after which nothing more is expected to be committed
_LOOK_EVERY = 0.02
_COUNTERS_FOLLOW = 1.2  # seconds after which the city's counters show what has been committed
_SWITCH = 0.0005  # seconds the swarm waits at most for a thread that looks on


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What to send: rate in messages/s (None: as fast as acknowledged), duration in seconds."""

    devices: int
    rate: float | None
    duration: float
    qos: int
    connections: int


class Screen(Protocol):
    """Where a person sees how it goes."""

    def sending(self, tally: Tally) -> None:
        """So far; called many times a second, from another thread."""
        ...

    def say(self, text: str) -> None:
        """What happens now."""
        ...

    def looking(self, messages: int) -> AbstractContextManager[Callable[[int], None]]:
        """The look for so many messages; is told of each portion."""
        ...


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """What has been seen of a run, raw.

    Attributes:
        committed_at: epoch seconds when the last message was found; None: not everything was, or no city.
        verdicts: of acknowledged and of other messages; None without a city.
    """

    started: datetime
    ended: str
    tally: Tally
    sampler: Sampler
    committed_at: float | None
    verdicts: tuple[Verdict, Verdict] | None


def make_plan(load: Load, name: str) -> Plan:
    """All messages of a run. Each device's observations are a second apart, the last is not in the future.

    Raises:
        InvalidRequest: so few devices would need observation times of more than a month ago.
    """
    messages = ceil((load.rate or CEILING) * load.duration)
    days = messages / load.devices / 86_400
    if days > _LONGEST_DAYS:
        raise InvalidRequest(
            f"{load.devices} devices would send {messages:,} observations a second apart: {days:,.0f} days",
            field="--devices",
            value=load.devices,
            cure=f"Take at least {ceil(messages / _LONGEST_DAYS / 86_400):,} devices, or a lower rate",
        )
    return Plan.ending_now(name, messages, load.devices)


def greet(target: Target) -> None:
    """Connect once and leave, before anything else is begun.

    Raises:
        Unavailable: nobody answers there, or it refuses us.
    """
    try:
        swarm(
            (target.host, target.port), [()], name="load-greeting", user=target.user, password=target.password
        )
    except (OSError, SwarmError) as error:
        raise Unavailable(
            f"{target.address} takes no MQTT connection: {error}",
            field="--broker",
            value=target.address,
            cure="Check address, user and password; it must speak MQTT 3.1.1",
        ) from error


def run_load(target: Target, load: Load, screen: Screen) -> Course:
    """Send, look on, and look for every message.

    Raises:
        Unavailable: nothing could be sent.
        InvalidRequest: see `make_plan`.
    """
    started = datetime.now(UTC)
    plan = make_plan(load, f"load-{started:%Y%m%d-%H%M%S}")
    with ExitStack() as stack:
        stack.enter_context(_quick_threads())
        engine = stack.enter_context(_database(target))
        sampler = Sampler(target.data_dir)
        journals = [Journal() for _ in range(load.connections)]
        observer = Observer(plan, journals, engine, load.rate or CEILING / 5, screen.sending)
        sampler.start()
        observer.start()
        try:
            ended = _send(target, load, plan, journals)
            if engine:
                screen.say("waiting for the last row")
            committed_at = _settle(engine, plan, observer, sampler) if engine else None
        finally:
            observer.stop()
            sampler.stop()
        if observer.tally.sent == 0:
            raise Unavailable(f"nothing was sent to {target.address}: {ended}", field="--broker")
        verdicts = None
        try:
            verdicts = _look_for(engine, plan, observer.tally, screen) if engine else None
        except (MachinamiError, KeyboardInterrupt) as error:  # what was measured until now is still a report
            ended = ended or f"the look for every message was broken off: {error or 'Ctrl-C'}"
    return Course(
        started=started,
        ended=ended,
        tally=observer.tally,
        sampler=sampler,
        committed_at=committed_at,
        verdicts=verdicts,
    )


@contextmanager
def _quick_threads() -> Generator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def _database(target: Target) -> Generator[Engine | None]:
    if not target.database:
        yield None
        return
    engine = open_engine(target.database, pool_size=2)
    try:
        yield engine
    finally:
        engine.dispose()


def _send(target: Target, load: Load, plan: Plan, journals: list[Journal]) -> str:
    """Why it ended before its time; empty when it did not."""
    sources = [plan.packets(line, load.connections, load.qos) for line in range(load.connections)]
    try:
        swarm(
            (target.host, target.port),
            sources,
            name=plan.name,
            qos=load.qos,
            rate=load.rate,
            shares=plan.shares(load.connections),
            seconds=load.duration + (_GRACE if load.rate else 0.0),
            user=target.user,
            password=target.password,
            journals=journals,
        )
    except (OSError, SwarmError) as error:
        return str(error)
    except KeyboardInterrupt:
        return "stopped by Ctrl-C"
    return ""


def _settle(engine: Engine, plan: Plan, observer: Observer, sampler: Sampler) -> float | None:
    """Wait until the last message of each connection is there; when it was, in epoch seconds."""
    while not observer.tally.caught_up:
        time.sleep(_LOOK_EVERY)
    keys = [history_keys(plan, number)[-1] for number in _last_numbers(plan, observer.tally)]
    committed, moved_at = sampler.samples[-1].committed, time.monotonic()
    while time.monotonic() - moved_at < _PATIENCE:
        if _all_there(engine, keys):
            found_at = time.time()
            time.sleep(_COUNTERS_FOLLOW)
            return found_at
        time.sleep(_LOOK_EVERY)
        if sampler.samples[-1].committed != committed:
            committed, moved_at = sampler.samples[-1].committed, time.monotonic()
    return None


def _last_numbers(plan: Plan, tally: Tally) -> Iterator[int]:
    counts = tally.promised_by_line
    for line, count in enumerate(counts):
        yield from islice(plan.numbers(line, len(counts)), max(0, count - 1), count)


def _all_there(engine: Engine, keys: Sequence[HistoryKey]) -> bool:
    try:
        return all(count_observations(engine, keys))
    except Unavailable:  # the database is away; the patience above bounds the wait
        return False


def _look_for(engine: Engine, plan: Plan, tally: Tally, screen: Screen) -> tuple[Verdict, Verdict]:
    with screen.looking(tally.sent) as looked:
        acknowledged = verify(engine, plan, _numbers(plan, tally, acknowledged=True), looked)
        return acknowledged, verify(engine, plan, _numbers(plan, tally, acknowledged=False), looked)


def _numbers(plan: Plan, tally: Tally, *, acknowledged: bool) -> Iterable[int]:
    bounds = list(zip(tally.acknowledged_by_line, tally.sent_by_line, strict=True))
    return chain.from_iterable(
        islice(plan.numbers(line, len(bounds)), *((0, first) if acknowledged else (first, last)))
        for line, (first, last) in enumerate(bounds)
    )
