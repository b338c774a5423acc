"""Underpasses: rain of the streets around runs to the lowest point, and pumps lift it out again.
A river over its bank next to one runs into it.

The pumps are made for 50 mm/h, the usual design rain of Japanese city drainage (a five-year
rain); what falls above it collects in the hollow, to which thirty times its own area drains.
"""

import numpy as np
from numpy.typing import NDArray

from machinami_simulators.city import City
from machinami_simulators.geometry import Floats
from machinami_simulators.physics.rivers import MINUTE, Rivers
from machinami_simulators.physics.weather import Weather
from machinami_simulators.scale import Scale
from machinami_simulators.truth import Truth, Underpass

_PUMPS = 50.0  # mm/h of rain that they keep up with
_GATHERS = 30.0  # m² of street for each m² of hollow
_FULL = 4.2  # metres: then it flows off along the street
_RUNOFF = 0.9  # share of the rain, on asphalt
_SPILLS = 8.0  # metres an hour for each metre of the nearest river over its bank, next to it
_REACHES = 600.0  # metres from the bank, at which a third of that comes


class Underpasses:
    """All underpasses of all islands, one array element each; `depth` in metres over the road."""

    def __init__(self, city: City, scale: Scale, weather: Weather, rivers: Rivers, truth: Truth) -> None:
        places = np.array([underpass.at for underpass in city.plan.underpass])
        gauges = np.array([gauge.at for gauge in city.gauges])
        away = np.hypot(*np.moveaxis(places[:, None, :] - gauges, 2, 0))
        nearest: list[int] = away.argmin(axis=1).tolist()
        order = [river.id for river in city.plan.river]
        catchment = np.array([order.index(city.gauges[gauge].river.id) for gauge in nearest])
        islands = np.arange(scale.islands)[:, None]
        self.names = scale.names([underpass.id for underpass in city.plan.underpass])
        self._catchment = (catchment + len(order) * islands).reshape(-1)
        self._weather, self._rivers, self._truth = weather, rivers, truth
        self._spills = np.tile(_SPILLS * np.exp(-away.min(axis=1) / _REACHES), scale.islands)
        self._gauge = (np.array(nearest) + len(city.gauges) * islands).reshape(-1)
        self._pumps = np.tile([underpass.pumps for underpass in city.plan.underpass], scale.islands) * _PUMPS
        self._before: Floats = np.zeros(len(self.names))  # depth a minute ago
        self.depth: Floats = np.zeros(len(self.names))
        self.time = rivers.time

    def depths(self, at: Floats, which: NDArray[np.intp]) -> Floats:
        """Depth in each of these underpasses at these times of the last minute."""
        share = np.clip((at - self.time) / MINUTE + 1, 0.0, 1.0)
        return self._before[which] + share * (self.depth - self._before)[which]

    def advance(self, now: float) -> None:
        """Let time pass until it is at least `now`, and write down where water stands."""
        while self.time < now:
            self.time += MINUTE
            rain = self._weather.rain(self.time)[self._catchment]
            street = (_RUNOFF * rain - self._pumps) * _GATHERS / 1000
            river = self._spills * self._rivers.over_bank(self._gauge)
            rise = (street + river) * MINUTE / 3600
            self._before, self.depth = self.depth, np.clip(self.depth + rise, 0.0, _FULL)
            wet = np.flatnonzero(self.depth > 0)
            if wet.size:
                names = [self.names[index] for index in wet.tolist()]
                self._truth.add(Underpass, underpass=names, time=self.time, depth=self.depth[wet])
