import asyncio
import socket
import threading
import time
from datetime import UTC, datetime

import pytest
from machinami.local.broker import Broker
from machinami.stream.client import MessageStream
from machinami_loadtests.meters import Plan
from machinami_loadtests.swarm import Published, SwarmError, swarm
from machinami_simulators import packets

PLAN = Plan(name="p", messages=3_000, devices=100, start=datetime(2026, 1, 1, tzinfo=UTC))


def address(broker: Broker) -> tuple[str, int]:
    return str(broker.mqtt["host"]), int(broker.mqtt["port"])


async def run(broker: Broker, connections: int, rate: float | None = None, qos: int = 1) -> Published:
    batches = PLAN.batches(connections, qos)
    return await asyncio.to_thread(swarm, address(broker), batches, rate=rate, qos=qos)


async def test_all_that_the_swarm_sends_is_stored_in_order(broker: Broker, stream: MessageStream) -> None:
    assert (await run(broker, 3)).messages == PLAN.messages
    found = await stream.fetch(0, PLAN.messages, 1)
    while len(found) < PLAN.messages:
        found += await stream.fetch(found[-1].sequence, PLAN.messages, 1)
    wanted = [PLAN.message(number) for number in range(PLAN.messages)]
    assert sorted((message.topic, message.payload) for message in found) == sorted(wanted)
    one = PLAN.device(7)
    times = [message.payload for message in found if message.topic.endswith(one)]
    assert times == sorted(times)


async def test_the_rate_is_kept(broker: Broker, stream: MessageStream) -> None:
    published = await run(broker, 2, rate=6_000)
    seconds = published.finished_at - published.started_at
    assert seconds >= PLAN.messages / 6_000 * 0.9  # never faster than asked


async def test_generators_are_stopped_in_time_and_the_journal_tells_each_message(
    broker: Broker, stream: MessageStream
) -> None:
    endless = Plan(name="e", messages=10**9, devices=100, start=PLAN.start)
    sources = [endless.packets(line, 2) for line in range(2)]
    published = await asyncio.to_thread(swarm, address(broker), sources, rate=2_000, seconds=0.3)
    assert 0 < published.messages <= 2_000
    assert sum(len(moments) for moments in published.sent_at) == published.messages
    for journal in published.journals:
        assert journal.sent[-1][1] == journal.acknowledged[-1][1]
    assert (await stream.state()).last == published.messages


async def test_qos_0_needs_no_acknowledgement(broker: Broker, stream: MessageStream) -> None:
    assert (await run(broker, 1, qos=0)).messages == PLAN.messages


@pytest.mark.parametrize("answer", [bytes.fromhex("40020002"), b""])
def test_a_wrong_acknowledgement_and_a_closed_connection_are_errors(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as connection:
                connection.recv(100)
                connection.sendall(packets.CONNACK)
                connection.recv(100)
                connection.sendall(answer)
                time.sleep(0.1 if answer else 0)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(SwarmError):
            swarm(server.getsockname(), [packets.publishes([("t", b"x")])])
        thread.join()


def test_a_refused_connection_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as connection:
                connection.recv(100)
                connection.sendall(bytes((0x20, 2, 0, 5)))

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(SwarmError, match="20020005"):
            swarm(server.getsockname(), [packets.publishes([("t", b"x")])])
        thread.join()
