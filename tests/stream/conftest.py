"""A real broker for each test, with the city's stream made before the first device comes."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from machinami.local.broker import Broker
from machinami.stream.client import MessageStream, StreamLimits, open_stream


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    broker.start(devices=False)
    yield broker
    broker.stop()


@pytest.fixture
async def stream(broker: Broker) -> AsyncIterator[MessageStream]:
    async with open_stream(broker.nats, broker.password, StreamLimits()):
        broker.stop()
    broker.start()
    async with open_stream(broker.nats, broker.password) as stream:
        yield stream
