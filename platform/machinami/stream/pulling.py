"""Messages of the stream in bulk, as a consumer on the server hands them out."""

import asyncio
import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from secrets import token_hex
from typing import Final, TypeAlias

import msgspec

from machinami.errors import Unavailable
from machinami.model import Message
from machinami.stream.topics import topic_of
from machinami.stream.wire import USER, Wire, connect

PREFIX: Final = "$MQTT.msgs."
RECEIVED_AT: Final = "Machinami-Received-At"
"""Header of a replayed message. Devices cannot write it: MQTT 3.1.1 has no headers."""

ANSWER_SECONDS: Final = 2.0
"""How long past its time an answer may take; a restarted server knows nothing of what it was asked before."""

_PLAIN = len(b"NATS/1.0\r\nNmqtt-Pub:1\r\n\r\n")  # headers of what a device has sent
_REPLAYED = RECEIVED_AT.encode() + b":"
_TOO_LARGE = b"409 Message Size Exceeds MaxBytes"
_DONE = (b"404 ", b"408 ", _TOO_LARGE, b"409 Batch Completed")
"""What the server says (ADR-13) when it has given what it has, or what fits."""

_GATHER = 0.002  # seconds
_STATUS_AT = len(b"NATS/1.0 ")
_KNOWN_TOPICS = 200_000

Wanted: TypeAlias = Callable[[int, str], bool]
"""Says of a message's sequence and subject whether it is wanted."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask of a consumer.

    Attributes:
        subject: where it takes requests.
        after: messages that it has handed out so far.
        limit: messages at most. size: bytes at most, but for a single message that is larger.
        wait: seconds to wait for a first one.
    """

    subject: str
    after: int
    limit: int
    size: int
    wait: float
    wanted: Wanted | None = None

    @property
    def body(self) -> bytes:
        """With ``no_wait``, the server answers with what it has as soon as it has something."""
        bound = {"max_bytes": self.size} if self.limit > 1 else {}
        expires = int(self.wait * 1e9)
        return msgspec.json.encode({"batch": self.limit, "no_wait": True, "expires": expires, **bound})


class Pulled(msgspec.Struct, kw_only=True):
    """What came.

    Attributes:
        messages: those that were wanted.
        count: of all. last: sequence of the last of all.
        whole: no message was lost on the way; what follows a gap is not among these.
        too_large: the first does not fit.
    """

    messages: list[Message]
    count: int = 0
    last: int = 0
    whole: bool = True
    too_large: bool = False


class Pulling(Wire):
    """A connection on which one request at a time is answered. Get one with `open_pulling`."""

    def __init__(self, password: str) -> None:
        inbox = f"_INBOX.{token_hex(8)}"
        super().__init__(USER, password, f"{inbox}.* 1", _GATHER)
        self._inboxes = (f"{inbox}.{number}".encode() for number in itertools.count())
        self._inbox = b""
        self._request = Request(subject="", after=0, limit=0, size=0, wait=0)
        self._pulled = Pulled(messages=[])
        self._status = asyncio.get_running_loop().create_future()
        self._topics: dict[bytes, str] = {}

    async def pull(self, request: Request) -> Pulled:
        """Ask, and give what came. After an error, or when it is cancelled, this connection serves no more.

        Raises:
            Unavailable: the broker does not answer, or knows no such consumer.
        """
        self._request, self._pulled = request, Pulled(messages=[])
        self._status = asyncio.get_running_loop().create_future()
        self._inbox = next(self._inboxes)  # one of its own: a full answer's status may come behind the answer
        self.publish(request.subject.encode(), request.body, self._inbox)
        status = await self._answer(request.wait + ANSWER_SECONDS)
        if not status.startswith(_DONE):
            raise _unavailable(status.decode(errors="replace") or "the connection is gone")
        self._pulled.too_large = status.startswith(_TOO_LARGE) and not self._pulled.count
        return self._pulled

    async def _answer(self, patience: float) -> bytes:
        """The status at the end; waits as long as something comes."""
        progress = (-1, -1)
        while not self._status.done():
            if progress == (progress := (self._pulled.count, len(self._rest))):
                raise _unavailable(f"nothing came for {patience:g} s")
            await asyncio.wait([self._status], timeout=patience)
        return self._status.result()

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits need not wait any longer."""
        super().connection_lost(exc)
        self._end(b"")

    def take(self, words: list[bytes], data: bytes, begin: int, end: int) -> None:
        """One message, or the status that ends the answer."""
        if words[1].startswith(b"_INBOX."):
            if words[1] == self._inbox:
                self._end(data[begin + _STATUS_AT : data.find(b"\r\n", begin)])
            return
        pulled, request = self._pulled, self._request
        # $JS.ACK.stream.consumer.deliveries.sequence.count.nanoseconds.pending; ADR-15 adds to both ends
        ack = words[3].split(b".")
        place = 5 if len(ack) == 9 else 7
        # Nothing acknowledges these deliveries, so one lost on the way shows only as a gap in their count.
        if int(ack[place + 1]) != request.after + pulled.count + 1:
            pulled.whole = False
        if not pulled.whole:
            return
        pulled.count += 1
        pulled.last = sequence = int(ack[place])
        if request.wanted is None or request.wanted(sequence, words[1].decode(errors="replace")):
            headers = int(words[4]) if words[0] == b"HMSG" else 0
            replayed = _replayed(data, begin, begin + headers) if headers > _PLAIN else None
            pulled.messages.append(
                Message(
                    sequence=sequence,
                    topic=self._topics.get(words[1]) or self._topic(words[1]),
                    payload=data[begin + headers : end],
                    received_at=replayed or datetime.fromtimestamp(int(ack[place + 2]) / 1e9, UTC),
                )
            )
        if pulled.count == request.limit:
            self._end(_DONE[0])

    def _topic(self, subject: bytes) -> str:
        if len(self._topics) >= _KNOWN_TOPICS:
            self._topics.clear()
        topic = self._topics[subject] = topic_of(subject.decode(errors="replace").removeprefix(PREFIX))
        return topic

    def _end(self, status: bytes) -> None:
        if not self._status.done():
            self._status.set_result(status)


def _replayed(data: bytes, begin: int, end: int) -> datetime | None:
    """When it was first received, where a header says so."""
    place = data.find(_REPLAYED, begin, end)
    if place < 0:
        return None
    text = data[place + len(_REPLAYED) : data.find(b"\r\n", place)]
    return datetime.fromisoformat(text.strip().decode())


def _unavailable(why: str) -> Unavailable:
    return Unavailable(f"the broker does not answer: {why}", cure="Try again when it is up")


async def open_pulling(servers: list[str], password: str) -> Pulling:
    """Connect to the first of these servers (host:port) that listens.

    Raises:
        Unavailable: none does.
    """
    for server in servers:
        pulling = Pulling(password)
        try:
            await connect(server, pulling)
        except OSError:
            continue
        return pulling
    raise _unavailable(f"nobody listens at {', '.join(servers)}")
