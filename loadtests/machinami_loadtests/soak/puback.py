"""Does the broker have what it acknowledged? Killed again and again under full load, and read in the end."""

import asyncio
import random
import time
from datetime import datetime
from pathlib import Path

import msgspec
from machinami.local.broker import Broker
from machinami.model import Message
from machinami.stream.client import StreamLimits, open_stream

from machinami_loadtests.meters import Plan
from machinami_loadtests.soak.sender import Sender

_RUNS_AT_MOST = 0.3  # seconds between two kills
_MESSAGES = 100_000  # that are there for each kill; far more than can be sent
_DEVICES = 1_000
_AT_ONCE = 5_000


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the messages of a broker that was killed so many times.

    Attributes:
        in_flight: messages sent and not acknowledged, over all kills.
        lost: acknowledged, and not in the stream.
        again: copies in the stream beyond the first; sent again because the kill took their PUBACK along. The
            history takes each once.
    """

    kills: int
    acknowledged: int
    in_flight: int
    lost: int
    again: int


def kill_brokers(folder: Path, kills: int, seed: int) -> Acknowledged:
    """Kill a broker in an empty folder at moments drawn from the seed, while devices send all they can."""
    chance = random.Random(seed)  # noqa: S311 - moments of kills are no secret
    broker = Broker(folder)
    try:
        broker.start(devices=False)
        asyncio.run(_make_stream(broker))
        broker.stop()
        broker.start()
        plan = Plan.ending_now("puback", kills * _MESSAGES, _DEVICES)
        sender = Sender((str(broker.mqtt["host"]), broker.mqtt_port), plan, rate=1)
        sender.start()
        in_flight = sum(_kill(broker, sender, chance.uniform(0.05, _RUNS_AT_MOST)) for _ in range(kills))
        sender.finish()
        copies = asyncio.run(_read(broker, plan))
    finally:
        broker.stop()
    acknowledged = list(sender.acknowledged())
    return Acknowledged(
        kills=kills,
        acknowledged=len(acknowledged),
        in_flight=in_flight,
        lost=sum(1 for number in acknowledged if not copies[number]),
        again=sum(count - 1 for count in copies if count > 1),
    )


def _kill(broker: Broker, sender: Sender, seconds: float) -> int:
    """Kill it once, and have it back; messages in flight at that moment."""
    before = sender.tally().acknowledged
    sender.surge(60.0)
    while sender.tally().acknowledged == before:  # until the devices are back
        time.sleep(0.005)
    time.sleep(seconds)
    in_flight = sender.tally().in_flight
    if broker.process is not None:
        broker.process.kill()
        broker.process.wait()
    broker.start()
    return in_flight


async def _make_stream(broker: Broker) -> None:
    async with open_stream(broker.nats, broker.password, StreamLimits()):
        pass


async def _read(broker: Broker, plan: Plan) -> bytearray:
    """For each message of the plan how many copies the stream holds."""
    copies = bytearray(plan.messages)
    async with open_stream(broker.nats, broker.password) as stream:
        last, position = (await stream.state()).last, 0
        while position < last:
            messages = await stream.fetch(position, _AT_ONCE, 1.0)
            for message in messages:
                copies[_number(plan, message)] += 1
            position = messages[-1].sequence if messages else position
    return copies


def _number(plan: Plan, message: Message) -> int:
    """Which message of the plan it is."""
    device = int(message.topic.rpartition("-")[2])
    moment = datetime.fromisoformat(msgspec.json.decode(message.payload)["time"])
    return round((moment - plan.start).total_seconds()) * plan.devices + device
