import asyncio

import pytest
from devices import publish
from machinami.errors import Unavailable
from machinami.local.broker import Broker
from machinami.stream.client import MessageStream, StreamLimits, open_stream


async def test_what_devices_publish_is_read_in_order(broker: Broker, stream: MessageStream) -> None:
    await asyncio.to_thread(publish, broker, [(f"any/topic.{n % 7}", b"%d" % n) for n in range(500)])
    messages = await stream.fetch(0, 300, 1)
    messages += await stream.fetch(messages[-1].sequence, 300, 1)
    assert [message.sequence for message in messages] == list(range(1, 501))
    assert [message.payload for message in messages] == [b"%d" % n for n in range(500)]
    assert messages[8].topic == "any/topic.1"
    assert messages[0].received_at.tzinfo is not None


async def test_reading_starts_wherever_it_is_told(broker: Broker, stream: MessageStream) -> None:
    await asyncio.to_thread(publish, broker, [("t", b"%d" % n) for n in range(10)])
    for after in (7, 2, 2):
        assert (await stream.fetch(after, 1, 1))[0].sequence == after + 1


async def test_an_empty_stream_answers_with_nothing(stream: MessageStream) -> None:
    assert await stream.fetch(0, 10, 0.2) == []


async def test_acknowledged_messages_survive_a_killed_broker(broker: Broker, stream: MessageStream) -> None:
    await asyncio.to_thread(publish, broker, [("t", b"%d" % n) for n in range(2000)])
    assert broker.process is not None
    broker.process.kill()
    broker.process.wait()
    broker.start()
    async with open_stream(broker.nats, broker.password) as again:
        assert (await again.state()).messages == 2000


async def test_a_request_that_a_killed_broker_took_along_is_given_up_and_reading_goes_on(
    broker: Broker, stream: MessageStream
) -> None:
    await stream.publish("t", b"before")
    await stream.fetch(0, 10, 1)
    waiting = asyncio.create_task(stream.fetch(1, 10, 1))
    await asyncio.sleep(0.3)  # it is on the server now
    assert broker.process is not None
    broker.process.kill()
    broker.process.wait()
    broker.start()
    async with open_stream(broker.nats, broker.password) as again:
        await again.publish("t", b"after")
    with pytest.raises(Unavailable, match="does not answer"):
        await waiting
    assert [message.payload for message in await stream.fetch(1, 10, 1)] == [b"after"]


async def test_forgetting_keeps_what_follows(broker: Broker, stream: MessageStream) -> None:
    await asyncio.to_thread(publish, broker, [("t", b"x")] * 10)
    await stream.forget(4)
    assert (await stream.state()).first == 5


async def test_a_stream_made_anew_has_another_name(broker: Broker, stream: MessageStream) -> None:
    before = (await stream.state()).name
    assert (await stream.state()).name == before
    await stream._jetstream.streams.delete("$MQTT_msgs")
    await asyncio.sleep(1.1)  # the server tells the time of a stream's making in seconds
    async with open_stream(broker.nats, broker.password, StreamLimits()) as anew:
        assert (await anew.state()).name != before


async def test_a_broker_that_is_not_there_is_said() -> None:
    with pytest.raises(Unavailable, match="broker"):
        async with open_stream("127.0.0.1:1", "secret"):
            pass


async def test_of_several_servers_one_is_enough(broker: Broker, stream: MessageStream) -> None:
    async with open_stream(f"127.0.0.1:1, {broker.nats}", broker.password) as another:
        assert (await another.state()).name == (await stream.state()).name


async def test_more_copies_than_servers_are_refused(broker: Broker) -> None:
    with pytest.raises(Unavailable, match="replicas"):
        async with open_stream(broker.nats, broker.password, StreamLimits(replicas=3)):
            pass


async def test_a_batch_has_bounded_bytes_and_large_messages_pass(
    broker: Broker, stream: MessageStream
) -> None:
    large = b"x" * 2**20
    sizes = [len(large)] * 20 + [10] * 2_000 + [len(large)] * 12
    for size in sizes:
        await stream.publish("t", large[:size])
    found: list[int] = []
    while len(found) < len(sizes):
        messages = await stream.fetch(len(found), 5_000, 1)
        assert [message.sequence for message in messages[:1]] == [len(found) + 1]
        assert sum(len(message.payload) for message in messages) <= 8 * 2**20
        found += [len(message.payload) for message in messages]
    assert found == sizes


async def test_a_request_that_is_given_up_leaves_nothing_for_the_next(stream: MessageStream) -> None:
    waiting = asyncio.create_task(stream.fetch(0, 10, 5))
    await asyncio.sleep(0.2)  # it is on the server now
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    for n in range(3):
        await stream.publish("t", b"%d" % n)
    assert [message.payload for message in await stream.fetch(0, 10, 1)] == [b"0", b"1", b"2"]


async def test_full_answers_follow_one_another(stream: MessageStream) -> None:
    for n in range(20):
        await stream.publish("t", b"%d" % n)
    found: list[bytes] = []
    while len(found) < 20:
        found += [message.payload for message in await stream.fetch(len(found), 3, 1)]
    assert found == [b"%d" % n for n in range(20)]


async def test_a_message_larger_than_a_batch_comes_alone(
    stream: MessageStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("machinami.stream.client._FETCH_BYTES", 1000)
    for size in (10, 5000, 10):
        await stream.publish("t", b"x" * size)
    sizes: list[int] = []
    while len(sizes) < 3:
        sizes += [len(message.payload) for message in await stream.fetch(len(sizes), 100, 1)]
    assert sizes == [10, 5000, 10]
