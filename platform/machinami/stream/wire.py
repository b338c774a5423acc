"""The few lines of the NATS protocol that messages in bulk need.

A client library makes several objects of each message and wakes the event loop for it: 6 to 9 µs of CPU a
message, where all else that ingest does with it takes as much. This reads whole chunks at about 1 µs.
"""

import asyncio
from typing import Final

import msgspec

from machinami.errors import Unavailable

LINE: Final = b"\r\n"
_LARGE: Final = 2**16  # bytes; who gets that much at once has more waiting
USER: Final = "city"
"""NATS user of the city's own processes."""
LISTENER: Final = "city-qos0"
"""NATS user, with the same password, that may hear what devices publish, and nothing else."""


class Wire(asyncio.Protocol):
    """One connection: ``HMSG subject sid [reply] header-bytes all-bytes``, then so many bytes.

    Args:
        user, password: who we are.
        subscription: what to ask for, e.g. ``> queue 1``.
        pause: seconds to let messages gather after some have come; waking up for each costs more than it.

    Attributes:
        closed: set once the connection is gone.
        error: what the server complained of last.
    """

    def __init__(self, user: str, password: str, subscription: str, pause: float) -> None:
        options = {"user": user, "pass": password, "verbose": False, "protocol": 1}
        able = {"headers": True, "no_responders": True}
        hello = b"CONNECT " + msgspec.json.encode({**options, **able}) + LINE
        self.closed = asyncio.Event()
        self.error = ""
        self._greeting = hello + b"SUB " + subscription.encode() + LINE
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._pause = pause

    def take(self, words: list[bytes], data: bytes, begin: int, end: int) -> None:
        """One message: the words of its first line, and where its headers and payload lie in the data."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say who we are, and ask for what we want."""
        if not isinstance(transport, asyncio.Transport):
            raise Unavailable(f"cannot write to the broker over {type(transport).__name__}")
        self._transport = transport
        transport.write(self._greeting)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 # asyncio's name and arguments
        """Let whoever opened it know."""
        self.closed.set()

    def data_received(self, data: bytes) -> None:
        """Take whole lines and messages; keep what is not whole yet."""
        if len(data) < _LARGE and self._transport is not None:
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(self._pause, self._transport.resume_reading)
        data = self._rest + data if self._rest else data
        begin, size = 0, len(data)
        while (end := data.find(LINE, begin)) >= 0:
            following = end + 2
            if data.startswith((b"HMSG ", b"MSG "), begin):
                words = data[begin:end].split()
                last = following + int(words[-1])
                if last + 2 > size:
                    break
                self.take(words, data, following, last)
                following = last + 2
            elif data.startswith(b"PING", begin):
                self.send(b"PONG" + LINE)
            elif data.startswith(b"-ERR", begin):
                self.error = data[begin:end].decode(errors="replace")
            begin = following
        self._rest = data[begin:]

    def send(self, data: bytes) -> None:
        """Write to the server."""
        if self._transport is not None:
            self._transport.write(data)

    def publish(self, subject: bytes, payload: bytes, reply: bytes = b"") -> None:
        """Send one message; no answer tells whether it arrived."""
        target = b"%s %s" % (subject, reply) if reply else subject
        self.send(b"PUB %s %d\r\n%s\r\n" % (target, len(payload), payload))

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()


def split_addresses(address: str) -> list[str]:
    """host:port of each server, of one or of several with commas between them."""
    return [server.strip() for server in address.split(",")]


async def connect(server: str, wire: Wire) -> None:
    """Open a connection to a host:port.

    Raises:
        OSError: nobody listens there.
    """
    host, _, port = server.rpartition(":")
    await asyncio.get_running_loop().create_connection(lambda: wire, host, int(port))
