"""One soak: a city, a sender, faults at random moments, and in the end the ledger."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from machinami.errors import SetupError
from machinami.linkage.write import Linkage
from machinami.settings import read_city
from machinami.store.engine import transaction
from machinami.store.intake import Counters
from machinami.store.queries_ledger import count_observations
from machinami.stream.client import StreamState, open_stream
from sqlalchemy import text

from machinami_loadtests.load.machine import fingerprint
from machinami_loadtests.meters import Plan
from machinami_loadtests.soak.faults import Fault, choose, named
from machinami_loadtests.soak.report import Event, Report
from machinami_loadtests.soak.sender import Sender
from machinami_loadtests.soak.town import Town, wait_for
from machinami_loadtests.verify import history_keys, verify

_DISK = 6 * 2**30  # bytes of the database's own disk, where it has one
_LOG_DISK = 4 * 2**30  # of its write-ahead log, which takes up to twice max_wal_size under load
_SURGE = 0.5  # seconds of full load before a fault; it lasts beyond it
_LONGEST = 7_200  # seconds for which there are messages
_DEVICES = 1_000

Say = Callable[[str], None]


class Soak(msgspec.Struct, frozen=True, kw_only=True):
    """How much of it.

    Attributes:
        rate: messages/s; around each fault as many as are acknowledged.
        pause: seconds between the end of one fault and the next, at most; the moment is drawn.
        hold: seconds for which the database is frozen; its disks are full for a quarter of that.
        workers: processes that read the stream side by side.
        seed: of what is drawn; the same one gives the same faults in the same order.
        kinds: names of faults; none: all.
    """

    faults: int = 40
    rate: float = 2_000
    pause: float = 20.0
    hold: float = 20.0
    workers: int = 1
    seed: int = 1
    kinds: Sequence[str] = ()


def run_soak(folder: Path, soak: Soak, say: Say) -> Report:
    """Soak a city in an empty folder."""
    began = datetime.now(UTC)
    town = Town(folder, soak.workers)
    try:
        return _Run(town, soak, say).report(began)
    finally:
        town.close()


class _Run:
    def __init__(self, town: Town, soak: Soak, say: Say) -> None:
        self._town = town
        self._soak = soak
        self._say = say
        self._chance = random.Random(soak.seed)  # noqa: S311 - moments of faults are no secret
        self._left_out: list[str] = []
        plan = Plan.ending_now("soak", int(soak.rate * _LONGEST), _DEVICES)
        self._sender = Sender(town.mqtt, plan, soak.rate)
        self._began = 0.0

    def report(self, began: datetime) -> Report:
        faults = self._prepare()
        self._began = time.monotonic()
        self._sender.start()
        events = [self._suffer(fault) for fault in faults]
        self._sender.finish()
        seconds = time.monotonic() - self._began
        self._say("faults are over; waiting until ingest has caught up")
        counters = wait_for("ingest catches up", self._caught_up)
        caught_up = time.monotonic() - self._began - seconds
        self._say("looking for every message")
        engine = self._town.engine()
        return Report(
            began=began,
            soak=msgspec.structs.asdict(self._soak),
            seconds=seconds,
            caught_up_after=caught_up,
            events=events,
            left_out=self._left_out,
            sender=self._sender.tally(),
            verdict=verify(engine, self._sender.plan, self._sender.acknowledged(), self._looked()),
            rows=self._rows(),
            repeated_rows=counters.repeated,
            machine=fingerprint(self._town.data_dir, read_city(self._town.data_dir).database),
        )

    def _prepare(self) -> list[Fault]:
        """The city runs; which faults it will suffer."""
        town, soak = self._town, self._soak
        kinds = named(soak.kinds)
        faults = choose(kinds, soak.faults, self._chance)
        town.start()
        town.wait_until_running()
        if any(fault.needs_quota for fault in faults):
            town.stop()
            try:
                town.limit_disks(_DISK, _LOG_DISK)
            except SetupError as error:
                self._left_out = [f"{fault.name}: {error}" for fault in kinds if fault.needs_quota]
                possible = [fault for fault in kinds if not fault.needs_quota]
                faults = choose(possible, soak.faults, self._chance)
            town.start()
            town.wait_until_running()
        return faults

    def _suffer(self, fault: Fault) -> Event:
        """Wait for a random moment, do it under full load, and wait until what is sent after it is stored."""
        time.sleep(self._chance.uniform(0.0, self._soak.pause))
        self._sender.surge(_SURGE * 1.5)
        time.sleep(_SURGE)
        at = time.monotonic()
        before = self._sender.tally()
        fault.act(self._town, self._soak.hold / 4 if fault.needs_quota else self._soak.hold)
        over = time.monotonic()
        keys = history_keys(self._sender.plan, self._sender.next_number())
        wait_for(f"commits go on after: {fault.name}", lambda: self._all_there(keys))
        event = Event(
            at=at - self._began,
            fault=fault.name,
            what=fault.what,
            acknowledged=before.acknowledged,
            in_flight=before.in_flight,
            lasted=over - at,
            seconds=time.monotonic() - over,
        )
        self._say(f"{event.at:7.1f} s  {event.fault:<28} went on after {event.seconds:5.1f} s")
        return event

    def _looked(self) -> Callable[[int], None]:
        """Says after every tenth of the messages how many were looked for."""
        total, count = self._sender.tally().acknowledged, 0

        def looked(more: int) -> None:
            nonlocal count
            tenth, count = count * 10 // max(1, total), count + more
            if count * 10 // max(1, total) > tenth:
                self._say(f"{count:,} of {total:,} looked for")

        return looked

    def _all_there(self, keys: list[tuple[str, str, str, str, datetime]]) -> bool | None:
        return 0 not in count_observations(self._town.engine(), keys) or None

    def _caught_up(self) -> Counters | None:
        state = asyncio.run(self._stream())
        counters = Linkage(self._town.engine()).counters(state.name)
        return counters if counters.sequence >= state.last else None

    async def _stream(self) -> StreamState:
        city = read_city(self._town.data_dir)
        async with open_stream(city.nats, city.nats_password) as stream:
            return await stream.state()

    def _rows(self) -> int:
        """Of the whole history, in which there is nothing but this soak's."""
        with transaction(self._town.engine()) as connection:
            return connection.execute(text("SELECT count(*) FROM observation")).scalar_one()
