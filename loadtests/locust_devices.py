"""Simulated devices over MQTT for locust: one paho connection a device, QoS 1.

What locust calls a response time is the time from publish to PUBACK, or from connect to CONNACK; README.md
has the commands.
"""

# locust is not typed.
# pyright: basic

import base64
import json
import random
import struct
import time
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any, ClassVar
from urllib.parse import urlsplit

import gevent
import paho.mqtt.client as mqtt
from gevent.queue import Empty, Queue
from gevent.socket import wait_read
from locust import User, events, task
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

PATIENCE = 30.0
"""Seconds after which a PUBACK or CONNACK counts as a failure."""

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_numbers = count(1)


@events.init_command_line_parser.add_listener
def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--pace", type=float, default=60.0, help="How many times faster than real devices")
    parser.add_argument(
        "--storm-every", type=float, default=0.0, help="Seconds between reconnect storms; 0: none"
    )
    parser.add_argument("--mqtt-user", default="", env_var="MQTT_USER", help="Name, where the broker asks")
    parser.add_argument(
        "--mqtt-password", default="", env_var="MQTT_PASSWORD", is_secret=True, help="Password"
    )


def now() -> str:
    """The time as devices write it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Device(User):
    """A device that connects, then publishes and waits for the acknowledgement, again and again.

    Attributes:
        interval: seconds between two messages of a real device of this kind.
    """

    abstract = True
    host = "mqtt://127.0.0.1:1883"
    interval: ClassVar[float]

    def message(self) -> tuple[str, bytes]:
        """Topic and payload of what this device has to say now."""
        raise NotImplementedError

    def wait_time(self) -> float:
        """Seconds until the next message; a fifth to and fro, so that devices do not march in step."""
        return self.interval / self.environment.parsed_options.pace * random.uniform(0.8, 1.2)

    def on_start(self) -> None:
        """Connect, and go on reading what the broker sends."""
        worker = getattr(self.environment.runner, "worker_index", 0)
        self.name = f"load-{worker}-{next(_numbers)}"
        self._acknowledged: Queue[int] = Queue()
        self._client = self._new_client()
        self._storm_due = self._next_storm()
        self._connect()
        self._reader = gevent.spawn(self._read)

    def on_stop(self) -> None:
        """Say goodbye."""
        self._reader.kill()
        self._client.disconnect()

    @task
    def publish(self) -> None:
        """One message, acknowledged."""
        topic, payload = self.message()
        began = time.perf_counter()
        number = self._client.publish(topic, payload, qos=1).mid
        self._report("PUBLISH", began, len(payload), self._wait_for(number))

    def _wait_for(self, number: int) -> Exception | None:
        try:
            while self._acknowledged.get(timeout=PATIENCE) != number:
                pass  # the late answer to a message that was given up
        except Empty:
            return TimeoutError(f"no PUBACK within {PATIENCE:g} s")
        return None

    def _new_client(self) -> mqtt.Client:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=self.name)
        options = self.environment.parsed_options
        if options.mqtt_user:
            client.username_pw_set(options.mqtt_user, options.mqtt_password)
        if urlsplit(str(self.host)).scheme == "mqtts":
            client.tls_set()
        client.on_publish = lambda _client, _data, number, _reason, _properties: self._acknowledged.put(
            number
        )
        return client

    def _connect(self) -> None:
        address = urlsplit(str(self.host))
        began = time.perf_counter()
        try:
            self._client.connect(address.hostname or "127.0.0.1", address.port or _PORTS[address.scheme])
            with gevent.Timeout(PATIENCE, TimeoutError("no CONNACK")):
                while not self._client.is_connected():
                    self._take(self._client.loop_read)
        except (OSError, ConnectionError) as error:
            self._report("CONNECT", began, 0, error)
            gevent.sleep(random.uniform(0.5, 1.5))
        else:
            self._report("CONNECT", began, 0)

    def _read(self) -> None:
        """Take acknowledgements and keep the connection alive; drop it when a storm is due."""
        while True:
            if self._client.socket() is None:
                self._connect()
                continue
            try:
                self._take(self._client.loop_read, timeout=1.0)
                self._client.loop_misc()
            except (OSError, ConnectionError) as error:
                self._report("CONNECTION LOST", time.perf_counter(), 0, error)
                self._drop()
            if time.time() >= self._storm_due:
                self._drop()
                self._storm_due = self._next_storm()

    def _take(self, read: Callable[[], MQTTErrorCode], timeout: float = PATIENCE) -> None:
        connection = self._client.socket()
        if connection is None:
            raise ConnectionError("the broker closed the connection")
        try:
            wait_read(connection.fileno(), timeout, TimeoutError())
        except TimeoutError:
            return
        if (code := read()) != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise ConnectionError(mqtt.error_string(code))

    def _drop(self) -> None:
        """End the connection without goodbye, as a radio link does; what is under way is sent again."""
        if (connection := self._client.socket()) is not None:
            connection.close()
            self._client.loop_read()  # notices it

    def _next_storm(self) -> float:
        """By the wall clock, so that all devices on all machines go at once."""
        every = self.environment.parsed_options.storm_every
        return (time.time() // every + 1) * every if every else float("inf")

    def _report(self, kind: str, began: float, size: int, error: Exception | None = None) -> None:
        self.environment.events.request.fire(
            request_type="MQTT",
            name=f"{kind} {type(self).__name__}",
            response_time=(time.perf_counter() - began) * 1000,
            response_length=size,
            exception=error,
            context={},
        )


class PaddySensor(Device):
    """Water depth and temperatures, as a LoRaWAN network server hands them on."""

    weight = 300
    interval = 600.0

    def message(self) -> tuple[str, bytes]:
        """An uplink of The Things Stack v3: depth mm, temperatures 0.01 °C, battery %."""
        frame = struct.pack(">hhhB", random.randint(0, 110), random.randint(400, 3000), 2150, 97)
        uplink: dict[str, Any] = {
            "end_device_ids": {"device_id": self.name},
            "received_at": now(),
            "uplink_message": {"f_port": 1, "frm_payload": base64.b64encode(frame).decode()},
        }
        return f"v3/namiki-paddy@namiki/devices/{self.name}/up", json.dumps(uplink).encode()


class RiverGauge(Device):
    """Level and battery."""

    weight = 60
    interval = 60.0

    def message(self) -> tuple[str, bytes]:
        """UltraLight 2.0: level m, battery V."""
        return f"ul/namiki-river/{self.name}/attrs", f"{now()}|l|{random.uniform(0, 4):.3f}|b|12.41".encode()


class PeopleFlowReceiver(Device):
    """Devices heard in the last minute."""

    weight = 120
    interval = 60.0

    def message(self) -> tuple[str, bytes]:
        """A Minew array: the gateway, then what it heard."""
        at = now()
        heard = [
            {"timestamp": at, "type": "Unknown", "mac": f"{random.getrandbits(48):012X}", "rssi": -67}
            for _ in range(random.randint(0, 20))
        ]
        gateway = {"timestamp": at, "type": "Gateway", "mac": "AC233F000001"}
        return f"minew/namiki/{self.name}/status", json.dumps([gateway, *heard]).encode()


class RentalBike(Device):
    """Position on the move."""

    weight = 200
    interval = 10.0

    def message(self) -> tuple[str, bytes]:
        """An OwnTracks location."""
        latitude, longitude = 30.5 + random.gauss(0, 0.01), 151.5 + random.gauss(0, 0.01)
        location = {
            "_type": "location",
            "tid": self.name[-2:],
            "lat": round(latitude, 6),
            "lon": round(longitude, 6),
            "tst": int(time.time()),
            "vel": random.randint(1, 24),
            "batt": 83,
        }
        return f"owntracks/namiki/{self.name}", json.dumps(location).encode()
