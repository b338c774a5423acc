"""One MQTT 3.1.1 connection that publishes: packets written straight to a socket.

A general client took 27 µs of CPU a message here (paho-mqtt, measured), five times as much as the whole city
needs to think of one; this one only publishes, and takes 2.6.
"""

import selectors
import socket
import time
from collections import deque
from collections.abc import Callable

from machinami_simulators import packets
from machinami_simulators.wire import Message

_CONNECT_TIMEOUT = 3.0
_READ = 1 << 16
_CONNACK, _PUBACK = 0x20, 0x40
_REFUSED = {
    1: "unacceptable protocol version",
    2: "client id rejected",
    3: "server unavailable",
    4: "bad user name or password",
    5: "not authorized",
}


class Connection:
    """A publisher. What is not acknowledged when a connection breaks is sent again on the next one.

    Args:
        name: MQTT client id.
        window: messages that may wait for their acknowledgement at once; below 65,535.
        acknowledged: called with the number of each message that the broker acknowledged.
        changed: called when the connection was made (True) or broke or was refused (False).
    """

    __slots__ = (
        "_acknowledged", "_changed", "_heard_at", "_next", "_out", "_selector", "_socket", "_unread",
        "_unsent", "_waiting", "_watched", "_window", "_wrote_at", "connected", "name", "pending", "refused",
    )  # fmt: skip

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
        self._waiting: dict[int, tuple[int, Message]] = {}
        self._window = window
        self._selector = selector
        self._acknowledged = acknowledged
        self._changed = changed
        self._socket: socket.socket | None = None
        self._next = 0
        self._out: list[bytes] = []
        self._unsent = memoryview(b"")
        self._unread = b""
        self._wrote_at = self._heard_at = 0.0
        self._watched = 0

    @property
    def waiting(self) -> int:
        """Messages sent and not yet acknowledged."""
        return len(self._waiting)

    @property
    def room(self) -> int:
        """How many messages may be published now."""
        return self._window - len(self._waiting) if self.connected and not self._unsent else 0

    def open(self, host: str, port: int) -> None:
        """Connect; the broker's answer comes later.

        Raises:
            OSError: nobody listens there.
        """
        opened = socket.create_connection((host, port), timeout=_CONNECT_TIMEOUT)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.setblocking(False)
        self._socket, self._unread, self.refused = opened, b"", ""
        self._heard_at = time.monotonic()
        self._watched = selectors.EVENT_READ
        self._selector.register(opened, self._watched, self)
        self._out = [packets.connect(self.name)]
        self.flush()

    def close(self) -> None:
        """Say good-bye."""
        if self._socket is not None:
            self._out.append(packets.DISCONNECT)
            self.flush()
            self._drop()

    def publish(self, number: int, message: Message) -> None:
        """Put a message into the next `flush`; `number` comes back when it is acknowledged (not at QoS 0)."""
        if message.qos:
            self._next = packets.packet_id(self._next)
            while self._next in self._waiting:
                self._next = packets.packet_id(self._next)
            self._waiting[self._next] = number, message
        self._out.append(packets.publish(message.topic, message.payload, self._next, message.qos))

    def flush(self) -> None:
        """Write what was published, as far as the socket takes it."""
        if self._socket is None:
            return
        self._unsent = memoryview(b"".join((self._unsent, *self._out)))
        self._out.clear()
        try:
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
            self._wrote_at = time.monotonic()
        except BlockingIOError:
            pass  # the rest follows when the socket takes it
        except OSError:
            self._break()
            return
        self._watch(selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0))

    def _watch(self, events: int) -> None:
        if self._socket is not None and events != self._watched:
            self._selector.modify(self._socket, events, self)
            self._watched = events

    def ready(self, events: int) -> None:
        """The socket can be read or written."""
        if events & selectors.EVENT_READ:
            self._read()
        if events & selectors.EVENT_WRITE:
            self.flush()

    def keep_alive(self) -> None:
        """Ping when it is time, and give up who does not answer; to be called about every second."""
        if not self.connected:
            return
        now = time.monotonic()
        if now - self._heard_at > 1.5 * packets.KEEP_ALIVE:
            self._break()
        elif now - max(self._wrote_at, self._heard_at) > packets.KEEP_ALIVE / 2 and not self._unsent:
            self._out.append(packets.PINGREQ)
            self.flush()

    def _read(self) -> None:
        if self._socket is None:
            return
        try:
            data = self._socket.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._break()
            return
        self._heard_at = time.monotonic()
        self._take(self._unread + data)

    def _take(self, data: bytes) -> None:
        """Answers of a broker to a publisher are at most four bytes long: CONNACK, PUBACK, PINGRESP."""
        at = 0
        while at + 2 <= len(data) and at + 2 + data[at + 1] <= len(data):
            kind = data[at]
            if kind == _PUBACK:
                waiting = self._waiting.pop(data[at + 2] << 8 | data[at + 3], None)
                if waiting is not None:
                    self._acknowledged(waiting[0])
            elif kind == _CONNACK:
                self._on_connack(data[at + 3])
            at += 2 + data[at + 1]
        self._unread = data[at:]

    def _on_connack(self, code: int) -> None:
        if code:
            self.refused = _REFUSED.get(code, f"code {code}")
            self._break()
            return
        self.connected = True
        for identity, (_, message) in self._waiting.items():
            self._out.append(packets.publish(message.topic, message.payload, identity, again=True))
        self.flush()
        self._changed(self, True)

    def _break(self) -> None:
        self._drop()
        self._changed(self, False)

    def _drop(self) -> None:
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
        self._socket, self.connected = None, False
        self._out.clear()
        self._unsent = memoryview(b"")
