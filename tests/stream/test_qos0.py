import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from devices import publish
from hypothesis import given
from hypothesis import strategies as st
from machinami.errors import Unavailable
from machinami.local.broker import Broker
from machinami.stream.client import MessageStream
from machinami.stream.qos0 import _Intake, take_in_qos0
from machinami.stream.wire import LISTENER, Wire, connect


@pytest.fixture
async def intake(broker: Broker, stream: MessageStream) -> AsyncIterator[int]:
    """The last message in the stream when the intake surely stands: what comes after it is the test's own."""
    task = asyncio.create_task(take_in_qos0(broker.nats, broker.password))
    await one_of_many(broker, stream, b"first")
    await asyncio.to_thread(publish, broker, [("probe", b"last")], qos=0)
    before = 0
    async with asyncio.timeout(90):
        while (found := (await stream.fetch(before, 1, 1))[0]).payload != b"last":
            before = found.sequence
    yield found.sequence
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def one_of_many(broker: Broker, stream: MessageStream, payload: bytes, after: int = 0) -> None:
    """Publish until one arrives: a subscription gives no sign of its own that it stands."""
    async with asyncio.timeout(90):
        while True:
            await asyncio.to_thread(publish, broker, [("probe", payload)], qos=0)
            with suppress(Unavailable):  # of a broker that has just been started
                if await stream.fetch(after, 1, 1):
                    return


async def payloads(stream: MessageStream, count: int, after: int) -> list[bytes]:
    found: list[bytes] = []
    async with asyncio.timeout(90):
        while len(found) < count:
            found += [message.payload for message in await stream.fetch(after + len(found), 1000, 1)]
    return found


async def test_every_quality_of_service_is_in_the_stream_once(
    broker: Broker, stream: MessageStream, intake: int
) -> None:
    for qos in (1, 0):
        await asyncio.to_thread(publish, broker, [(f"q/{qos}", b"%d" % qos)], qos=qos)
    assert sorted(await payloads(stream, 2, intake)) == [b"0", b"1"]
    assert await stream.fetch(intake + 2, 10, 0.3) == []


async def test_topics_and_bytes_arrive_as_they_were_sent(
    broker: Broker, stream: MessageStream, intake: int
) -> None:
    payload = b"\r\nHMSG x 1 5 5\r\nNmqtt-Pub:0\r\n\0\xff"
    await asyncio.to_thread(publish, broker, [("/a//b.c/", payload)], qos=0)
    await payloads(stream, 1, intake)
    message = (await stream.fetch(intake, 1, 1))[0]
    assert (message.topic, message.payload) == ("/a//b.c/", payload)


async def test_many_come_in_beside_acknowledged_ones(
    broker: Broker, stream: MessageStream, intake: int
) -> None:
    both = [
        asyncio.to_thread(
            publish, broker, [("t", b"%d-%d" % (qos, n)) for n in range(2000)], qos=qos, name=name
        )
        for qos, name in ((0, "zero"), (1, "one"))
    ]
    await asyncio.gather(*both)
    assert len(set(await payloads(stream, 4000, intake))) == 4000


async def test_it_goes_on_after_the_broker_was_killed(
    broker: Broker, stream: MessageStream, intake: int
) -> None:
    assert broker.process is not None
    broker.process.kill()
    broker.process.wait()
    broker.start()
    await one_of_many(broker, stream, b"after", intake)
    assert set(await payloads(stream, 1, intake)) == {b"after"}


class Heard(Wire):
    """Takes down the subjects that it hears."""

    def __init__(self, *words: Any) -> None:
        super().__init__(*words)
        self.subjects: list[bytes] = []

    def take(self, words: list[bytes], data: bytes, begin: int, end: int) -> None:  # noqa: ARG002 # as `Wire`
        self.subjects.append(words[1])


async def test_its_user_hears_devices_and_nothing_of_what_the_server_does(
    broker: Broker, stream: MessageStream
) -> None:
    heard = Heard(LISTENER, broker.password, "> 1", 0)
    await connect(broker.nats, heard)
    async with asyncio.timeout(90):
        while b"probe" not in heard.subjects:
            await asyncio.to_thread(publish, broker, [("probe", b"")])
        await asyncio.to_thread(publish, broker, [("a/b", b"x"), ("$d", b"y")])
        while b"$d" not in heard.subjects:
            await asyncio.sleep(0.05)
    assert [subject for subject in heard.subjects if subject != b"probe"] == [b"a.b", b"$d"]
    heard.close()


async def test_a_broker_without_that_user_serves_the_other(
    broker: Broker, stream: MessageStream, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("machinami.stream.qos0.LISTENER", "nobody")
    task = asyncio.create_task(take_in_qos0(broker.nats, broker.password))
    async with asyncio.timeout(90):
        while not await stream.fetch(0, 1, 0.2):
            await asyncio.to_thread(publish, broker, [("t", b"x")], qos=0)
    assert "has no user nobody" in caplog.text
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Written(asyncio.Transport):
    """Takes what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def pause_reading(self) -> None:
        """What it reads is given to it."""

    resume_reading = pause_reading


def hmsg(qos: int, payload: bytes) -> bytes:
    header = b"NATS/1.0\r\nNmqtt-Pub: %d\r\n\r\n" % qos
    return b"HMSG a.b 1 %d %d\r\n%s%s\r\n" % (len(header), len(header) + len(payload), header, payload)


async def fed(data: bytes, cuts: list[int]) -> Written:
    """What the intake writes when this data comes in such pieces."""
    wire, intake = Written(), _Intake("listener", "secret")
    intake.connection_made(wire)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for begin, end in pairwise(edges):
        intake.data_received(data[begin:end])
    return wire


MESSAGES = st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=40)), max_size=12)


@given(messages=MESSAGES, cuts=st.lists(st.integers(0, 1500), max_size=6))
def test_however_the_bytes_are_cut_the_same_messages_are_taken(
    messages: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    data = b"INFO {}\r\n" + b"PING\r\n".join(hmsg(qos, payload) for qos, payload in messages) + b"PING\r\n"
    wire = asyncio.run(fed(data, cuts))
    written = b"".join(wire.written[1:])
    expected = [b"PUB $MQTT.msgs.a.b %d\r\n%s\r\n" % (len(p), p) for qos, p in messages if qos == 0]
    assert written.replace(b"PONG\r\n", b"") == b"".join(expected).replace(b"PONG\r\n", b"")
    assert written.endswith(b"PONG\r\n")


async def test_a_server_that_is_gone_is_passed_over(broker: Broker, stream: MessageStream) -> None:
    task = asyncio.create_task(take_in_qos0(f"127.0.0.1:1, {broker.nats}", broker.password))
    async with asyncio.timeout(90):
        while not await stream.fetch(0, 1, 0.2):  # it tries the second one after a pause
            await asyncio.to_thread(publish, broker, [("t", b"x")], qos=0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
