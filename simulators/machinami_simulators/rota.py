"""When each device reports: evenly spread, and every one within the first ten seconds."""

import numpy as np
from numpy.typing import NDArray

from machinami_simulators.geometry import Floats

TICK = 10.0  # simulated seconds that the world moves at once; every interval is a multiple of it


class Rota:
    """`count` devices report every `interval` seconds, each at its own second of the interval.

    Args:
        start: simulated seconds since the epoch, whole.
    """

    def __init__(self, count: int, interval: float, start: float) -> None:
        places = np.arange(count)
        self.interval = interval
        self._start = start
        self._phase = np.floor(places * interval / max(count, 1))  # rises, so that a window is a slice
        self._first = start + 1 + np.floor(places * TICK / max(count, 1))

    def due(self, now: float) -> tuple[NDArray[np.intp], Floats]:
        """Who reports in the tick that ends at `now`, and when: devices and seconds, which rise."""
        if now == self._start + TICK:
            return np.arange(self._first.size), self._first
        begin = (now - TICK + 1) % self.interval
        low, high = np.searchsorted(self._phase, [begin, begin + TICK])
        wrapped = int(np.searchsorted(self._phase, begin + TICK - self.interval))
        devices = np.concatenate([np.arange(int(low), int(high)), np.arange(wrapped)])
        return devices, now - TICK + 1 + (self._phase[devices] - begin) % self.interval
