"""Devices for tests: publish over MQTT with paho and wait until everything is acknowledged."""

from collections.abc import Iterable

from machinami.local.broker import Broker
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion


def publish(
    broker: Broker,
    messages: Iterable[tuple[str, bytes]],
    *,
    qos: int = 1,
    retain: bool = False,
    name: str = "test",
) -> None:
    """Publish and return when the broker has acknowledged all of them (QoS 0: taken them)."""
    client = Client(CallbackAPIVersion.VERSION2, client_id=name)
    client.connect(str(broker.mqtt["host"]), int(broker.mqtt["port"]))
    client.loop_start()
    sent = [client.publish(topic, payload, qos=qos, retain=retain) for topic, payload in messages]
    for information in sent:
        information.wait_for_publish(60)
        assert information.is_published()
    client.disconnect()
    client.loop_stop()
