"""Reads the stream in order, in batches; a batch and how far it brings us are one transaction.

Several workers divide the stream's partitions among them. Each reads the whole stream and takes the messages
of its own partitions; those of one device are always in one partition, and so stay in order.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Protocol

import msgspec

from machinami.errors import Unavailable
from machinami.linkage.write import Batch, Linkage
from machinami.model import Mapped, Message, Rejection
from machinami.store.intake import PositionLost, Progress
from machinami.store.share import Share
from machinami.stream.client import MessageStream, StreamState, Stretch, Wanted
from machinami.stream.topics import partition_of

log = logging.getLogger(__name__)

_LONGEST_PAUSE = 5.0
_IDLE_WAIT = 1.0
_FORGET_EVERY = 10_000
_MOVE_EVERY = 1.0  # seconds; how often a position moves when none of the messages were ours
_LOOK_EVERY = 1.0  # seconds between looks at who else is there
_WIDEST = 4  # times the limit is read at once where most messages are others'
_MOST_REFUSED = 20  # messages of one batch that may be at fault themselves


class Mapper(Protocol):
    """Turns messages into changes; `machinami.connect.Router` is one."""

    def map(self, message: Message) -> Mapped:
        """Changes, rejections, or both; never raises."""
        ...

    def redact(self, message: Message) -> bytes:
        """The payload without identifiers of people's devices."""
        ...


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that is read and mapped.

    Attributes:
        mapped: of each message.
        last: sequence of the last message that was read, wanted or not.
        begun: when mapping began, by `time.perf_counter`.
    """

    messages: Sequence[Message]
    mapped: Sequence[Mapped]
    last: int
    begun: float


class Worker:
    """One of the readers of a stream; each has some of its partitions.

    Args:
        limit: messages in a batch at most.
        keep: committed messages that stay in the stream for MQTT subscribers that were away.
        partitions: how many the stream is to have, once that can be. See `machinami.store.share`.
    """

    def __init__(
        self,
        stream: MessageStream,
        linkage: Linkage,
        mapper: Mapper,
        *,
        limit: int = 20_000,
        wait: float = _IDLE_WAIT,
        keep: int = 10_000,
        partitions: int = 8,
    ) -> None:
        self._stream = stream
        self._linkage = linkage
        self._mapper = mapper
        self._limit = limit
        self._wait = wait
        self._keep = keep
        self._partitions = partitions
        self._name = ""
        self._of = partitions
        self._positions: dict[int, int] = {}
        self._due = 0.0
        self._forgotten = 0
        self._refused = 0
        self._pause = 0.0

    async def run(self) -> None:
        """Read and store until cancelled; waits out a broker or a database that does not answer."""
        while True:
            try:
                await self._work()
            except (Unavailable, PositionLost) as error:
                if not self._pause:
                    log.warning("%s; waiting", error)
                self._pause = min(_LONGEST_PAUSE, self._pause * 2 or 0.1)
                await asyncio.sleep(self._pause)

    async def _work(self) -> None:
        self._name = (await self._stream.state()).name
        share = self._linkage.share(self._name, self._partitions)
        try:
            while True:
                self._positions = await asyncio.to_thread(share.settle)
                self._of = share.of
                self._announce(await self._stream.state())
                await self._follow(share)
        finally:
            await asyncio.to_thread(share.close)

    def _announce(self, state: StreamState) -> None:
        start = min(self._positions.values(), default=state.last)
        _warn_of_a_gap(state, start)
        held = ", ".join(str(number) for number in self._positions) or "none"
        log.info("partitions %s of %d, from %d, %d behind", held, self._of, start, state.last - start)

    async def _follow(self, share: Share) -> None:
        """Read on until this worker's share of partitions is to change."""
        watching = asyncio.create_task(_until_due(share), name="share")
        try:
            await self._read(watching)
            await watching
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _read(self, watching: "asyncio.Task[None]") -> None:
        """Read and store until that task is done, however it ends; a batch is never left half way."""
        if not self._positions:
            return
        wanted, position = self._wanted(), min(self._positions.values())
        limit = self._limit * min(_WIDEST, self._of // len(self._positions))
        fetching = asyncio.create_task(self._stream.read(position, limit, self._wait, wanted), name="fetch")
        storing = asyncio.create_task(asyncio.sleep(0), name="store")
        try:
            while not watching.done():
                stretch = await fetching
                fetching = asyncio.create_task(
                    self._stream.read(stretch.last, limit, self._wait, wanted), name="fetch"
                )
                prepared = await asyncio.to_thread(self.prepare, stretch)  # while the one before is stored
                await storing
                storing = asyncio.create_task(self._take(prepared), name="store")
            await storing
        finally:
            fetching.cancel()
            await asyncio.gather(fetching, storing, return_exceptions=True)

    def _wanted(self) -> Wanted | None:
        """Messages of our partitions that are not committed; None: all, as we have the whole stream."""
        start, of = self._positions, self._of
        if len(start) == of and len(set(start.values())) == 1:
            return None
        return lambda sequence, subject: sequence > start.get(partition_of(subject, of), sequence)

    async def _take(self, prepared: Prepared) -> None:
        if prepared.messages:
            await asyncio.to_thread(self.store, prepared)
        elif prepared.last > min(self._positions.values()) and time.monotonic() >= self._due:
            # Nothing was ours, but the position that all have reached is not to wait for us.
            await asyncio.to_thread(self._commit, [], [], prepared.last)
        else:
            return
        self._pause = 0.0
        self._due = time.monotonic() + _MOVE_EVERY
        await self._forget()

    async def _forget(self) -> None:
        if min(self._positions.values()) - self._keep - self._forgotten < _FORGET_EVERY:
            return
        reached = await asyncio.to_thread(self._linkage.counters, self._name)
        self._forgotten = max(self._forgotten, reached.sequence - self._keep)
        await self._stream.forget(self._forgotten)

    def prepare(self, stretch: Stretch) -> Prepared:
        """Map these messages; the database is not asked, so that it may store others meanwhile."""
        begun = time.perf_counter()
        mapped = [self._mapper.map(message) for message in stretch.messages]
        return Prepared(messages=stretch.messages, mapped=mapped, last=stretch.last, begun=begun)

    def store(self, prepared: Prepared) -> None:
        """Commit these messages; the positions are then behind the last that was read."""
        self._refused = 0
        self._commit(prepared.messages, prepared.mapped, prepared.last)

    def _commit(self, messages: Sequence[Message], mapped: Sequence[Mapped], through: int) -> None:
        try:
            self._linkage.commit(self._batch(messages, mapped, through))
        except (Unavailable, PositionLost):
            raise
        except Exception as error:  # noqa: BLE001 # one message must not stop the others: it is found and kept
            self._isolate(messages, mapped, through, error)
        else:
            # A new mapping: `_wanted` keeps the one that reading began with.
            self._positions = {number: max(at, through) for number, at in self._positions.items()}

    def _isolate(
        self, messages: Sequence[Message], mapped: Sequence[Mapped], through: int, error: Exception
    ) -> None:
        """Halve a batch that cannot be stored until the culprit is alone; that one goes to quarantine.

        Where there are many culprits it is not the messages' fault: the error is raised, and they stay in the
        stream.
        """
        if len(messages) > 1:
            middle = len(messages) // 2
            self._commit(messages[:middle], mapped[:middle], messages[middle - 1].sequence)
            self._commit(messages[middle:], mapped[middle:], through)
            return
        self._refused += 1
        if self._refused > _MOST_REFUSED or not mapped or not mapped[0].changes:
            raise error
        reason = f"it cannot be stored: {str(error).splitlines()[0][:200]}"
        log.error("message %d on %s: %s", messages[0].sequence, messages[0].topic, reason)
        rejection = Rejection(reason=reason, cure="Report it with this message; replay it after the upgrade")
        self._commit(messages, [Mapped(rejections=[rejection])], through)

    def _batch(self, messages: Sequence[Message], mapped: Sequence[Mapped], through: int) -> Batch:
        rejected = [
            (self._redacted(message), result.rejections)
            for message, result in zip(messages, mapped, strict=True)
            if result.rejections
        ]
        committed = sum(1 for result in mapped if result.changes)
        progress = Progress(
            stream=self._name,
            before=self._positions,
            after=through,
            of=self._of,
            committed=committed,
            quarantined=len(messages) - committed,
        )
        changes = [change for result in mapped for change in result.changes]
        return Batch(changes=changes, rejected=rejected, progress=progress)

    def _redacted(self, message: Message) -> Message:
        return Message(
            sequence=message.sequence,
            topic=message.topic,
            payload=self._mapper.redact(message),
            received_at=message.received_at,
        )


async def _until_due(share: Share) -> None:
    while not await asyncio.to_thread(share.due):
        await asyncio.sleep(_LOOK_EVERY)


def _warn_of_a_gap(state: StreamState, position: int) -> None:
    lost = state.first - 1 - position
    if state.messages and position and lost > 0:
        log.error(
            "%d messages left the stream before they were read: its size or age limit is too small", lost
        )
