"""The embedded broker: what devices may do, what they may not, and what survives."""

import json
import queue
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
import psutil
import pytest
from machinami.errors import Unavailable
from machinami.local.broker import Broker
from machinami.settings import Durability
from machinami.stream.client import StreamLimits, StreamState, open_stream


@contextmanager
def device(broker: Broker, name: str, **options: object) -> Iterator[mqtt.Client]:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, **options)
    connected = queue.SimpleQueue[object]()
    client.on_connect = lambda *arguments: connected.put(arguments[3])
    client.connect("127.0.0.1", broker.mqtt_port)
    client.loop_start()
    try:
        assert str(connected.get(timeout=60)) == "Success"
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def publish(client: mqtt.Client, topic: str, payload: bytes = b"1", qos: int = 1) -> None:
    client.publish(topic, payload, qos=qos).wait_for_publish(10)


async def make_stream(broker: Broker) -> StreamState:
    async with open_stream(broker.nats, broker.password, StreamLimits(size=2**30)) as stream:
        return await stream.state()


@pytest.fixture
async def broker(tmp_path: Path):
    with Broker(tmp_path) as broker:
        await make_stream(broker)
        yield broker


async def test_the_stream_is_named_as_its_readers_name_it(tmp_path: Path):
    with Broker(tmp_path) as broker:
        assert (broker.messages().name, broker.messages().last) == ("$MQTT_msgs", 0)
        state = await make_stream(broker)
        assert broker.messages().name == state.name


@pytest.mark.parametrize("durability", Durability)
def test_the_server_syncs_as_often_as_it_is_told(tmp_path: Path, durability: Durability):
    with Broker(tmp_path, durability=durability) as broker:
        found = broker._monitor("/varz")["jetstream"]["config"]
    assert found.get("sync_always", False) is (durability is Durability.POWER_LOSS)


async def test_what_a_device_was_acknowledged_is_in_the_stream(broker: Broker):
    with device(broker, "gauge-1") as client:
        publish(client, "ul/namiki-river/g1/attrs", qos=1)
    assert broker.messages().last == 1


async def test_devices_hear_each_other(broker: Broker):
    heard = queue.SimpleQueue[tuple[str, int]]()
    with device(broker, "listener") as listener, device(broker, "speaker") as speaker:
        granted = queue.SimpleQueue[object]()
        listener.on_message = lambda _client, _data, message: heard.put((message.topic, message.qos))
        listener.on_subscribe = lambda *_arguments: granted.put(True)
        listener.subscribe("a/#", 2)
        granted.get(timeout=60)
        publish(speaker, "a/1", qos=1)
        publish(speaker, "a/0", qos=0)
        assert sorted(heard.get(timeout=60) for _ in range(2)) == [("a/0", 0), ("a/1", 1)]


@pytest.mark.parametrize("topic", ["$MQTT/msgs/forged", "$JS/API/STREAM/DELETE/$MQTT_msgs", "$SYS/x"])
async def test_a_device_can_neither_forge_nor_steer(broker: Broker, topic: str):
    with device(broker, "rogue") as client:
        publish(client, topic)
        publish(client, "sound/topic")
    assert broker.messages().last == 1


async def test_a_device_cannot_read_the_log_behind_the_topics(broker: Broker):
    with device(broker, "spy") as client:
        answers = queue.SimpleQueue[list[mqtt.ReasonCode]]()
        client.on_subscribe = lambda _client, _data, _mid, codes, _properties: answers.put(codes)
        client.subscribe("$MQTT/msgs/#", 1)
        assert answers.get(timeout=60)[0].is_failure


async def test_the_client_port_asks_for_a_password(broker: Broker):
    with socket.create_connection(("127.0.0.1", broker.nats_port)) as connection:
        connection.recv(65536)
        connection.sendall(b'CONNECT {"verbose":true}\r\nPING\r\n')
        assert b"Authorization Violation" in connection.recv(1024)


async def test_only_loopback_is_listened_on(broker: Broker):
    assert broker.process is not None
    listening = [c for c in psutil.Process(broker.process.pid).net_connections() if c.status == "LISTEN"]
    assert len(listening) == 3
    assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}


def test_the_configuration_with_its_password_is_private(tmp_path: Path):
    with Broker(tmp_path):
        assert (tmp_path / "broker.conf").stat().st_mode & 0o077 == 0


async def test_without_devices_the_door_stays_shut_until_the_stream_is_made(tmp_path: Path):
    broker = Broker(tmp_path)
    broker.start(devices=False)
    try:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", broker.mqtt_port))
    finally:
        broker.stop()


async def test_the_stream_survives_a_kill(tmp_path: Path):
    with Broker(tmp_path) as broker:
        await make_stream(broker)
        with device(broker, "gauge") as client:
            for number in range(100):
                publish(client, f"gauge/{number}")
        assert broker.process is not None
        broker.process.kill()
        broker.process.wait()
        broker.start()
        assert broker.messages().last == 100


def test_a_second_broker_on_the_same_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("machinami.local.broker._LOCK_SECONDS", 0.1)
    with Broker(tmp_path), pytest.raises(Unavailable, match="another broker runs on"):
        Broker(tmp_path).start()


def test_after_kill_of_its_parent_the_broker_ends(tmp_path: Path):
    script = textwrap.dedent(f"""
        import json, pathlib, time
        from machinami.local.broker import Broker
        broker = Broker(pathlib.Path({str(tmp_path)!r}))
        broker.start()
        print(json.dumps(broker.process.pid), flush=True)
        time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        server = psutil.Process(json.loads(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
    server.wait(60)
    with Broker(tmp_path) as broker:
        assert broker.ready()


def test_a_stopped_broker_says_so(tmp_path: Path):
    broker = Broker(tmp_path)
    assert not broker.ready()
    with pytest.raises(Unavailable, match="does not answer"):
        broker.messages()
