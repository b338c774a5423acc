"""Messages leave when their device sends them, which may be long after it measured."""

import heapq
from collections.abc import Iterable
from operator import attrgetter

from machinami_simulators.wire import Message


class Delivery:
    """Holds back what leaves after the running tick; gives everything else in the order of leaving."""

    def __init__(self) -> None:
        self._held: list[tuple[float, int, Message]] = []
        self._number = 0

    def pass_on(self, messages: Iterable[Message], now: float) -> list[Message]:
        """What leaves up to `now`."""
        ready: list[Message] = []
        for message in messages:
            if message.at <= now:
                ready.append(message)
            else:
                self._number += 1
                heapq.heappush(self._held, (message.at, self._number, message))
        while self._held and self._held[0][0] <= now:
            ready.append(heapq.heappop(self._held)[2])
        ready.sort(key=attrgetter("at"))
        return ready
