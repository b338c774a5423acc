import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from devices import publish
from machinami.ingest.worker import Worker
from machinami.linkage.write import Linkage
from machinami.local.broker import Broker
from machinami.model import Change, Mapped, Message, Rejection
from machinami.store.intake import Counters
from machinami.stream.client import MessageStream
from sqlalchemy import Engine, text

NUMBER = "https://uri.etsi.org/ngsi-ld/default-context/number"


class Numbers:
    """Payload ``<minute>``; ``bad`` is rejected, ``poison`` passes the mapper and breaks in the database."""

    def map(self, message: Message) -> Mapped:
        if message.payload == b"bad":
            return Mapped(rejections=[Rejection(connector="numbers", reason="bad")])
        if message.payload == b"poison":
            return Mapped(changes=[self._change({"type": "Property", "value": "\0"})])
        second = int(message.payload)
        at = f"2026-01-01T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z"
        return Mapped(changes=[self._change({"type": "Property", "value": second, "observedAt": at})])

    def _change(self, instance: dict[str, object]) -> Change:
        return Change(
            entity_id="urn:test:1", types=("urn:T",), attributes={NUMBER: [instance]}, only_newer=True
        )

    def redact(self, message: Message) -> bytes:
        return b"redacted " + message.payload


@asynccontextmanager
async def working(stream: MessageStream, engine: Engine, limit: int = 100) -> AsyncIterator[None]:
    worker = Worker(stream, Linkage(engine), Numbers(), limit=limit, wait=0.2, keep=0)
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def drained(stream: MessageStream, engine: Engine) -> Counters:
    state, linkage = await stream.state(), Linkage(engine)
    async with asyncio.timeout(90):
        while (counters := linkage.counters(state.name)).sequence < state.last:
            await asyncio.sleep(0.05)
    return counters


def count(engine: Engine, table: str) -> int:
    with engine.connect() as connection:
        return connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()


async def test_every_message_is_stored_or_kept(broker: Broker, stream: MessageStream, engine: Engine) -> None:
    await asyncio.to_thread(publish, broker, [("n", b"%d" % n if n % 10 else b"bad") for n in range(1000)])
    async with working(stream, engine):
        counters = await drained(stream, engine)
    assert (counters.committed, counters.quarantined, counters.observations) == (900, 100, 900)
    assert (count(engine, "observation"), count(engine, "quarantine")) == (900, 100)


async def test_quarantine_keeps_the_redacted_payload(
    broker: Broker, stream: MessageStream, engine: Engine
) -> None:
    await asyncio.to_thread(publish, broker, [("n", b"bad")])
    async with working(stream, engine):
        await drained(stream, engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT payload FROM quarantine")).scalar_one() == b"redacted bad"


async def test_one_message_that_cannot_be_stored_stops_no_other(
    broker: Broker, stream: MessageStream, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    payloads = [b"%d" % n for n in range(50)] + [b"poison"] + [b"%d" % n for n in range(50, 100)]
    await asyncio.to_thread(publish, broker, [("n", payload) for payload in payloads])
    with caplog.at_level(logging.CRITICAL):
        async with working(stream, engine):
            counters = await drained(stream, engine)
    assert (counters.committed, counters.quarantined) == (100, 1)
    assert count(engine, "observation") == 100


async def test_a_worker_that_is_stopped_anywhere_neither_loses_nor_doubles(
    broker: Broker, stream: MessageStream, engine: Engine
) -> None:
    await asyncio.to_thread(publish, broker, [("n", b"%d" % n) for n in range(2000)])
    for _ in range(4):
        async with working(stream, engine, limit=50):
            await asyncio.sleep(0.15)
    async with working(stream, engine):
        counters = await drained(stream, engine)
    assert (counters.committed, counters.repeated, count(engine, "observation")) == (2000, 0, 2000)


async def test_a_broker_that_went_and_came_back_is_read_on(
    broker: Broker, stream: MessageStream, engine: Engine
) -> None:
    async with working(stream, engine):
        await asyncio.to_thread(publish, broker, [("n", b"%d" % n) for n in range(100)])
        assert broker.process is not None
        broker.process.kill()
        broker.process.wait()
        broker.start()
        await asyncio.to_thread(publish, broker, [("n", b"%d" % n) for n in range(100, 200)])
        counters = await drained(stream, engine)
    assert (counters.committed, counters.repeated) == (200, 0)


async def test_a_fault_of_ours_is_raised_and_leaves_the_messages_in_the_stream(
    broker: Broker, stream: MessageStream, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    await asyncio.to_thread(publish, broker, [("n", b"poison")] * 200)
    worker = Worker(stream, Linkage(engine), Numbers(), limit=200, wait=0.2)
    with caplog.at_level(logging.CRITICAL), pytest.raises(Exception, match="unsupported Unicode"):
        await asyncio.wait_for(worker.run(), 30)
    assert (await stream.state()).messages == 200
    assert count(engine, "quarantine") <= 20
