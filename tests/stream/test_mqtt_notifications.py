"""Notifications over MQTT (clause 7.2), to the embedded broker."""

import json
import queue
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from machinami.local.broker import Broker
from machinami.local.ports import free_ports
from machinami.notify.message import Post
from machinami.notify.mqtt import MqttSender, address_of

_TOPIC = "city/notifications"


def _post(url: str, **notifier: str) -> Post:
    notifier = {"MQTT-Version": "mqtt3.1.1", **notifier}  # what this broker speaks
    return Post(url=url, headers={"Content-Type": "x"}, body={"data": [1]}, notifier=notifier, timeout=None)


@pytest.mark.usefixtures("stream")  # devices are let in
@pytest.mark.parametrize("qos", ["0", "1"])  # a city's own broker takes no QoS 2
async def test_a_message_of_metadata_and_body(broker: Broker, qos: str) -> None:
    got = queue.SimpleQueue[Any]()
    reader = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    reader.on_message = lambda *told: got.put(told[2].payload)
    reader.on_subscribe = lambda *_: got.put("subscribed")
    reader.on_connect = lambda *_: reader.subscribe(_TOPIC, qos=1)
    reader.connect("127.0.0.1", broker.mqtt_port)
    reader.loop_start()
    sender = MqttSender()
    try:
        assert got.get(timeout=60) == "subscribed"
        post = _post(f"mqtt://127.0.0.1:{broker.mqtt_port}/{_TOPIC}", **{"MQTT-QoS": qos})
        for _ in range(2):  # the second over the connection that the first has opened
            assert await sender.send(post, 10) == ""
            assert json.loads(got.get(timeout=60)) == {
                "metadata": {"Content-Type": "x"},
                "body": {"data": [1]},
            }
    finally:
        await sender.close()
        reader.disconnect()
        reader.loop_stop()


async def test_a_broker_that_is_not_there() -> None:
    [port] = free_ports(1)
    sender = MqttSender()
    assert "refused" in await sender.send(_post(f"mqtt://127.0.0.1:{port}/{_TOPIC}"), 5)
    await sender.close()


def test_addresses() -> None:
    address = address_of(_post("mqtts://me:p%40ss@host/a/b"))
    assert (address.host, address.port, address.encrypted) == ("host", 8883, True)
    assert (address.username, address.password, address.version) == ("me", "p@ss", "mqtt3.1.1")
    assert address_of(_post("mqtt://host/a")).username is None
