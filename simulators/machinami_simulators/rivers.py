"""River gauges: rain becomes runoff, runoff a flood wave that travels from gauge to gauge to the tidal mouth.

Each catchment is a linear reservoir (a step of Nash's cascade, 1957); so is each reach between two gauges,
with its travel time for a constant. The level follows from the flow as Manning's formula has it for a wide
channel, h ~ Q^(3/5). Above the bank the water spreads: there the level rises a quarter as fast.
"""

import math
from collections.abc import Iterator

import numpy as np

from machinami_simulators import wire
from machinami_simulators.city import City
from machinami_simulators.geometry import Floats
from machinami_simulators.rota import Rota
from machinami_simulators.weather import Weather
from machinami_simulators.wire import Message

INTERVAL = 60.0
_HILLSLOPE = 7 * 60.0  # seconds that runoff takes to the river
_WAVE = 2.4  # m/s, the speed of a flood wave
_RUNOFF = 0.7  # share of the rain that runs off
_BANKFULL = 55.0  # mm/h over the whole catchment that fill the bed to its bank
_BASE = 0.45  # mm/h of runoff from springs
_TIDE_M, _TIDE_PERIOD = 0.35, 12.4206 * 3600.0  # the M2 tide
_TIDAL_GAUGES = 4
_NOISE_M = 0.004


class Rivers:
    """All gauges of the city, one array element each."""

    def __init__(self, city: City, weather: Weather, start: float, seed: np.random.SeedSequence) -> None:
        gauges = city.gauges
        self._weather = weather
        self._random = np.random.default_rng(seed)
        self._rota = Rota(len(gauges), INTERVAL, start)
        self._names = [gauge.id for gauge in gauges]
        order = [river.id for river in city.plan.river]
        self._river = np.array([order.index(gauge.river.id) for gauge in gauges])
        self._above = [(above, index) for index, gauge in enumerate(gauges) for above in gauge.above]
        self._lag = np.array([gauge.reach_m / _WAVE for gauge in gauges])
        self._bank = np.array([gauge.bank_m for gauge in gauges])
        self._own, self._area = _areas(city)
        self._runoff = np.full(len(order), _BASE)
        self._storage = self._area * _BASE * self._lag
        self._tidal = np.array([_tide_share(city, index) for index in range(len(gauges))])

    def step(self, now: float, dt: float) -> Iterator[Message]:
        """Let `dt` seconds pass until `now`; give what gauges report."""
        self._flow(now, dt)
        due = self._rota.due(now)
        if not due:
            return
        levels = self.levels(now)[due] + self._random.normal(0, _NOISE_M, len(due))
        volts = 12.35 + 0.35 * math.sin(math.pi * max(0.0, (self._weather.local(now) - 6) / 12))
        for index, level in zip(due, levels.tolist(), strict=True):
            name = self._names[index]
            payload = wire.gauge_reading(now, max(level, 0.0), volts - index % 7 * 0.02)
            yield Message(wire.RIVER_GAUGE, name, f"ul/namiki-river/{name}/attrs", payload)

    def levels(self, now: float) -> Floats:
        """True level above the bed at each gauge, metres."""
        share = self._storage / self._lag / (self._area * _BANKFULL * _RUNOFF)
        tide = _TIDE_M * (1 + math.sin(2 * math.pi * now / _TIDE_PERIOD))
        height = share**0.6
        spread = np.where(height > 1, 0.75 + 0.25 * height, height)
        return self._bank * spread + self._tidal * tide

    def _flow(self, now: float, dt: float) -> None:
        wanted = _BASE + _RUNOFF * self._weather.rain(now)
        self._runoff += (wanted - self._runoff) * -math.expm1(-dt / _HILLSLOPE)
        for part in np.full(math.ceil(dt / 10), dt / math.ceil(dt / 10)):
            out = self._storage / self._lag
            into = self._own * self._runoff[self._river]
            for above, below in self._above:
                into[below] += out[above]
            self._storage += part * (into - out)


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
