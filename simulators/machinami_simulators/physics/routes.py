"""The shortest ways between all ports, packed into flat arrays: where is who has ridden so far on one?"""

import numpy as np
from numpy.typing import NDArray

from machinami_simulators.city import City
from machinami_simulators.geometry import Floats
from machinami_simulators.streets import lengths

_APART = 1e6  # metres from the start of one way to that of the next, in the array of all points


class Routes:
    """Ways from each port to each other, numbered `start × ports + goal`; `metres` is their length."""

    def __init__(self, city: City) -> None:
        ports = [port.at for port in city.ports]
        self._ports = len(ports)
        self.metres = np.full(self._ports**2, np.inf)
        points: list[Floats] = []
        keys: list[Floats] = []
        for start, at in enumerate(ports):
            ways = city.streets.routes(at, ports)
            for goal, end in enumerate(ports):
                way = np.array([at, at]) if start == goal else ways[end]
                number = start * self._ports + goal
                along = lengths(way)
                self.metres[number] = along[-1]
                points.append(way)
                keys.append(along + number * _APART)
        self._points, self._keys = np.concatenate(points), np.concatenate(keys)

    def between(self, start: NDArray[np.intp], goal: NDArray[np.intp]) -> NDArray[np.intp]:
        """Numbers of the ways between ports (numbers within an island)."""
        return start * self._ports + goal

    def table(self) -> Floats:
        """Metres from each port (row) to each."""
        return self.metres.reshape(self._ports, self._ports)

    def at(self, way: NDArray[np.intp], ridden: Floats) -> Floats:
        """Points (n × 2) after so many metres of each way."""
        key = way * _APART + np.clip(ridden, 0.0, self.metres[way])
        after = np.clip(np.searchsorted(self._keys, key, side="right"), 1, self._keys.size - 1)
        # The last point of a way is followed by the first of the next: stay on this one.
        after = np.where(self._keys[after] >= (way + 1) * _APART, after - 1, after)
        before = after - 1
        piece = self._keys[after] - self._keys[before]
        part = np.where(piece > 0, (key - self._keys[before]) / np.where(piece > 0, piece, 1.0), 0.0)
        return self._points[before] + part[:, None] * (self._points[after] - self._points[before])
