"""The durable log of MQTT messages: a JetStream stream, read by position.

The NATS server stores every QoS 1 and QoS 2 message in its stream ``$MQTT_msgs`` before it answers PUBACK or
PUBREC. We make that stream ours by creating it first, with limits instead of interest as its retention: what
a device was told is stored can then be read from here by its sequence number, whatever its topic. The
position kept in the database is the only one trusted; consumers are thrown away.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec
from natsrpy import Nats
from natsrpy.exceptions import NatsrpyBaseError
from natsrpy.js import (
    AckPolicy,
    DeliverPolicy,
    DiscardPolicy,
    JetStream,
    PullConsumerConfig,
    RetentionPolicy,
    StorageType,
    Stream,
    StreamConfig,
)

from machinami.errors import InvalidRequest, Unavailable
from machinami.model import Message
from machinami.stream.pulling import (
    PREFIX,
    RECEIVED_AT,
    Pulled,
    Pulling,
    Request,
    Wanted,
    open_pulling,
)
from machinami.stream.topics import subject_of
from machinami.stream.wire import USER, split_addresses

__all__ = ["MessageStream", "StreamLimits", "StreamState", "Stretch", "Wanted", "open_stream"]

STREAM = "$MQTT_msgs"
_FETCH_BYTES = 8 * 2**20
"""Bytes in one batch: a worker has three in hand, and their decoded form is several times as large."""

_CONSUMER_IDLE = timedelta(minutes=5)
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

    def __init__(self, jetstream: JetStream, stream: Stream, servers: list[str], password: str) -> None:
        self._jetstream = jetstream
        self._stream = stream
        self._servers = servers
        self._password = password
        self._pulling: Pulling | None = None
        self._consumer: str | None = None
        self._next = 0
        self._delivered = 0

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
        pulled = await self._pull(after, limit, wait, wanted)
        if pulled.too_large:
            pulled = await self._pull(after, 1, wait, wanted)
        if not pulled.whole or (not pulled.count and (await self.state()).last > after):
            # The rest is fetched again by a new consumer. A server may also have forgotten this one, and
            # answer nothing rather than an error.
            self._consumer = None
        return Stretch(messages=pulled.messages, last=pulled.last or after)

    async def _pull(self, after: int, limit: int, wait: float, wanted: Wanted | None) -> Pulled:
        pulling = self._pulling
        try:
            subject = await self._consumer_at(after + 1)
            if pulling is None or pulling.closed.is_set():
                pulling = self._pulling = await open_pulling(self._servers, self._password)
            pulled = await pulling.pull(
                Request(
                    subject=subject,
                    after=self._delivered,
                    limit=limit,
                    size=_FETCH_BYTES,
                    wait=wait,
                    wanted=wanted,
                )
            )
        except NatsrpyBaseError as error:
            self._give_up()
            raise _unavailable(error) from error
        except BaseException:  # cancelled as well: what is still on its way must not answer the next request
            self._give_up()
            raise
        self._delivered += pulled.count
        self._next = pulled.last + 1 if pulled.count else self._next
        return pulled

    async def _consumer_at(self, sequence: int) -> str:
        """Where a consumer takes requests that hands out what begins with this message."""
        if self._consumer is None or sequence != self._next:
            config = PullConsumerConfig(
                ack_policy=AckPolicy.NONE,
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                delivery_start_sequence=sequence,
                inactive_threshold=_CONSUMER_IDLE,
                memory_storage=True,
            )
            consumer = await self._stream.consumers.create(config)
            self._consumer = f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{consumer.name}"
            self._next = sequence
            self._delivered = 0
        return self._consumer

    def _give_up(self) -> None:
        self._consumer = None
        self.close()

    def close(self) -> None:
        """Let go of the connection for reading; another read opens it again."""
        if self._pulling is not None:
            self._pulling.close()
        self._pulling = None

    async def publish(self, topic: str, payload: bytes, received_at: datetime | None = None) -> None:
        """Put a message into the stream as if a device had sent it; returns when it is stored.

        Args:
            received_at: when it was first received (aware), if that is not now.

        Raises:
            InvalidRequest: it is larger than the broker takes.
            Unavailable: the broker does not answer, or the stream is full.
        """
        headers = {RECEIVED_AT: received_at.isoformat()} if received_at else None
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
    servers = split_addresses(address)
    nats = Nats(addrs=[f"nats://{server}" for server in servers], user_and_pass=(USER, password))
    try:
        await nats.startup()
        jetstream = await nats.jetstream()
        streams = jetstream.streams
        stream = await (streams.create_or_update(_config(limits)) if limits else streams.get(STREAM))
    except NatsrpyBaseError as error:
        raise _unavailable(error) from error
    messages = MessageStream(jetstream, stream, servers, password)
    try:
        yield messages
    finally:
        messages.close()
        await nats.shutdown()


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
