"""A stream that fills: devices are held back, never told that something is stored which is not."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from devices import publish
from machinami.ingest.relief import Relief
from machinami.linkage.write import Linkage
from machinami.local.broker import Broker
from machinami.local.counters import Gauge
from machinami.store.history import Stored
from machinami.store.intake import Progress, advance, split_positions
from machinami.stream.client import MessageStream, StreamLimits, open_stream
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from pipeline import router, working, write_connector
from sqlalchemy import Engine

SIZE = 100_000
PAYLOAD = b"x" * 1_000


@pytest.fixture
async def small(broker: Broker) -> AsyncIterator[MessageStream]:
    """A stream that about 92 messages fill."""
    async with open_stream(broker.nats, broker.password, StreamLimits(size=SIZE)):
        broker.stop()
    broker.start()
    async with open_stream(broker.nats, broker.password) as stream:
        yield stream


class Device:
    """Publishes and notes what is acknowledged; connects again whenever it is cut off."""

    def __init__(self, broker: Broker) -> None:
        self.acknowledged: set[bytes] = set()
        self.cut_off = 0
        self._sent: dict[int, bytes] = {}
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="device", clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.max_inflight_messages_set(0)
        self._client.on_publish = lambda _c, _d, mid, _r, _p: self.acknowledged.add(self._sent[mid])
        self._client.on_disconnect = self._on_disconnect
        self._client.connect(str(broker.mqtt["host"]), int(broker.mqtt["port"]))

    def publish(self, first: int, last: int, qos: int = 1) -> None:
        for number in range(first, last):
            payload = b"%06d" % number + PAYLOAD
            self._sent[self._client.publish("t", payload, qos=qos).mid] = payload

    def start(self) -> None:
        self._client.loop_start()

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_disconnect(self, *_: object) -> None:
        self.cut_off += 1


async def until(condition: object) -> None:
    async with asyncio.timeout(90):
        while not condition():
            await asyncio.sleep(0.05)


async def stored(stream: MessageStream, after: int = 0) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    while messages := await stream.fetch(after, 1000, 0.3):
        found |= {message.payload: message.sequence for message in messages}
        after = messages[-1].sequence
    return found


async def test_a_full_stream_withholds_pubacks_and_goes_on_when_there_is_room(
    broker: Broker, small: MessageStream
) -> None:
    device = Device(broker)
    device.publish(0, 150)
    device.start()
    try:
        await until(
            lambda: device.cut_off >= 2
        )  # cut off, came back, was cut off again: not taken, not lied to
        kept = await stored(small)
        assert device.acknowledged <= kept.keys()
        assert 80 < len(kept) < 100
        await small.forget(max(kept.values()))
        await until(lambda: len(device.acknowledged) == 150)
        kept |= await stored(small, max(kept.values()))
        assert device.acknowledged == kept.keys()
    finally:
        device.stop()


async def test_qos_2_is_refused_because_the_server_completes_what_it_could_not_store(
    broker: Broker, small: MessageStream
) -> None:
    """With QoS 2 allowed, a full stream loses messages after PUBCOMP; so nobody is let to rely on it."""
    device = Device(broker)
    device.publish(0, 3, qos=2)
    device.start()
    try:
        await until(lambda: device.cut_off >= 1)
        assert (device.acknowledged, (await small.state()).messages) == (set(), 0)
    finally:
        device.stop()


async def fill(stream: MessageStream, percent: float) -> None:
    while (await stream.state()).percent < percent:
        await stream.publish("t", PAYLOAD)


def committed(engine: Engine, stream: str, sequence: int) -> None:
    """Pretend that a worker has committed so far."""
    split_positions(engine, stream, 1)
    before = Linkage(engine).counters(stream).sequence
    with engine.begin() as connection:
        advance(connection, Progress(stream=stream, before={0: before}, after=sequence), Stored())


async def test_a_stream_that_fills_is_said_once_a_level(
    small: MessageStream, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    relief = Relief(small, Linkage(engine), age=timedelta(hours=1))
    await relief.look()
    for percent in (81, 85, 95.5):
        await fill(small, percent)
        await relief.look()
    said = [record.getMessage() for record in caplog.records]
    assert [message[:20] for message in said] == ["the stream is 81 % f", "the stream is 96 % f"]
    caplog.clear()
    state = await small.state()
    committed(engine, state.name, state.last)
    await relief.look()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert (await small.state()).messages == 0


async def test_what_is_not_committed_stays_however_full_and_old(small: MessageStream, engine: Engine) -> None:
    await fill(small, 60)
    state = await small.state()
    committed(engine, state.name, 7)
    await Relief(small, Linkage(engine), age=timedelta(0)).look()
    after = await small.state()
    assert (after.first, after.last) == (8, state.last)


async def test_committed_messages_stay_a_while_and_leave_when_they_are_old(
    small: MessageStream, engine: Engine
) -> None:
    await fill(small, 20)
    state = await small.state()
    committed(engine, state.name, state.last)
    await Relief(small, Linkage(engine), age=timedelta(hours=1)).look()
    assert (await small.state()).messages == state.messages
    await Relief(small, Linkage(engine), age=timedelta(0)).look()
    assert (await small.state()).messages == 0


async def test_the_broker_says_how_full_the_stream_is(broker: Broker, small: MessageStream) -> None:
    await fill(small, 50)
    assert broker.messages().percent == pytest.approx((await small.state()).percent)


def test_the_supervisor_says_each_level_once() -> None:
    gauge = Gauge()
    said = [
        gauge.news(percent).split(" ")[1:2] for percent in (10, 82, 79, 83, 96, 94, 96, 99.5, 72, 60, 50, 81)
    ]
    assert said == [[], ["82"], [], [], ["96"], [], [], ["100"], [], ["60"], [], ["81"]]


async def test_while_the_database_is_slow_the_stream_holds_the_messages_and_the_lag_shows(
    broker: Broker, stream: MessageStream, engine: Engine, tmp_path: Path
) -> None:
    mapper, linkage = router(write_connector(tmp_path)), Linkage(engine)
    sent = [("meter/a", b'{"at":"2026-01-01T00:%02d:%02dZ","level":1}' % divmod(n, 60)) for n in range(1_000)]
    with engine.begin() as slow:
        slow.exec_driver_sql("LOCK TABLE observation IN ACCESS EXCLUSIVE MODE")
        async with working(stream, engine, mapper):
            await asyncio.to_thread(publish, broker, sent)  # devices are acknowledged all the same
            state = await stream.state()
            assert state.last - linkage.counters(state.name).sequence == 1_000
            slow.rollback()
            await until(lambda: linkage.counters(state.name).sequence == 1_000)
    counters = linkage.counters(state.name)
    assert (counters.committed, counters.observations) == (1_000, 1_000)
