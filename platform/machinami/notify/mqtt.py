"""Notifications over MQTT (clause 7.2): one message of metadata and body, over connections that are kept."""

import asyncio
import ssl
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import orjson
from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from machinami.notify.message import Post

VERSIONS = {"mqtt3.1.1": MQTTv311, "mqtt5.0": MQTTv5}
"""Values of MQTT-Version, and the protocol that each is."""

QOS = {"0": 0, "1": 1, "2": 2}
"""Values of MQTT-QoS."""

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_CONNECTIONS = 64
_KEEPALIVE = 60


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a connection its own."""

    host: str
    port: int
    username: str | None
    password: str | None
    version: str
    encrypted: bool


class _Connection:
    """A connection to a broker with a thread of its own; every method blocks."""

    def __init__(self, address: Address, timeout: float) -> None:
        """Connect.

        Raises:
            OSError: the broker does not answer in time, or refuses.
        """
        self._answer = threading.Event()
        self._refusal = ""
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=VERSIONS[address.version])
        self._client.on_connect = self._on_connect
        self._client.connect_timeout = timeout
        if address.username is not None:
            self._client.username_pw_set(address.username, address.password)
        if address.encrypted:
            self._client.tls_set_context(ssl.create_default_context())  # pyright: ignore[reportUnknownMemberType] # paho
        self._client.connect(address.host, address.port, keepalive=_KEEPALIVE)
        self._client.loop_start()
        if not self._answer.wait(timeout) or self._refusal:
            self.close()
            raise OSError(f"the MQTT broker does not let us in: {self._refusal or 'no answer'}")

    @property
    def is_open(self) -> bool:
        return self._client.is_connected()

    def publish(self, topic: str, payload: bytes, qos: int, timeout: float) -> None:
        """Send one message and wait until the broker has it as far as its QoS says.

        Raises:
            OSError: it has not.
        """
        sent = self._client.publish(topic, payload, qos)
        if sent.rc is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise OSError(f"MQTT: {sent.rc.name}")
        sent.wait_for_publish(timeout)
        if not sent.is_published():
            raise OSError("the MQTT broker does not acknowledge")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, *told: Any) -> None:
        reason = told[3]  # after client, user data and flags: paho's own order
        self._refusal = str(reason) if reason.is_failure else ""
        self._answer.set()


class MqttSender:
    """Sends notifications to MQTT brokers. At most 64 connections are kept; the longest unused one goes."""

    def __init__(self) -> None:
        self._open: OrderedDict[Address, _Connection] = OrderedDict()
        self._opening: dict[Address, asyncio.Lock] = {}
        # Threads of its own: brokers that do not answer must not keep the database waiting.
        self._threads = ThreadPoolExecutor(max_workers=_CONNECTIONS, thread_name_prefix="notify mqtt")

    async def send(self, post: Post, timeout: float) -> str:
        """Send one; what went wrong, or an empty text.

        Args:
            timeout: seconds for each step.
        """
        parts = urlsplit(post.url)
        qos = QOS[post.notifier.get("MQTT-QoS", "0")]
        payload = orjson.dumps({"metadata": post.headers, "body": post.body})
        loop = asyncio.get_running_loop()
        try:
            connection = await self._connection(address_of(post), timeout)
            topic = unquote(parts.path.removeprefix("/"))
            await loop.run_in_executor(self._threads, connection.publish, topic, payload, qos, timeout)
        except (OSError, ValueError, RuntimeError) as error:  # paho raises all three
            return f"{type(error).__name__}: {error}"
        return ""

    async def close(self) -> None:
        """Close all connections."""
        for connection in self._open.values():
            connection.close()
        self._open.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _connection(self, address: Address, timeout: float) -> _Connection:
        async with self._opening.setdefault(address, asyncio.Lock()):
            found = self._open.pop(address, None)
            if found and not found.is_open:
                await self._close(found)
                found = None
            loop = asyncio.get_running_loop()
            connection = found or await loop.run_in_executor(self._threads, _Connection, address, timeout)
            self._open[address] = connection
        while len(self._open) > _CONNECTIONS:
            oldest, connection_of_oldest = self._open.popitem(last=False)
            self._opening.pop(oldest, None)
            await self._close(connection_of_oldest)
        return connection

    async def _close(self, connection: _Connection) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, connection.close)


def address_of(post: Post) -> Address:
    """Where a notification goes: ``mqtt[s]://user:password@host:port/topic``."""
    parts = urlsplit(post.url)
    return Address(
        host=parts.hostname or "",
        port=parts.port or _PORTS[parts.scheme],
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        version=post.notifier.get("MQTT-Version", "mqtt5.0"),
        encrypted=parts.scheme == "mqtts",
    )
