"""Reads the stream in order, in batches; a batch and how far it brings us are one transaction."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from machinami.errors import Unavailable
from machinami.linkage.write import Batch, Linkage
from machinami.model import Mapped, Message, Rejection
from machinami.store.intake import PositionLost, Progress
from machinami.stream.client import MessageStream, StreamState

log = logging.getLogger(__name__)

_LONGEST_PAUSE = 5.0
_IDLE_WAIT = 1.0
_FORGET_EVERY = 10_000
_MOST_REFUSED = 20  # messages of one batch that may be at fault themselves


class Mapper(Protocol):
    """Turns messages into changes; `machinami.connect.Router` is one."""

    def map(self, message: Message) -> Mapped:
        """Changes, rejections, or both; never raises."""
        ...

    def redact(self, message: Message) -> bytes:
        """The payload without identifiers of people's devices."""
        ...


class Worker:
    """One reader of a stream.

    Args:
        limit: messages in a batch at most.
        keep: committed messages that stay in the stream for MQTT subscribers that were away.
    """

    def __init__(
        self,
        stream: MessageStream,
        linkage: Linkage,
        mapper: Mapper,
        *,
        limit: int = 5_000,
        wait: float = _IDLE_WAIT,
        keep: int = 10_000,
    ) -> None:
        self._stream = stream
        self._linkage = linkage
        self._mapper = mapper
        self._limit = limit
        self._wait = wait
        self._keep = keep
        self._name = ""
        self._position = 0
        self._forgotten = 0
        self._refused = 0

    async def run(self) -> None:
        """Read and store until cancelled; waits out a broker or a database that does not answer.

        Raises:
            PositionLost: another worker reads this stream.
        """
        pause = 0.0
        while True:
            try:
                await self._start()
                await self._follow()
            except Unavailable as error:
                if not pause:
                    log.warning("%s; waiting", error)
                pause = min(_LONGEST_PAUSE, pause * 2 or 0.1)
                await asyncio.sleep(pause)
            else:
                pause = 0.0

    async def _start(self) -> None:
        state = await self._stream.state()
        counters = await asyncio.to_thread(self._linkage.counters, state.name)
        self._name, self._position = state.name, counters.sequence
        _warn_of_a_gap(state, self._position)
        log.info("reading %s from %d, %d behind", state.name, self._position, state.last - self._position)

    async def _follow(self) -> None:
        fetching = asyncio.create_task(self._fetch(self._position), name="fetch")
        try:
            while True:
                messages = await fetching
                following = messages[-1].sequence if messages else self._position
                fetching = asyncio.create_task(self._fetch(following), name="fetch")
                if messages:
                    await asyncio.to_thread(self.store, messages)
                    await self._forget()
        finally:
            fetching.cancel()
            await asyncio.gather(fetching, return_exceptions=True)

    async def _fetch(self, after: int) -> list[Message]:
        return await self._stream.fetch(after, self._limit, self._wait)

    async def _forget(self) -> None:
        through = self._position - self._keep
        if through - self._forgotten >= _FORGET_EVERY:
            await self._stream.forget(through)
            self._forgotten = through

    def store(self, messages: Sequence[Message]) -> None:
        """Map and commit these messages; the position is then behind the last of them."""
        self._refused = 0
        self._commit(messages, [self._mapper.map(message) for message in messages])

    def _commit(self, messages: Sequence[Message], mapped: Sequence[Mapped]) -> None:
        try:
            self._linkage.commit(self._batch(messages, mapped))
        except (Unavailable, PositionLost):
            raise
        except Exception as error:  # noqa: BLE001 # one message must not stop the others: it is found and kept
            self._isolate(messages, mapped, error)
        else:
            self._position = messages[-1].sequence

    def _isolate(self, messages: Sequence[Message], mapped: Sequence[Mapped], error: Exception) -> None:
        """Halve a batch that cannot be stored until the culprit is alone; that one goes to quarantine.

        Where there are many culprits it is not the messages' fault: the error is raised, and they stay in the
        stream.
        """
        if len(messages) > 1:
            middle = len(messages) // 2
            self._commit(messages[:middle], mapped[:middle])
            self._commit(messages[middle:], mapped[middle:])
            return
        self._refused += 1
        if self._refused > _MOST_REFUSED or not mapped[0].changes:
            raise error
        reason = f"it cannot be stored: {str(error).splitlines()[0][:200]}"
        log.error("message %d on %s: %s", messages[0].sequence, messages[0].topic, reason)
        rejection = Rejection(reason=reason, cure="Report it with this message; replay it after the upgrade")
        self._commit(messages, [Mapped(rejections=[rejection])])

    def _batch(self, messages: Sequence[Message], mapped: Sequence[Mapped]) -> Batch:
        rejected = [
            (self._redacted(message), result.rejections)
            for message, result in zip(messages, mapped, strict=True)
            if result.rejections
        ]
        committed = sum(1 for result in mapped if result.changes)
        progress = Progress(
            stream=self._name,
            before=self._position,
            after=messages[-1].sequence,
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


def _warn_of_a_gap(state: StreamState, position: int) -> None:
    lost = state.first - 1 - position
    if state.messages and position and lost > 0:
        log.error(
            "%d messages left the stream before they were read: its size or age limit is too small", lost
        )
