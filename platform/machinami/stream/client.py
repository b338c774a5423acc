"""The durable log of MQTT messages: a JetStream stream, read by position.

The NATS server stores every QoS 1 and QoS 2 message in its stream ``$MQTT_msgs`` before it answers PUBACK or
PUBREC. We make that stream ours by creating it first, with limits instead of interest as its retention: what
a device was told is stored can then be read from here by its sequence number, whatever its topic. The
position kept in the database is the only one trusted; consumers are thrown away.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import msgspec
from natsrpy import Nats
from natsrpy.exceptions import NatsrpyBaseError
from natsrpy.js import (
    AckPolicy,
    DeliverPolicy,
    DiscardPolicy,
    JetStream,
    JetStreamMessage,
    PullConsumer,
    PullConsumerConfig,
    RetentionPolicy,
    StorageType,
    Stream,
    StreamConfig,
)

from machinami.errors import InvalidRequest, Unavailable
from machinami.model import Message
from machinami.stream.topics import subject_of, topic_of

STREAM = "$MQTT_msgs"
PREFIX = "$MQTT.msgs."
USER = "city"
_FETCH_BYTES = 8 * 2**20
"""Payloads in one batch: a worker has two in hand, and their decoded form is several times as large."""

_FETCH_MESSAGES = 100_000
_TOO_MUCH = "Message Size Exceeds MaxBytes"
"""What the server says where the next message does not fit any more. The client library then drops those that
did, so fewer messages are asked for: half as many, and a quarter more each time that goes well."""

_ANSWER_SECONDS = 2.0
"""How long past its time an answer may take; a restarted server knows nothing of what it was asked before."""

_CONSUMER_IDLE = timedelta(minutes=5)
_RECEIVED_AT = "Machinami-Received-At"
"""Header of a replayed message. Devices cannot write it: MQTT 3.1.1 has no headers."""
_TOO_LARGE = "max payload size exceeded"  # the client library has no type for it


class StreamLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much the stream holds at most.

    Attributes:
        size: bytes on disk; when they are used up, publishers are not acknowledged any more. There is no
            limit of age, which would drop what was acknowledged and has not been read.
        replicas: servers of a cluster that each hold a whole copy: 1, 3 or 5. More than half of them have a
            message before it is acknowledged.
    """

    size: int = 8 * 2**30
    replicas: int = 1


Wanted: TypeAlias = Callable[[int, str], bool]
"""Says of a message's sequence and subject whether it is wanted."""


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the stream that was read: what was wanted of it, and the sequence of its last message."""

    messages: list[Message]
    last: int


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """What the stream holds: sequence numbers of the first and last message, count, and bytes on disk.

    Attributes:
        first_at: when the first message came, aware UTC; now where there is none.
        limit: bytes that it may hold.
        name: tells this stream from one made anew in an empty folder, whose numbers begin again.
    """

    name: str
    first: int
    last: int
    messages: int
    size: int
    limit: int
    first_at: datetime

    @property
    def percent(self) -> float:
        """How full it is."""
        return 100 * self.size / self.limit if self.limit > 0 else 0.0


class MessageStream:
    """The stream of one city. Get one with `open_stream`."""

    def __init__(self, nats: Nats, jetstream: JetStream, stream: Stream) -> None:
        self._nats = nats
        self._jetstream = jetstream
        self._stream = stream
        self._consumer: PullConsumer | None = None
        self._next = 0
        self._delivered = 0
        self._most: int = _FETCH_MESSAGES

    async def state(self) -> StreamState:
        """How far the stream reaches.

        Raises:
            Unavailable: the broker does not answer.
        """
        try:
            info = await self._stream.get_info()
        except NatsrpyBaseError as error:
            raise _unavailable(error) from error
        return StreamState(
            name=f"{STREAM}@{info.created}",
            first=info.state.first_sequence,
            last=info.state.last_sequence,
            messages=info.state.messages,
            size=info.state.bytes,
            limit=info.config.max_bytes or 0,
            first_at=_moment(info.state.first_timestamp) if info.state.messages else datetime.now(UTC),
        )

    async def fetch(self, after: int, limit: int, wait: float) -> list[Message]:
        """Messages that follow a position, in order; fewer than `limit`, or none, when `wait` seconds pass.

        Large ones come in smaller batches: 8 MiB at most.

        Raises:
            Unavailable: the broker does not answer.
        """
        return (await self.read(after, limit, wait)).messages

    async def read(self, after: int, limit: int, wait: float, wanted: Wanted | None = None) -> Stretch:
        """What follows a position, as `fetch`, and how far that reaches.

        Args:
            limit: messages at most, unwanted ones included.
            wanted: which of them to give; the others cost little.

        Raises:
            Unavailable: the broker does not answer.
        """
        limit = min(limit, self._most)
        try:
            consumer = await self._consumer_at(after + 1)
            raw = await consumer.fetch(
                max_messages=limit, max_bytes=_FETCH_BYTES, expires=wait, timeout=wait + _ANSWER_SECONDS
            )
        except TimeoutError as error:
            self._consumer = None
            self._most = max(1, limit // 2)  # if it was slow and not gone, less is ready sooner
            raise Unavailable("the broker does not answer", cure="Try again when it is up") from error
        except NatsrpyBaseError as error:
            self._consumer = None
            if _TOO_MUCH in str(error) and limit > 1:
                self._most = limit // 2
                return await self.read(after, limit, wait, wanted)
            raise _unavailable(error) from error
        self._most = min(self._most + self._most // 4 + 1, _FETCH_MESSAGES)
        items = self._in_order(raw)
        if not items:
            if (await self.state()).last > after:
                # A restarted server has forgotten the consumer, and answers nothing rather than an error.
                self._consumer = None
            return Stretch(messages=[], last=after)
        messages = [
            _message(item) for item in items if wanted is None or wanted(item.stream_sequence, item.subject)
        ]
        return Stretch(messages=messages, last=items[-1].stream_sequence)

    async def _consumer_at(self, sequence: int) -> PullConsumer:
        if self._consumer is None or sequence != self._next:
            config = PullConsumerConfig(
                ack_policy=AckPolicy.NONE,
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                delivery_start_sequence=sequence,
                inactive_threshold=_CONSUMER_IDLE,
                memory_storage=True,
            )
            self._consumer = await self._stream.consumers.create(config)
            self._next = sequence
            self._delivered = 0
        return self._consumer

    def _in_order(self, raw: Sequence[JetStreamMessage]) -> Sequence[JetStreamMessage]:
        # Nothing acknowledges these deliveries, so one lost on the way shows only as a gap in the consumer's
        # own count: what follows a gap is dropped here and fetched again by a new consumer.
        before = self._delivered
        for item in raw:
            if item.consumer_sequence != self._delivered + 1:
                self._consumer = None
                break
            self._delivered += 1
        items = raw[: self._delivered - before]
        if items:
            self._next = items[-1].stream_sequence + 1
        return items

    async def publish(self, topic: str, payload: bytes, received_at: datetime | None = None) -> None:
        """Put a message into the stream as if a device had sent it; returns when it is stored.

        Args:
            received_at: when it was first received (aware), if that is not now.

        Raises:
            InvalidRequest: it is larger than the broker takes.
            Unavailable: the broker does not answer, or the stream is full.
        """
        headers = {_RECEIVED_AT: received_at.isoformat()} if received_at else None
        try:
            await self._jetstream.publish(PREFIX + subject_of(topic), payload, headers=headers, wait=True)
        except NatsrpyBaseError as error:
            if _TOO_LARGE in str(error):
                raise InvalidRequest(str(error), field="payload", cure="Send less at a time") from error
            raise _unavailable(error) from error

    async def forget(self, through: int) -> None:
        """Drop what the database has committed, up to and including this sequence.

        Raises:
            Unavailable: the broker does not answer.
        """
        try:
            # NATS purges what lies below the sequence it is given.
            await self._stream.purge(sequence=through + 1)
        except NatsrpyBaseError as error:
            raise _unavailable(error) from error


def _moment(timestamp: int) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)


def _message(item: JetStreamMessage) -> Message:
    replayed = item.headers.get(_RECEIVED_AT)
    return Message(
        sequence=item.stream_sequence,
        topic=topic_of(item.subject.removeprefix(PREFIX)),
        payload=item.payload,
        received_at=datetime.fromisoformat(replayed) if replayed else item.published,
    )


def _unavailable(error: NatsrpyBaseError) -> Unavailable:
    return Unavailable(f"the broker does not answer: {error}", cure="Try again when it is up")


@asynccontextmanager
async def open_stream(
    address: str, password: str, limits: StreamLimits | None = None
) -> AsyncGenerator[MessageStream]:
    """Connect to the stream of a running city.

    Args:
        address: host:port of the NATS client port; of a cluster several, with commas between them. What
            serves us now may die: the client goes on with another one.
        password: of the user `USER`.
        limits: create the stream with these, or give them to the one there is; None takes it as it is.

    Raises:
        Unavailable: the broker does not answer, or has no stream yet.
    """
    addresses = [f"nats://{server}" for server in split_addresses(address)]
    nats = Nats(addrs=addresses, user_and_pass=(USER, password))
    try:
        await nats.startup()
        jetstream = await nats.jetstream()
        streams = jetstream.streams
        stream = await (streams.create_or_update(_config(limits)) if limits else streams.get(STREAM))
    except NatsrpyBaseError as error:
        raise _unavailable(error) from error
    try:
        yield MessageStream(nats, jetstream, stream)
    finally:
        await nats.shutdown()


def split_addresses(address: str) -> list[str]:
    """host:port of each server, of one or of several with commas between them."""
    return [server.strip() for server in address.split(",")]


def _config(limits: StreamLimits) -> StreamConfig:
    return StreamConfig(
        name=STREAM,
        subjects=[PREFIX + ">"],
        storage=StorageType.FILE,
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.NEW,
        max_bytes=limits.size,
        max_age=timedelta(0),
        num_replicas=limits.replicas,
        allow_direct=True,
    )
