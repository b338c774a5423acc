"""When each device reports: evenly spread, and every one within the first ten seconds."""

import numpy as np

_FIRST_WITHIN = 10.0  # seconds


class Rota:
    """Next report of `count` devices, every `interval` seconds, each at its own second of the interval.

    Args:
        start: simulated seconds since the epoch.
    """

    def __init__(self, count: int, interval: float, start: float) -> None:
        places = np.arange(count)
        self.interval = interval
        self._phase = np.floor(places * interval / count)
        self.next = start + np.floor(places * _FIRST_WITHIN / count)

    def due(self, now: float) -> list[int]:
        """Who reports now; each is set to its next second of the interval, however long the step was."""
        devices: list[int] = np.flatnonzero(self.next <= now).tolist()
        if devices:
            phase = self._phase[devices]
            self.next[devices] = phase + self.interval * (np.floor((now - phase) / self.interval) + 1)
        return devices
