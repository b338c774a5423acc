"""Rivers: rain becomes runoff, runoff a flood wave that travels from gauge to gauge to the tidal mouth.

Hillslopes follow the storage function method (貯留関数法; Kimura 1961): s = K·q^P, ds/dt = r − q, where
the share of the rain that runs off rises from f1 to 1 once the ground is saturated (飽和雨量). Between
two gauges the river is a kinematic wave (Lighthill and Whitham, Proc. R. Soc. A 229, 1955) in one cell:
what it holds goes as Q^0.6, so a flood travels faster the higher it is. The rating curve is Manning's for
a wide channel, h ~ Q^0.6. Above the bank the water spreads: there the level rises a quarter as fast. How
much runoff fills the bed is each gauge's own (`full_mm_h`), so that a storm which an old bridge cannot
pass is no flood at the mouth. The tide has the constituents M2, S2, K1 and O1.
"""

import math

import numpy as np
from numpy.typing import NDArray

from machinami_simulators.city import City
from machinami_simulators.geometry import Floats
from machinami_simulators.physics.weather import Weather
from machinami_simulators.scale import Scale
from machinami_simulators.truth import Crossing, Level, Truth

MINUTE = 60.0
_HOUR = 3600.0
_PARTS = 3  # of a minute; a flood leaves no cell faster than that
_P = 0.6
_K, _K_GROWS = 0.62, 0.22  # K = 0.62·A^0.22; mm and mm/h. The exponent is that of Kadoya and Fukushima
_F1, _SATURATED_MM = 0.7, 70.0
_DRAINS = 1 / (30 * _HOUR)  # of the ground's wetness, per second
_WAVE = 2.4  # m/s, speed of a flood wave that fills the bed to its bank
_BASE = 0.45  # mm/h of runoff from springs
_M3S = 1000 / _HOUR  # m³/s of a mm/h over a km²
_TIDAL_GAUGES = 4
# Constituents of the tide: height in metres, period in hours.
_TIDE = ((0.33, 12.4206), (0.14, 12.0), (0.13, 23.9345), (0.1, 25.8193))
_MEAN_SEA = 0.45  # metres over the bed's zero at the mouth


class Rivers:
    """All gauges of all islands, one array element each; moves on by whole minutes."""

    def __init__(self, city: City, scale: Scale, weather: Weather, truth: Truth, start: float) -> None:
        gauges, islands = city.gauges, scale.islands
        self._weather, self._truth, self._islands = weather, truth, islands
        self.names = scale.names([gauge.id for gauge in gauges])
        self._catchment = _tile([_index(city, g.river.id) for g in gauges], islands, len(city.plan.river))
        self._above = [_tile(above, islands, len(gauges)) for above in _joins(city)]
        self._own, self.area = (np.tile(area, islands) for area in _areas(city))
        self._k = _K * self._own**_K_GROWS
        self._bank = np.tile([gauge.bank_m for gauge in gauges], islands)
        self._full = self.area * np.tile(
            [gauge.full_mm_h for gauge in gauges], islands
        )  # flow that fills the bed
        self._cell = (
            self._full * np.tile([g.reach_m for g in gauges], islands) / _WAVE / _P
        )  # what it then holds
        self._tidal = np.tile([_tide_share(city, index) for index in range(len(gauges))], islands)
        self._thresholds = np.tile(_thresholds(city), (islands, 1))
        self._slope = self._k * _BASE**_P  # mm on the hillslopes
        self._wet = np.zeros(len(self.names))  # mm of rain that the ground still feels
        self._flow = self.area * _BASE  # in mm/h·km²
        self._holds = self._cell * (self._flow / self._full) ** _P
        self.time = start
        self._before = self._after = self._level()
        self._over = self._after[:, None] >= self._thresholds

    def advance(self, now: float) -> None:
        """Let time pass until it is at least `now`, and write the truth of each minute."""
        while self.time < now:
            self.time += MINUTE
            self._minute(self._weather.rain(self.time)[self._catchment])
            self._before, self._after = self._after, self._level()
            self._tell()

    def levels(self, now: float | Floats, gauges: NDArray[np.intp] | slice = slice(None)) -> Floats:
        """True level above the bed, metres, within the minute up to which `advance` went."""
        part = 1 - (self.time - now) / MINUTE
        before = self._before[gauges]
        return before + part * (self._after[gauges] - before)

    def over_bank(self, gauges: NDArray[np.intp]) -> Floats:
        """Metres by which the water stands over the bank at these gauges; 0 where it does not."""
        return np.maximum(self._after - self._bank, 0.0)[gauges]

    def flow(self) -> Floats:
        """m³/s at each gauge."""
        return self._flow * _M3S

    def runoff(self) -> Floats:
        """mm/h that leave the hillslopes of each gauge's own land."""
        return (self._slope / self._k) ** (1 / _P)

    def worst(self) -> Floats:
        """The highest level reached anywhere on each island: 0 for none, 1 to 5 as in the truth."""
        reached = self._over.sum(axis=1) + (np.isinf(self._thresholds[:, 2]) & self._over[:, 3])
        return reached.reshape(self._islands, -1).max(axis=1)

    def _minute(self, rain: Floats) -> None:
        self._wet += rain / 60 - self._wet * _DRAINS * MINUTE
        effective = rain * np.where(self._wet > _SATURATED_MM, 1.0, _F1) + _BASE
        for _ in range(_PARTS):
            hours = MINUTE / _PARTS / _HOUR
            runoff = self.runoff()
            self._slope = np.maximum(self._slope + hours * (effective - runoff), 1e-6)
            padded = np.append(self._flow, 0.0)
            into = self._own * runoff + sum(padded[above] for above in self._above)
            self._holds += MINUTE / _PARTS * (into - self._flow)
            self._flow = self._full * (self._holds / self._cell) ** (1 / _P)

    def _level(self) -> Floats:
        height = (self._flow / self._full) ** _P
        spread = np.where(height > 1, 0.75 + 0.25 * height, height)
        surge = self._weather.sky(self.time).surge
        return self._bank * spread + self._tidal * (tide(self.time) + surge)

    def _tell(self) -> None:
        self._truth.add(Level, gauge=self.names, time=self.time, level=self._after, flow=self.flow())
        over = self._after[:, None] >= self._thresholds
        for gauge, step in np.argwhere(over != self._over).tolist():
            moved = self._after[gauge] - self._before[gauge]
            part = (self._thresholds[gauge, step] - self._before[gauge]) / moved
            self._truth.add(
                Crossing,
                gauge=self.names[gauge],
                time=float(self.time - MINUTE * (1 - part)),
                threshold=step + 1,
                rising=bool(over[gauge, step]),
            )
        self._over = over


def tide(now: float) -> float:
    """Metres of the sea over the bed's zero at the mouth, without surge."""
    waves = (height * math.sin(2 * math.pi * now / _HOUR / period) for height, period in _TIDE)
    return _MEAN_SEA + sum(waves)


def _tile(indices: list[int], islands: int, each: int) -> NDArray[np.intp]:
    """Indices into arrays of `each` elements an island; −1, for nothing, stays."""
    first = np.array(indices)
    tiled = first + each * np.arange(islands)[:, None]
    return np.where(first < 0, -1, tiled).reshape(-1)


def _index(city: City, river: str) -> int:
    return [other.id for other in city.plan.river].index(river)


def _joins(city: City) -> list[list[int]]:
    """The first, the second … gauge above each; −1 for none."""
    most = max(len(gauge.above) for gauge in city.gauges)
    return [[gauge.above[k] if k < len(gauge.above) else -1 for gauge in city.gauges] for k in range(most)]


def _thresholds(city: City) -> Floats:
    """Four levels and the bank of each gauge; never reached where not set."""
    return np.array(
        [[math.inf if v is None else v for v in gauge.levels] + [gauge.bank_m] for gauge in city.gauges]
    )


def _areas(city: City) -> tuple[Floats, Floats]:
    """km² that drain into the reach of each gauge itself, and in all above it."""
    gauges = city.gauges
    own = np.zeros(len(gauges))
    total = np.zeros(len(gauges))
    for index, gauge in enumerate(gauges):
        upstream = [a for a in gauge.above if gauges[a].river.id == gauge.river.id]
        own[index] = gauge.area_km2 - sum(gauges[a].area_km2 for a in upstream)
        total[index] = own[index] + sum(total[a] for a in gauge.above)
    return own, total


def _tide_share(city: City, index: int) -> float:
    """1 at the gauge nearest to the sea, falling to 0 at the fifth."""
    gauge = city.gauges[index]
    if gauge.river.into is not None:
        return 0.0
    from_mouth = sum(other.river.id == gauge.river.id for other in city.gauges[index + 1 :])
    return max(0.0, 1 - from_mouth / _TIDAL_GAUGES)
