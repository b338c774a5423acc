import asyncio
from datetime import UTC, datetime

import pytest
from machinami.local.broker import Broker
from machinami.stream.client import MessageStream, open_stream
from machinami_loadtests.meters import Plan
from machinami_loadtests.soak.sender import Sender

PLAN = Plan(name="s", messages=50_000, devices=100, start=datetime(2026, 1, 1, tzinfo=UTC))


async def stored(stream: MessageStream) -> list[tuple[str, bytes]]:
    last, found = (await stream.state()).last, []
    while not found or found[-1].sequence < last:
        found += await stream.fetch(found[-1].sequence if found else 0, 5_000, 1)
    return [(message.topic, message.payload) for message in found]


async def test_a_plan_that_is_used_up_is_seen_through(broker: Broker, stream: MessageStream) -> None:
    plan = Plan(name="short", messages=300, devices=10, start=datetime(2026, 1, 1, tzinfo=UTC))
    sender = Sender((str(broker.mqtt["host"]), int(broker.mqtt["port"])), plan, rate=100_000)
    sender.start()
    while sender.tally().acknowledged < plan.messages:
        await asyncio.sleep(0.05)
    await asyncio.to_thread(sender.finish)
    assert sender.tally().in_flight == 0
    with pytest.raises(RuntimeError, match="longer"):
        sender.next_number()


async def test_a_killed_broker_has_all_that_it_acknowledged_under_full_load(
    broker: Broker, stream: MessageStream
) -> None:
    sender = Sender((str(broker.mqtt["host"]), int(broker.mqtt["port"])), PLAN, rate=500)
    sender.start()
    for _ in range(3):
        sender.surge(0.4)
        await asyncio.sleep(0.2)
        assert broker.process is not None
        broker.process.kill()
        broker.process.wait()
        broker.start()
    await asyncio.to_thread(sender.finish)
    tally = sender.tally()
    assert tally.in_flight == 0
    assert tally.resent
    acknowledged = {PLAN.message(number) for number in sender.acknowledged()}
    assert len(acknowledged) == tally.acknowledged
    async with open_stream(broker.nats, broker.password) as after:
        assert acknowledged == set(await stored(after))
