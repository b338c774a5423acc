"""One MQTT connection: a paho client whose socket is watched by somebody else's selector."""

import selectors
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from machinami_simulators.wire import Message

KEEPALIVE = 60
_CONNECT_TIMEOUT = 3.0


class Connection:
    """A QoS 1 publisher. What is not acknowledged when a connection breaks, paho sends again on the next one.

    Args:
        name: MQTT client id.
        window: messages that may wait for their acknowledgement at once.
        acknowledged: called with the number of each message that the broker acknowledged.
        changed: called when the connection was made (True) or broke or was refused (False).
    """

    def __init__(
        self,
        name: str,
        selector: selectors.BaseSelector,
        *,
        window: int,
        acknowledged: Callable[[int], None],
        changed: Callable[["Connection", bool], None],
    ) -> None:
        self.name = name
        self.pending: deque[Message] = deque()
        self.connected = False
        self.refused = ""
        self._waiting: dict[int, int] = {}
        self._window = window
        self._selector = selector
        self._acknowledged = acknowledged
        self._changed = changed
        self._client = self._make_client()

    def _make_client(self) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id=self.name)
        client.max_inflight_messages_set(0)  # no limit: `room` is the limit
        client.connect_timeout = _CONNECT_TIMEOUT
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_socket_open = self._on_open
        client.on_socket_close = self._on_close
        client.on_socket_register_write = self._on_want_write
        client.on_socket_unregister_write = self._on_no_write
        return client

    @property
    def waiting(self) -> int:
        """Messages sent and not yet acknowledged."""
        return len(self._waiting)

    @property
    def room(self) -> int:
        """How many messages may be published now."""
        return self._window - len(self._waiting) if self.connected else 0

    def open(self, host: str, port: int) -> None:
        """Connect; the broker's answer comes later.

        Raises:
            OSError: nobody listens there.
        """
        self._client.connect_async(host, port, keepalive=KEEPALIVE)
        self._client.reconnect()

    def close(self) -> None:
        """Say good-bye."""
        self._client.disconnect()
        self._client.loop_write()

    def publish(self, number: int, message: Message) -> None:
        """Hand a message to the socket; `number` comes back when it is acknowledged."""
        info = self._client.publish(message.topic, message.payload, qos=1)
        self._waiting[info.mid] = number

    def ready(self, events: int) -> None:
        """The socket can be read or written."""
        if events & selectors.EVENT_READ:
            self._client.loop_read()
        if events & selectors.EVENT_WRITE:
            self._client.loop_write()

    def keep_alive(self) -> None:
        """Ping when it is time; to be called about every second."""
        self._client.loop_misc()

    def _on_connect(
        self, _client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, _more: Properties | None
    ) -> None:
        self.connected = not reason.is_failure
        self.refused = str(reason) if reason.is_failure else ""
        self._changed(self, self.connected)

    def _on_disconnect(
        self,
        _client: Client,
        _data: Any,
        _flags: DisconnectFlags,
        _reason: ReasonCode,
        _more: Properties | None,
    ) -> None:
        self.connected = False
        self._changed(self, False)

    def _on_publish(
        self, _client: Client, _data: Any, mid: int, _reason: ReasonCode, _more: Properties | None
    ) -> None:
        self._acknowledged(self._waiting.pop(mid))

    def _on_open(self, _client: Client, _data: Any, sock: Any) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(sock, selectors.EVENT_READ, self)

    def _on_close(self, _client: Client, _data: Any, sock: Any) -> None:
        self._selector.unregister(sock)

    def _on_want_write(self, _client: Client, _data: Any, sock: Any) -> None:
        self._selector.modify(sock, selectors.EVENT_READ | selectors.EVENT_WRITE, self)

    def _on_no_write(self, _client: Client, _data: Any, sock: Any) -> None:
        self._selector.modify(sock, selectors.EVENT_READ, self)
