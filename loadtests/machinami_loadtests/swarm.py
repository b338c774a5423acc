"""The high-rate swarm: a few connections that write packets made ahead of time, with rate control.

One thread, non-blocking sockets. QoS 1: every PUBACK is compared with the one expected, in order; QoS 0 has
none. A load test is then limited by the broker and what is behind it, not by its client. Packets may also
come from generators, block by block, so that a run of days needs no more memory than one of seconds.
"""

import selectors
import socket
import time
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice, repeat

import msgspec
from machinami_simulators import packets

_BLOCK = 512  # packets written at once
_READ = 1 << 16
_PATIENCE = 30.0  # seconds without any progress before the broker is given up


class SwarmError(Exception):
    """The broker refused a connection, acknowledged wrongly, or stopped answering."""


class Journal:
    """What one connection does: ``(time.time(), messages so far)``, appended as it happens.

    Another thread may take entries away from the left meanwhile.
    """

    def __init__(self) -> None:
        self.sent: deque[tuple[float, int]] = deque()
        self.acknowledged: deque[tuple[float, int]] = deque()


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """What a swarm did.

    Attributes:
        messages: how many were sent, and at QoS 1 acknowledged.
        started_at: when the first message left; finished_at: when the last was acknowledged.
        journals: one for each connection.
    """

    messages: int
    started_at: float
    finished_at: float
    journals: Sequence[Journal]

    @property
    def sent_at(self) -> list[list[float]]:
        """For each connection and message, when it was handed to the kernel (`time.time`, seconds)."""
        return [_each(journal.sent) for journal in self.journals]


def _each(entries: Iterable[tuple[float, int]]) -> list[float]:
    moments: list[float] = []
    for moment, total in entries:
        moments.extend(repeat(moment, total - len(moments)))
    return moments


def swarm(
    address: tuple[str, int],
    batches: Sequence[Iterable[bytes]],
    *,
    name: str = "swarm",
    qos: int = 1,
    rate: float | None = None,
    shares: Sequence[float] | None = None,
    seconds: float | None = None,
    window: int = 4_096,
    user: str = "",
    password: str = "",
    journals: Sequence[Journal] | None = None,
) -> Published:
    """Publish and return when everything is acknowledged.

    Args:
        batches: packets for each connection, from `packets.publishes` or a generator like it.
        rate: messages/s over all connections; None is as fast as acknowledgements allow.
        shares: each connection's part of the rate; None is the same for all.
        seconds: when to stop sending although there is more; None sends everything.
        window: unacknowledged messages a connection may have at most; below 65,535.
        journals: where to write, one for each connection, for who wants to look on.

    Raises:
        SwarmError: see there.
    """
    journals = journals or [Journal() for _ in batches]
    shares = shares or [1 / len(batches) for _ in batches]
    speeds = [None if rate is None else rate * share for share in shares]
    greetings = [packets.connect(f"{name}-{number}", user, password) for number in range(len(batches))]
    with ExitStack() as stack:
        lines = [
            _Line(stack.enter_context(_connected(address, hello)), batch, qos, window, journal, speed)
            for hello, batch, journal, speed in zip(greetings, batches, journals, speeds, strict=True)
        ]
        started_at = time.time()
        _run(lines, seconds, paced=rate is not None)
        finished_at = time.time()
        for line in lines:
            line.end()
    return Published(
        messages=sum(line.written for line in lines),
        started_at=started_at,
        finished_at=finished_at,
        journals=journals,
    )


@contextmanager
def _connected(address: tuple[str, int], hello: bytes) -> Generator[socket.socket]:
    with socket.create_connection(address, timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(hello)
        answer = connection.recv(4)
        if answer != packets.CONNACK:
            raise SwarmError(f"the broker refused the connection: {answer.hex() or 'closed'}")
        connection.setblocking(False)
        yield connection


def _run(lines: Sequence["_Line"], seconds: float | None, *, paced: bool) -> None:
    with selectors.DefaultSelector() as selector:
        for line in lines:
            selector.register(line.socket, selectors.EVENT_READ, line)
        begun = progressed = time.monotonic()
        done = 0
        while not all(line.done for line in lines):
            elapsed = time.monotonic() - begun
            if seconds is not None and elapsed >= seconds:
                for line in lines:
                    line.stop()
            waiting = [line for line in lines if line.write(elapsed)]
            # A line that cannot write waits for its acknowledgements; one that is paced, for the clock.
            for key, _ in selector.select(0.0 if waiting and not paced else 0.001):
                key.data.read()
            now_done = sum(line.acknowledged + line.written for line in lines)
            if now_done != done:
                done, progressed = now_done, time.monotonic()
            elif time.monotonic() - progressed > _PATIENCE:
                raise SwarmError(f"the broker made no progress for {_PATIENCE:.0f} s")


class _Line:
    """One connection: what it has still to write, and what has been acknowledged."""

    def __init__(
        self,
        connection: socket.socket,
        batch: Iterable[bytes],
        qos: int,
        window: int,
        journal: Journal,
        rate: float | None,
    ) -> None:
        self.socket = connection
        self.written = 0
        self.acknowledged = 0
        self._journal = journal
        self._packets = iter(batch)
        self._ended = False
        self._qos = qos
        self._window = window
        self._rate = rate
        self._unsent = memoryview(b"")
        self._unread = b""

    @property
    def done(self) -> bool:
        """Everything written and, at QoS 1, acknowledged."""
        answered = self.acknowledged == self.written or not self._qos
        return self._ended and not self._unsent and answered

    def stop(self) -> None:
        """Write nothing more but what has been begun."""
        self._ended = True

    def write(self, elapsed: float) -> bool:
        """Write what window and rate allow by now; whether there may be more to write right away."""
        if not self._unsent:
            room = self._window - (self.written - self.acknowledged) if self._qos else _BLOCK
            due = _BLOCK if self._rate is None else int(elapsed * self._rate) - self.written
            wanted = 0 if self._ended else max(0, min(room, due, _BLOCK))
            block = list(islice(self._packets, wanted))
            self._ended |= len(block) < wanted
            if not block:
                return False
            self._unsent = memoryview(b"".join(block))
            self.written += len(block)
            self._journal.sent.append((time.time(), self.written))
        try:
            self._unsent = self._unsent[self.socket.send(self._unsent) :]
        except BlockingIOError:
            return False
        return not self._unsent

    def read(self) -> None:
        """Take in acknowledgements and hold each against the one expected."""
        data = self.socket.recv(_READ)
        if not data:
            raise SwarmError("the broker closed the connection")
        data = self._unread + data
        count = len(data) // 4
        expected = packets.acknowledgements(self.acknowledged, self.acknowledged + count)
        if data[: count * 4] != expected:
            raise SwarmError(f"message {self.acknowledged} or one after it was acknowledged wrongly")
        self.acknowledged += count
        self._journal.acknowledged.append((time.time(), self.acknowledged))
        self._unread = data[count * 4 :]

    def end(self) -> None:
        """Say goodbye."""
        self.socket.setblocking(True)
        self.socket.sendall(packets.DISCONNECT)
