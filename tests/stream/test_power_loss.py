"""After a power cut the log may end before the position in the database: nothing new hides below it."""

import asyncio
import logging
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from devices import publish
from machinami.linkage.write import Batch, Linkage
from machinami.local.broker import Broker
from machinami.local.prepare import prepare_city
from machinami.model import Message, Rejection
from machinami.settings import Settings
from machinami.store.intake import Progress, split_positions
from machinami.stream.client import open_stream
from machinami.stream.topics import partition_of
from pipeline import drain, history, router, rows, write_connector
from sqlalchemy import Engine


def readings(numbers: range) -> list[tuple[str, bytes]]:
    return [
        ("meter/m1", b'{"at":"2026-01-01T00:00:%02dZ","level":%d}' % (number, number)) for number in numbers
    ]


async def prepare(broker: Broker, database_url: str) -> None:
    """What `machinami up` does before it lets devices in."""
    settings = Settings(
        data_dir=broker.data_dir,
        database_url=database_url,
        nats_address=broker.nats,
        nats_password=broker.password,
    )
    broker.start(devices=False)
    await asyncio.to_thread(prepare_city, settings)
    broker.stop()


async def take(broker: Broker, engine: Engine, folder: Path, numbers: range) -> None:
    broker.start()
    await asyncio.to_thread(publish, broker, readings(numbers))
    async with open_stream(broker.nats, broker.password) as stream:
        await drain(stream, engine, router(write_connector(folder)))
    broker.stop()


async def test_what_comes_after_a_power_cut_is_stored(
    tmp_path: Path, engine: Engine, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    broker, log, on_disk = Broker(tmp_path), tmp_path / "stream", tmp_path / "on-disk"
    await prepare(broker, database_url)
    await take(broker, engine, tmp_path, range(10))
    shutil.copytree(log, on_disk)
    await take(broker, engine, tmp_path, range(10, 20))
    shutil.rmtree(log)  # the last ten were committed, but their place in the log had not reached the disk
    on_disk.rename(log)
    with caplog.at_level(logging.WARNING):
        await prepare(broker, database_url)
    assert "ends at 10, before 20" in caplog.text
    await take(broker, engine, tmp_path, range(20, 25))
    assert [int(number) for _, number, _ in history(engine)] == list(range(25))


async def test_what_a_slower_worker_had_not_read_is_stored_and_quarantine_is_kept(
    tmp_path: Path, engine: Engine, database_url: str
) -> None:
    """One of two partitions is ahead of the log's end, the other behind it."""
    broker = Broker(tmp_path)
    await prepare(broker, database_url)
    broker.start()
    await asyncio.to_thread(publish, broker, [*readings(range(10)), ("meter/m1", b"bad")])
    async with open_stream(broker.nats, broker.password) as stream:
        name = (await stream.state()).name
    broker.stop()
    ahead = 1 - partition_of("$MQTT.msgs.meter.m1", 2)
    lost = Message(sequence=15, topic="t", payload=b"?", received_at=datetime.now(UTC))
    split_positions(engine, name, 2)
    progress = Progress(stream=name, before={ahead: 0}, after=20, of=2, quarantined=1)
    Linkage(engine).commit(Batch(changes=[], rejected=[(lost, [Rejection(reason="bad")])], progress=progress))
    await prepare(broker, database_url)
    await take(broker, engine, tmp_path, range(10, 20))
    assert [int(number) for _, number, _ in history(engine)] == list(range(20))
    kept = rows(engine, "SELECT sequence, stream = :name FROM quarantine ORDER BY id", name=name)
    assert kept == [(15, False), (11, True)]


async def test_a_log_that_is_whole_is_left_alone(tmp_path: Path, engine: Engine, database_url: str) -> None:
    broker = Broker(tmp_path)
    await prepare(broker, database_url)
    await take(broker, engine, tmp_path, range(3))
    await prepare(broker, database_url)
    broker.start()
    async with open_stream(broker.nats, broker.password) as stream:
        assert (await stream.state()).last == 3
    broker.stop()
