"""Three servers with a whole log each: one is killed under load, and no acknowledged message is missing."""

import asyncio
import itertools
import json
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from machinami.linkage.write import Linkage
from machinami.local.ports import LOOPBACK
from machinami.store.intake import Counters
from machinami.stream.client import MessageStream, StreamLimits, open_stream
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from pipeline import router, rows, working, write_connector
from sqlalchemy import Engine
from system.conftest import wait_for
from system.nats_cluster import PASSWORD, Cluster, Server, running_cluster

pytestmark = pytest.mark.system

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = 50  # messages of a device on their way at a time
PATIENCE = 8.0  # seconds without an acknowledgement, after which a device looks for another server


class Device(threading.Thread):
    """Publishes at QoS 1 until told to finish; when its server goes, sends again to the next what is open."""

    def __init__(self, number: int, ports: Sequence[int]) -> None:
        super().__init__(name=f"device-{number}")
        self.acknowledged: dict[int, float] = {}
        self.sent = 0
        self.published = 0
        self.finish = threading.Event()
        self._ports = itertools.cycle((*ports[number % len(ports) :], *ports[: number % len(ports)]))
        self._on_the_way: dict[int, int] = {}

    def run(self) -> None:
        for port in self._ports:
            try:
                with self._connected(port) as client:
                    self._publish(client)
            except OSError:
                time.sleep(0.1)
            if self._done():
                return

    @contextmanager
    def _connected(self, port: int) -> Iterator[Client]:
        client = Client(CallbackAPIVersion.VERSION2, client_id=self.name)
        client.max_inflight_messages_set(WINDOW)
        client.username_pw_set("device", PASSWORD)
        client.on_publish = lambda _client, _data, mid, *_rest: self._acknowledge(mid)
        client.connect(LOOPBACK, port)
        self._on_the_way = {}
        client.loop_start()
        try:
            yield client
        finally:
            client.disconnect()
            client.loop_stop()

    def _publish(self, client: Client) -> None:
        """Until everything is acknowledged, or the server goes or falls silent."""
        heard, known = time.monotonic(), len(self.acknowledged)
        again = [number for number in range(self.sent) if number not in self.acknowledged]
        while not self._done() and time.monotonic() - heard < PATIENCE:
            if len(self.acknowledged) > known:
                heard, known = time.monotonic(), len(self.acknowledged)
            if len(self._on_the_way) < WINDOW and (number := self._next(again)) is not None:
                information = client.publish(f"meter/{self.name}", message(number), qos=1)
                self._on_the_way[information.mid] = number
                self.published += 1
            elif not client.is_connected() and time.monotonic() - heard > 1:
                return
            else:
                time.sleep(0.002)

    def _next(self, again: list[int]) -> int | None:
        if again:
            return again.pop(0)
        if self.finish.is_set():
            return None
        self.sent += 1
        return self.sent - 1

    def _acknowledge(self, mid: int) -> None:
        while mid not in self._on_the_way:  # the acknowledgement may overtake the publisher's own note
            time.sleep(0.001)
        self.acknowledged[self._on_the_way.pop(mid)] = time.monotonic()

    def _done(self) -> bool:
        return self.finish.is_set() and len(self.acknowledged) == self.sent


def message(number: int) -> bytes:
    at = BEGIN + timedelta(seconds=number)
    return json.dumps({"at": at.isoformat(), "level": number}).encode()


@contextmanager
def publishing(cluster: Cluster, count: int) -> Iterator[list[Device]]:
    devices = [Device(number, [server.mqtt for server in cluster.servers]) for number in range(count)]
    for device in devices:
        device.start()
    try:
        yield devices
    finally:
        for device in devices:
            device.finish.set()
        for device in devices:
            device.join()


def acknowledged(devices: Iterable[Device]) -> int:
    return sum(len(device.acknowledged) for device in devices)


def stored(engine: Engine) -> list[tuple[str, int, int]]:
    """(device, number by its time, number by its value) of each row of history."""
    return [
        (entity.rpartition(":")[2], int(seconds), int(number))
        for entity, seconds, number in rows(
            engine,
            "SELECT entity_id, extract(epoch FROM observed_at - :begin), number"
            " FROM observation JOIN series USING (series)",
            begin=BEGIN,
        )
    ]


async def drained(stream: MessageStream, engine: Engine) -> Counters:
    """The counters once all that is in the stream is committed."""
    state, linkage = await stream.state(), Linkage(engine)
    await asyncio.to_thread(wait_for, "the end", lambda: linkage.counters(state.name).sequence >= state.last)
    return linkage.counters(state.name)


def is_current(cluster: Cluster, server: Server) -> bool:
    """Whether the stream's leader counts this server's copy as whole."""
    replicas = cluster.stream(cluster.leader()).get("cluster", {}).get("replicas", ())
    return any(replica["name"] == server.name and replica["current"] for replica in replicas)


async def kill_and_restart_the_leader(cluster: Cluster, devices: Sequence[Device]) -> None:
    await asyncio.to_thread(wait_for, "load", lambda: acknowledged(devices) > 1_000)
    victim = await asyncio.to_thread(cluster.leader)
    victim.kill()
    before = acknowledged(devices)
    await asyncio.to_thread(wait_for, "load again", lambda: acknowledged(devices) > before + 1_000)
    victim.start()
    await asyncio.to_thread(wait_for, "a third whole copy", lambda: is_current(cluster, victim))


async def test_the_streams_leader_is_killed_under_load(tmp_path: Path, engine: Engine):
    mapper = router(write_connector(tmp_path))
    with running_cluster(tmp_path) as cluster:
        limits = StreamLimits(replicas=3)
        async with (
            open_stream(cluster.addresses, PASSWORD, limits) as stream,
            working(stream, engine, mapper),
        ):
            with publishing(cluster, 6) as devices:
                await kill_and_restart_the_leader(cluster, devices)
            counters = await drained(stream, engine)
    found, sent = stored(engine), sum(device.sent for device in devices)
    assert all(len(device.acknowledged) == device.sent for device in devices)
    assert set(found) == {
        (device.name, number, number) for device in devices for number in range(device.sent)
    }
    assert len(found) == sent
    assert (counters.observations, counters.quarantined) == (sent, 0)
    # The rest was sent again, because its acknowledgement was lost; what one batch holds twice counts once.
    assert 0 <= counters.repeated <= counters.sequence - sent
