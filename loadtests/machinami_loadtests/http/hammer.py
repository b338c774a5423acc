"""Many HTTP/1.1 requests over a few connections, encoded beforehand so that the sender costs little."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import msgspec
import numpy as np
from machinami.errors import Unavailable

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length:"
_OK = range(200, 300)


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What came back.

    Attributes:
        seconds: from the first request to the last answer; milliseconds: of each answer.
    """

    requests: int
    seconds: float
    milliseconds: Sequence[float]

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds

    def percentile(self, share: float) -> float:
        """Milliseconds in which this share (0 to 100) of the requests was answered."""
        return float(np.percentile(self.milliseconds, share))


def encode(method: str, url: str, body: bytes = b"", media: str = "application/json") -> bytes:
    """A request as it goes over the wire."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    head = f"{method} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
    if body:
        head += f"Content-Type: {media}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body


async def hammer(base: str, requests: Sequence[bytes], connections: int) -> Tally:
    """Send all of them, each connection the next one as soon as it has its answer.

    Args:
        base: URL whose host and port are meant.

    Raises:
        Unavailable: an answer is not of the 200 family, or a connection breaks.
    """
    parts, waiting, times = urlsplit(base), iter(requests), list[float]()
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(min(connections, len(requests))):
            work = _connection(parts.hostname or "", parts.port or 80, waiting, times)
            group.create_task(work, name=f"connection {number}")
    return Tally(requests=len(times), seconds=time.perf_counter() - began, milliseconds=times)


async def _connection(host: str, port: int, waiting: Iterator[bytes], times: list[float]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        for request in waiting:
            began = time.perf_counter()
            writer.write(request)
            await _answer(reader)
            times.append((time.perf_counter() - began) * 1000)
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> None:
    try:
        head = await reader.readuntil(_END_OF_HEAD)
        body = await reader.readexactly(_content_length(head))
    except asyncio.IncompleteReadError as error:
        raise Unavailable("the server broke off amid an answer") from error
    status = int(head.split(b" ", 2)[1])
    if status not in _OK:
        raise Unavailable(f"the server answered {status}: {body[:200].decode(errors='replace')}")


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    start = lowered.find(_LENGTH)
    return int(lowered[start + len(_LENGTH) : lowered.index(b"\r\n", start)]) if start >= 0 else 0
