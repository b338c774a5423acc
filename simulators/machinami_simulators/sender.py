"""Sending: many MQTT connections, one thread, one selector; every message in the ledger before it leaves."""

import selectors
import socket
import sys
import time
from types import TracebackType

from machinami_simulators.connection import Connection
from machinami_simulators.errors import BrokerUnreachable
from machinami_simulators.ledger import Ledger
from machinami_simulators.lines import Line, own_connection
from machinami_simulators.wire import Message

_FIRST_DELAY, _LONGEST_DELAY = 0.25, 5.0  # seconds between attempts to reach the broker
_OPEN_AT_ONCE = 40  # connections opened in one turn
_CONNECT_TIMEOUT = 3.0


class Sender:
    """Publishes messages on the connections that they name. A context manager.

    Args:
        window: unacknowledged messages a connection.
        line: which connection a message leaves on, see `lines`.

    Attributes:
        sent: messages handed to a socket.
        acknowledged: messages that the broker has acknowledged; at QoS 0 nothing waits for it.
        backlog: messages put here and not yet sent.
        most_backlog: how many may wait; above it the simulated clock waits, so that memory is bounded.
    """

    def __init__(
        self, host: str, port: int, ledger: Ledger, *, window: int, line: Line = own_connection
    ) -> None:
        self._address = host, port
        self._ledger = ledger
        self._window = window
        self._line = line
        self._selector = selectors.DefaultSelector()
        self._connections: dict[str, Connection] = {}
        self._closed: dict[str, Connection] = {}  # to be opened
        self._filled: dict[str, Connection] = {}  # with something to send
        self._delay, self._try_at, self._keep_alive_at = 0.0, 0.0, 0.0
        self.sent = self.acknowledged = self.backlog = 0
        self.most_backlog = 5_000

    def __enter__(self) -> "Sender":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say good-bye on every connection."""
        for connection in self._connections.values():
            connection.close()
        self._selector.close()

    @property
    def unacknowledged(self) -> int:
        """Messages sent that the broker has not acknowledged yet."""
        return self.sent - self.acknowledged

    def put(self, message: Message) -> None:
        """Queue a message on its connection. The caller keeps `backlog` bounded."""
        name = self._line(message)
        connection = self._connections.get(name) or self._add(name)
        connection.pending.append(message)
        self._filled[connection.name] = connection
        self.backlog += 1

    def turn(self, timeout: float) -> None:
        """Connect, send, read acknowledgements; wait at most `timeout` seconds for something to do."""
        self._open_connections()
        self._send()
        for key, events in self._selector.select(timeout):
            key.data.ready(events)
        if time.monotonic() >= self._keep_alive_at:
            self._keep_alive_at = time.monotonic() + 1.0
            for connection in self._connections.values():
                connection.keep_alive()

    def drain(self, seconds: float) -> bool:
        """Send nothing more; wait at most so long for what was sent, False when some is not acknowledged."""
        self._filled.clear()
        end = time.monotonic() + seconds
        while self.unacknowledged and time.monotonic() < end:
            self.turn(0.05)
        self._ledger.write(())
        return not self.unacknowledged

    def _add(self, name: str) -> Connection:
        connection = Connection(
            name,
            self._selector,
            window=self._window,
            acknowledged=self._on_acknowledged,
            changed=self._on_changed,
        )
        self._connections[name] = self._closed[name] = connection
        return connection

    def _open_connections(self) -> None:
        if not self._closed or time.monotonic() < self._try_at:
            return
        for connection in list(self._closed.values())[:_OPEN_AT_ONCE]:
            try:
                connection.open(*self._address)
            except OSError as error:
                self._back_off(str(error))
                return
            self._closed.pop(connection.name)

    def _back_off(self, reason: str) -> None:
        if not self._delay:
            print(
                f"The MQTT broker at {address(*self._address)} is away ({reason}); trying again.",
                file=sys.stderr,
            )
        self._delay = min(max(2 * self._delay, _FIRST_DELAY), _LONGEST_DELAY)
        self._try_at = time.monotonic() + self._delay

    def _send(self) -> None:
        batch: list[tuple[Connection, Message]] = []
        for connection in list(self._filled.values()):
            number = min(connection.room, len(connection.pending))
            batch += [(connection, connection.pending.popleft()) for _ in range(number)]
            if not connection.pending:
                self._filled.pop(connection.name)
        if not batch:
            self._ledger.write(())
            return
        promised = iter(self._ledger.write([message for _, message in batch if message.qos]))
        for connection, message in batch:
            connection.publish(next(promised) if message.qos else 0, message)
            self.acknowledged += not message.qos
        for connection in {id(connection): connection for connection, _ in batch}.values():
            connection.flush()
        self.sent += len(batch)
        self.backlog -= len(batch)

    def _on_acknowledged(self, number: int) -> None:
        self._ledger.acknowledge(number)
        self.acknowledged += 1

    def _on_changed(self, connection: Connection, connected: bool) -> None:
        if connected:
            if self._delay:
                print(f"The MQTT broker at {address(*self._address)} is back.", file=sys.stderr)
            self._delay = 0.0
            return
        self._closed[connection.name] = connection
        if connection.refused:
            self._back_off(f"refused: {connection.refused}")


def address(host: str, port: int) -> str:
    """host:port, for people."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reach(host: str, port: int) -> None:
    """Make sure that somebody listens there.

    Raises:
        BrokerUnreachable: nobody does.
    """
    try:
        socket.create_connection((host, port), timeout=_CONNECT_TIMEOUT).close()
    except OSError as error:
        raise BrokerUnreachable(
            f"no MQTT broker answers at {address(host, port)} ({error.strerror or error})",
            "Start the city (machinami up), or name another broker with --mqtt-host and --mqtt-port",
        ) from error
