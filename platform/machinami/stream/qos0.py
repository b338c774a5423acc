"""QoS 0 messages join the others in the stream.

The broker stores by itself only what it acknowledges. A QoS 0 message passes by on its subject, as every
other does as well, so whoever looks for them sees all traffic. At 10 µs a message the client library would
cost more than much of ingest; this reads the few lines of the NATS protocol that it needs, at 1 µs.
"""

import asyncio
import itertools
import re
from typing import Final

import msgspec

from machinami.errors import Unavailable
from machinami.stream.client import PREFIX, USER, split_addresses

_QUEUE = "machinami-qos0"
_IS_QOS0 = re.compile(rb"\r\nNmqtt-Pub: ?0\r\n").search
_PAUSE = 1.0  # seconds before a broken connection is tried again
_LINE: Final = b"\r\n"


async def take_in_qos0(address: str, password: str) -> None:
    """Put each QoS 0 message into the stream, until cancelled.

    QoS 0 is at most once: what arrives while nobody runs this is gone, as MQTT allows. Several processes may
    run it; the broker gives each message to one of them.

    Args:
        address: host:port of the NATS client port; of a cluster several, with commas between them.
    """
    loop = asyncio.get_running_loop()
    for server in itertools.cycle(split_addresses(address)):
        host, _, port = server.rpartition(":")
        try:
            transport, intake = await loop.create_connection(lambda: _Intake(password), host, int(port))
        except OSError:  # the reader of the stream says that the broker is away, and waits for it too
            await asyncio.sleep(_PAUSE)
            continue
        try:
            await intake.closed.wait()
        finally:
            transport.close()
        await asyncio.sleep(_PAUSE)


class _Intake(asyncio.Protocol):
    """One connection: ``HMSG subject sid [reply] header-bytes all-bytes``, then so many bytes."""

    def __init__(self, password: str) -> None:
        options = {"user": USER, "pass": password, "verbose": False, "headers": True, "protocol": 1}
        hello = b"CONNECT " + msgspec.json.encode(options) + _LINE
        self.closed = asyncio.Event()
        self._greeting = hello + b"SUB > " + _QUEUE.encode() + b" 1" + _LINE
        self._transport: asyncio.Transport | None = None
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say who we are, and ask for everything."""
        if not isinstance(transport, asyncio.Transport):
            raise Unavailable(f"cannot write to the broker over {type(transport).__name__}")
        self._transport = transport
        transport.write(self._greeting)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 # asyncio's name and arguments
        """Let `take_in_qos0` connect again."""
        self.closed.set()

    def data_received(self, data: bytes) -> None:
        """Take whole lines and messages; keep what is not whole yet."""
        data = self._rest + data
        answers: list[bytes] = []
        begin = 0
        while (end := data.find(_LINE, begin)) >= 0:
            kind = data[begin : begin + 4]
            following = end + 2
            if kind in (b"HMSG", b"MSG "):
                words = data[begin:end].split()
                following += int(words[-1]) + 2
                if following > len(data):
                    break
                if kind == b"HMSG" and _IS_QOS0(data, end + 2, end + 2 + int(words[-2])):
                    payload = data[end + 2 + int(words[-2]) : following - 2]
                    answers.append(_store(words[1], payload))
            elif kind == b"PING":
                answers.append(b"PONG" + _LINE)
            begin = following
        self._rest = data[begin:]
        if answers and self._transport:
            self._transport.write(b"".join(answers))


def _store(subject: bytes, payload: bytes) -> bytes:
    return b"PUB %s%s %d\r\n%s\r\n" % (PREFIX.encode(), subject, len(payload), payload)
