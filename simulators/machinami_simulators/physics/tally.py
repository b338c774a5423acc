"""Counting people by place and hour, and their ways from place to place: the truth about crowds."""

import numpy as np
from numpy.typing import NDArray

from machinami_simulators.truth import Flow, Presence, Truth

HOME, OUTSIDE = -1, -2  # origins that are no place
_HOUR, _MINUTE = 3600.0, 60.0
_Ints = NDArray[np.intp]


class Tally:
    """Presence and flows of the running hour; written when it is over.

    Args:
        names: ids of all places, island by island; `each` of them an island.
    """

    def __init__(self, names: list[str], each: int, truth: Truth, start: float) -> None:
        self.names = names
        self._each, self._truth = each, truth
        self._hour = start // _HOUR * _HOUR
        self._seconds = np.zeros(len(names))  # that persons were there
        self._different = np.zeros((2, len(names)), dtype=np.intp)  # residents, visitors
        self._flows = np.zeros(
            (len(names), each + 2), dtype=np.intp
        )  # destination × origin; the last two go home
        self._back = np.zeros((len(names), 2), dtype=np.intp)  # who went home, or outside, from each place

    def arrive(self, place: _Ints, origin: _Ints, visitor: NDArray[np.bool_]) -> None:
        """These persons came to these places, each from a place of the island, from `HOME` or `OUTSIDE`."""
        np.add.at(self._flows, (place, origin), 1)
        np.add.at(self._different, (visitor.astype(np.intp), place), 1)

    def go_home(self, place: _Ints, visitor: NDArray[np.bool_]) -> None:
        """These residents went home from these places, these visitors left the city."""
        np.add.at(self._back, (place, visitor.astype(np.intp)), 1)

    def minute(self, now: float, place: _Ints, visitor: NDArray[np.bool_]) -> None:
        """At the end of a minute these persons are at these places."""
        self._seconds += _MINUTE * np.bincount(place, minlength=len(self.names))
        if now >= self._hour + _HOUR:
            self._write()
            self._hour = now // _HOUR * _HOUR
            for kind in (0, 1):
                self._different[kind] = np.bincount(place[visitor == bool(kind)], minlength=len(self.names))

    def _write(self) -> None:
        self._truth.add(
            Presence,
            place=self.names,
            hour=self._hour,
            residents=self._different[0],
            visitors=self._different[1],
            mean=self._seconds / _HOUR,
        )
        self._write_flows()
        self._seconds[:], self._different[:], self._flows[:], self._back[:] = 0, 0, 0, 0

    def _write_flows(self) -> None:
        ends = ["outside", "home"]  # as the columns −2 and −1
        place, origin = np.nonzero(self._flows)
        island = place // self._each * self._each
        origins = [
            self.names[base + k] if k < self._each else ends[k - self._each]
            for base, k in zip(island.tolist(), origin.tolist(), strict=True)
        ]
        left, end = np.nonzero(self._back)
        self._truth.add(
            Flow,
            origin=origins + [self.names[index] for index in left.tolist()],
            destination=[self.names[k] for k in place.tolist()]
            + [("home", "outside")[k] for k in end.tolist()],
            hour=self._hour,
            people=np.concatenate([self._flows[place, origin], self._back[left, end]]),
        )
