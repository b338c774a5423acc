"""A sender that nothing discourages, and that remembers every acknowledgement one by one.

Each line is one MQTT connection with a persistent session (clause 4.4): when it breaks, the line connects
again and sends with DUP whatever was not acknowledged, under the packet ids that it had.
"""

import select
import socket
import threading
import time
from collections.abc import Iterator

import msgspec
from machinami_simulators import packets

from machinami_loadtests.meters import Plan

_CONNECTIONS = 4
_WINDOW = 1_000  # unacknowledged messages a connection may have
_BLOCK = 100  # messages written at once
_PAUSE = 0.1  # seconds before the next attempt to connect
_TICK = 0.005  # seconds
_PATIENCE = 10.0  # seconds without an acknowledgement before a connection is thought dead
_READ = 1 << 16
_CONNACK = b"\x20\x02"
_PUBACK = b"\x40\x02"


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How far a sender is.

    Attributes:
        sent: different messages; resent: how many of them were sent once more, with DUP.
        reconnects: how often a connection broke or was refused.
    """

    sent: int = 0
    acknowledged: int = 0
    resent: int = 0
    reconnects: int = 0

    @property
    def in_flight(self) -> int:
        """Sent and not acknowledged."""
        return self.sent - self.acknowledged

    def __add__(self, other: "Tally") -> "Tally":
        mine, others = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        names = Tally.__struct_fields__
        return Tally(**{name: a + b for name, a, b in zip(names, mine, others, strict=True)})


class Sender:
    """Sends a plan's messages at a rate (messages/s over all connections) until it is told to finish."""

    def __init__(self, address: tuple[str, int], plan: Plan, rate: float) -> None:
        self.plan = plan
        self._marks = bytearray(plan.messages)
        self._lines = [
            _Line(address, plan, number, rate / _CONNECTIONS, self._marks) for number in range(_CONNECTIONS)
        ]

    def start(self) -> None:
        """Begin."""
        for line in self._lines:
            line.start()

    def surge(self, seconds: float) -> None:
        """Send as fast as acknowledgements allow for so long: every window is full then."""
        for line in self._lines:
            line.surges_until = time.monotonic() + seconds

    def finish(self) -> None:
        """Send nothing new, and return when all that was sent is acknowledged."""
        for line in self._lines:
            line.finishing.set()
        for line in self._lines:
            line.join()

    def tally(self) -> Tally:
        """How far it is now."""
        return sum((line.tally() for line in self._lines), Tally())

    def next_number(self) -> int:
        """A message that has not been sent yet and will be sent soon.

        Raises:
            RuntimeError: the plan is used up.
        """
        upcoming = self._lines[0].upcoming
        if upcoming is None:
            raise RuntimeError("every message of the plan has been sent: make it longer, or the rate lower")
        return upcoming

    def acknowledged(self) -> Iterator[int]:
        """The number of each message that was acknowledged."""
        return (number for number, mark in enumerate(self._marks) if mark)


class _Line(threading.Thread):
    def __init__(
        self, address: tuple[str, int], plan: Plan, number: int, rate: float, marks: bytearray
    ) -> None:
        super().__init__(name=f"soak-{number}", daemon=True)
        self.finishing = threading.Event()
        self.surges_until = 0.0
        self._address = address
        self._plan = plan
        self._numbers = plan.numbers(number, _CONNECTIONS)
        self.upcoming = next(self._numbers, None)
        self._rate = rate
        self._due = 0.0  # messages that the clock asks for by now
        self._counted = time.monotonic()
        self._marks = marks
        self._in_flight: dict[int, int] = {}  # packet id → message, in the order in which they were sent
        self._sent = self._acknowledged = self._resent = self._reconnects = 0

    def tally(self) -> Tally:
        return Tally(
            acknowledged=self._acknowledged,  # read first: it must never be ahead of what was sent
            sent=self._sent,
            resent=self._resent,
            reconnects=self._reconnects,
        )

    def run(self) -> None:
        while not self._done():
            try:
                with socket.create_connection(self._address, timeout=_PATIENCE) as connection:
                    self._greet(connection)
                    self._send_again(connection)
                    self._talk(connection)
            except OSError:
                self._reconnects += 1
                time.sleep(_PAUSE)

    def _done(self) -> bool:
        return self.finishing.is_set() and not self._in_flight

    def _greet(self, connection: socket.socket) -> None:
        connection.sendall(packets.connect(self.name, clean=False))
        answer = connection.recv(4)
        if len(answer) != 4 or answer[:2] != _CONNACK or answer[3]:
            raise ConnectionRefusedError(f"the broker refused the connection: {answer.hex()}")

    def _send_again(self, connection: socket.socket) -> None:
        for packet_id, number in self._in_flight.items():
            connection.sendall(packets.publish(*self._plan.message(number), packet_id, again=True))
            self._resent += 1

    def _talk(self, connection: socket.socket) -> None:
        unread, heard = b"", time.monotonic()
        while not self._done():
            self._send(connection, self._wanted())
            if select.select([connection], [], [], _TICK)[0]:
                unread = self._take(unread + _received(connection))
                heard = time.monotonic()
            elif not self._in_flight:
                heard = time.monotonic()
            elif time.monotonic() - heard > _PATIENCE:
                raise TimeoutError("no acknowledgement comes any more")

    def _wanted(self) -> int:
        """How many messages are due now; what an outage kept back is sent then, a window of it at most."""
        now = time.monotonic()
        self._due = min(_WINDOW, self._due + (now - self._counted) * self._rate)
        self._counted = now
        if self.finishing.is_set():
            return 0
        room = _WINDOW - len(self._in_flight)
        return min(_BLOCK, room if now < self.surges_until else min(room, int(self._due)))

    def _send(self, connection: socket.socket, count: int) -> None:
        block = bytearray()
        for _ in range(count):
            number, packet_id = self.upcoming, packets.packet_id(self._sent)
            if number is None:  # the plan is used up; what was sent is still seen through
                break
            self.upcoming = next(self._numbers, None)
            self._in_flight[packet_id] = number  # before it leaves: it may be lost on the way
            self._sent += 1
            block += packets.publish(*self._plan.message(number), packet_id)
        self._due = max(0.0, self._due - count)
        connection.sendall(block)

    def _take(self, data: bytes) -> bytes:
        """Note acknowledgements; what is left of the last packet."""
        whole = len(data) - len(data) % 4
        for at in range(0, whole, 4):
            if data[at : at + 2] != _PUBACK:
                raise ConnectionError(f"not a PUBACK: {data[at : at + 4].hex()}")
            number = self._in_flight.pop(int.from_bytes(data[at + 2 : at + 4]), None)
            if number is None:
                raise ConnectionError(f"nothing was sent for {data[at : at + 4].hex()}")
            self._marks[number] = 1
            self._acknowledged += 1
        return data[whole:]


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(_READ)
    if not data:
        raise ConnectionResetError("the broker closed the connection")
    return data
