"""Several workers on one stream: all is stored once and in order, whoever comes, goes, dies or is stopped."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from devices import publish
from machinami.ingest import worker as module
from machinami.ingest.worker import Worker
from machinami.linkage.write import Linkage
from machinami.local.broker import Broker
from machinami.model import Change, Mapped, Message, Rejection
from machinami.settings import City, write_city
from machinami.store.intake import Counters
from machinami.store.share import Share
from machinami.stream.client import MessageStream
from machinami.stream.topics import partition_of
from pipeline import rows, write_connector
from sqlalchemy import Engine

LEVEL = "https://uri.etsi.org/ngsi-ld/default-context/level"
DEVICES = 40


class Levels:
    """Topic ``level/DEVICE``, payload a second of 2026; ``bad`` is rejected."""

    def map(self, message: Message) -> Mapped:
        if message.payload == b"bad":
            return Mapped(rejections=[Rejection(reason="bad")])
        second = int(message.payload)
        at = f"2026-01-01T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z"
        instance = {"type": "Property", "value": second, "observedAt": at}
        entity = f"urn:test:{message.topic}"
        return Mapped(changes=[Change(entity_id=entity, types=("urn:T",), attributes={LEVEL: [instance]})])

    def redact(self, message: Message) -> bytes:
        return message.payload


class Crew:
    """Workers on one stream."""

    def __init__(self, stream: MessageStream, engine: Engine) -> None:
        self._stream = stream
        self._engine = engine

    @asynccontextmanager
    async def working(self, workers: int = 1) -> AsyncGenerator[None]:
        streams = [self._stream_of_its_own() for _ in range(workers)]
        tasks = [asyncio.create_task(self._worker(stream).run()) for stream in streams]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for stream in streams:
                stream.close()

    def _worker(self, stream: MessageStream) -> Worker:
        return Worker(stream, Linkage(self._engine), Levels(), limit=50, wait=0.1, keep=0)

    def _stream_of_its_own(self) -> MessageStream:
        shared = self._stream
        parts = shared._jetstream, shared._stream, shared._servers, shared._password  # pyright: ignore[reportPrivateUsage] # a reader has a consumer of its own
        return MessageStream(*parts)

    async def reached(self) -> Counters:
        """The counters, when all that is in the stream now is committed."""
        state, linkage = await self._stream.state(), Linkage(self._engine)
        async with asyncio.timeout(60):
            while (counters := linkage.counters(state.name)).sequence < state.last:
                await asyncio.sleep(0.05)
        return counters


@pytest.fixture
def crew(stream: MessageStream, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Crew:
    for name in ("_LOOK_EVERY", "_MOVE_EVERY"):
        monkeypatch.setattr(module, name, 0.1)
    return Crew(stream, engine)


async def send(broker: Broker, first: int, last: int, devices: int = DEVICES) -> None:
    """Each device sends the seconds of this range, the devices in turn."""
    messages = [(f"level/{n}", b"%d" % second) for second in range(first, last) for n in range(devices)]
    await asyncio.to_thread(publish, broker, messages)


def stored(engine: Engine) -> int:
    """Rows of history."""
    return rows(engine, "SELECT count(*) FROM observation")[0][0]


def in_order(engine: Engine) -> bool:
    """Whether no transaction stored a device's message after one that stored a later message of it."""
    steps = "SELECT recorded_at < lag(recorded_at) OVER (PARTITION BY series ORDER BY observed_at) AS wrong"
    return not rows(engine, f"SELECT * FROM ({steps} FROM observation) AS steps WHERE wrong")


def shares(engine: Engine) -> dict[int, int]:
    """How many partitions each worker holds, by the pid of its database session."""
    found = rows(
        engine,
        "SELECT pid, count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory'"
        " AND application_name = 'machinami ingest' AND datname = current_database()"
        " AND mode = 'ExclusiveLock' GROUP BY pid",
    )
    return {int(pid): int(number) for pid, number in found}


async def until_shared(engine: Engine, *numbers: int) -> None:
    async with asyncio.timeout(90):
        while sorted(shares(engine).values()) != sorted(numbers):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("workers", [2, 4])
async def test_several_workers_store_all_once_and_in_order(
    broker: Broker, engine: Engine, crew: Crew, workers: int
) -> None:
    async with crew.working(workers):
        await until_shared(engine, *[8 // workers] * workers)
        await send(broker, 0, 50)
        await asyncio.to_thread(publish, broker, [(f"level/{n}", b"bad") for n in range(DEVICES)])
        counters = await crew.reached()
    assert (counters.committed, counters.quarantined, counters.repeated) == (50 * DEVICES, DEVICES, 0)
    assert counters.observations == stored(engine) == 50 * DEVICES
    assert in_order(engine)


async def test_workers_come_and_go_under_load(broker: Broker, engine: Engine, crew: Crew) -> None:
    sending = asyncio.create_task(send(broker, 0, 100))
    async with crew.working():
        for _ in range(4):
            async with crew.working(2):
                await asyncio.sleep(0.4)
        await sending
        counters = await crew.reached()
    assert (counters.committed, counters.observations, counters.repeated) == (4000, 4000, 0)
    assert stored(engine) == 4000
    assert in_order(engine)


async def test_a_quiet_partition_holds_nobody_back(broker: Broker, engine: Engine, crew: Crew) -> None:
    async with crew.working(4):
        await until_shared(engine, 2, 2, 2, 2)
        await send(broker, 0, 200, devices=1)
        counters = await crew.reached()
    assert counters.committed == 200


async def test_what_one_worker_has_not_read_stays_in_the_stream(
    broker: Broker, stream: MessageStream, engine: Engine, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FORGET_EVERY", 10)
    sleeper = Share(engine, (await stream.state()).name, 8)
    await asyncio.to_thread(sleeper.settle)
    async with crew.working():
        asleep = await asyncio.to_thread(sleeper.settle)
        async with asyncio.timeout(90):
            while len(shares(engine)) < 2:
                asleep = await asyncio.to_thread(sleeper.settle)
        await send(broker, 0, 20)
        awake = [n for n in range(DEVICES) if partition_of(f"$MQTT.msgs.level.{n}", 8) not in asleep]
        async with asyncio.timeout(90):
            while stored(engine) < 20 * len(awake):
                await asyncio.to_thread(sleeper.due)
        assert (await stream.state()).first == 1
        await asyncio.to_thread(sleeper.close)
        await crew.reached()
    assert (0 < len(awake) < DEVICES, stored(engine)) == (True, 20 * DEVICES)
    assert in_order(engine)


@contextmanager
def processes(data_dir: Path, broker: Broker, database_url: str, count: int) -> Generator[Sequence[int]]:
    """So many ingest roles; gives their pids."""
    addresses = City(
        api="",
        mqtt=broker.mqtt,
        nats=broker.nats,
        nats_password=broker.password,
        database=database_url,
        supervisor=os.getpid(),
    )
    write_city(data_dir, addresses)
    (data_dir / "machinami.toml").write_text(f'connector_folders = ["{write_connector(data_dir)}"]\n')
    command = [sys.executable, "-m", "machinami", "ingest", "--data-dir", str(data_dir)]
    started = [subprocess.Popen(command) for _ in range(count)]
    try:
        yield [process.pid for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
async def test_another_process_takes_over_from_one_that_is_killed_or_stopped(
    broker: Broker, engine: Engine, database_url: str, crew: Crew, tmp_path: Path, fault: signal.Signals
) -> None:
    def level(second: int) -> bytes:
        return b'{"at": "2026-01-01T00:%02d:%02dZ", "level": %d}' % (second // 60, second % 60, second)

    def messages(*seconds: int) -> list[tuple[str, bytes]]:
        return [(f"meter/{n}", level(second)) for second in range(*seconds) for n in range(DEVICES)]

    with processes(tmp_path, broker, database_url, 2) as pids:
        await until_shared(engine, 4, 4)
        sending = asyncio.create_task(asyncio.to_thread(publish, broker, messages(0, 100)))
        await asyncio.sleep(0.3)
        os.kill(pids[0], fault)
        await sending
        await asyncio.to_thread(publish, broker, messages(100, 120))  # none of these can be committed yet
        counters = await crew.reached()
        assert list(shares(engine).values()) == [8]
        os.kill(pids[0], signal.SIGCONT)
        await send_more(broker, crew)
    assert (counters.committed, counters.quarantined) == (120 * DEVICES, 0)
    assert stored(engine) == 121 * DEVICES
    assert in_order(engine)


async def send_more(broker: Broker, crew: Crew) -> None:
    """One more message of each device, which whoever has come back must not spoil."""
    payload = b'{"at": "2026-01-02T00:00:00Z", "level": 1}'
    await asyncio.to_thread(publish, broker, [(f"meter/{n}", payload) for n in range(DEVICES)])
    await crew.reached()
