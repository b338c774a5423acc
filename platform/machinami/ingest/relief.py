"""Room in the stream: what is committed leaves it in time, and a stream that fills nevertheless is said.

A worker keeps its newest committed messages in the stream for MQTT subscribers that were away for a moment.
Large payloads, or a quiet night, would make these fill it, or stay in it for days; then they go at once.
"""

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from machinami.errors import Unavailable
from machinami.linkage.write import Linkage
from machinami.stream.client import MessageStream, StreamState

log = logging.getLogger(__name__)

LEVELS = (95, 80)
"""Percent of its limit at which the stream is said to fill."""

_ROOMY = 50
"""Percent of its limit from which on the stream keeps nothing that is committed."""

_EVERY = 1.0


class Relief:
    """Looks after the stream of one worker.

    Args:
        age: how long a committed message stays at most.
    """

    def __init__(self, stream: MessageStream, linkage: Linkage, *, age: timedelta) -> None:
        self._stream = stream
        self._linkage = linkage
        self._age = age
        self._level = 0

    async def run(self) -> None:
        """Look every second until cancelled."""
        while True:
            with suppress(Unavailable):  # the worker waits for the same two, and says so
                await self.look()
            await asyncio.sleep(_EVERY)

    async def look(self) -> None:
        """Look once.

        Raises:
            Unavailable: broker or database do not answer.
        """
        state = await self._stream.state()
        if state.percent >= _ROOMY or state.first_at < datetime.now(UTC) - self._age:
            state = await self._forget(state)
        self._say(state)

    async def _forget(self, state: StreamState) -> StreamState:
        counters = await asyncio.to_thread(self._linkage.counters, state.name)
        if not state.messages or counters.sequence < state.first:
            return state
        await self._stream.forget(counters.sequence)
        return await self._stream.state()

    def _say(self, state: StreamState) -> None:
        """Once for each level that is reached, and once when there is room again."""
        level = next((level for level in LEVELS if state.percent >= level), 0)
        if level > self._level:
            log.warning(
                "the stream is %.0f %% full, %d messages; when it is full, QoS 1 is not acknowledged",
                state.percent,
                state.messages,
            )
            self._level = level
        elif self._level and state.percent < _ROOMY:
            log.warning("the stream has room again: %.0f %% full", state.percent)
            self._level = 0
