"""Paddy sensors: a water balance for each parcel. The city floods its paddies in winter too (冬期湛水)."""

import math
from collections.abc import Iterator

import numpy as np

from machinami_simulators import wire
from machinami_simulators.city import City
from machinami_simulators.rota import Rota
from machinami_simulators.weather import Weather
from machinami_simulators.wire import Message

INTERVAL = 600.0
_DAY = 86_400.0
_WEIR_MM = 110.0  # above it water flows off over the weir board
_GATE_MM_PER_HOUR = 12.0
_HALF_DAY_LAG = 4 * 3600.0  # seconds by which water is slower than air
_GATEWAY = "lorawan-network-server"


class Paddies:
    """All parcels, one array element each. Depth in mm, water temperature in °C."""

    def __init__(self, city: City, weather: Weather, start: float, seed: np.random.SeedSequence) -> None:
        count = len(city.paddies)
        self._weather = weather
        self._random = np.random.default_rng(seed)
        self._rota = Rota(count, INTERVAL, start)
        self._names = [paddy.id for paddy in city.paddies]
        self._target = self._random.uniform(45, 70, count)
        self.depth = self._target + self._random.uniform(-22, 10, count)
        self._loss = self._random.uniform(10, 20, count)  # mm a day: evapotranspiration and percolation
        self._visit = self._random.uniform(5.0, 8.0, count)  # hour when the farmer looks
        self._open = np.zeros(count, dtype=bool)
        self._water = np.full(count, weather.air(start))
        self._battery = self._random.uniform(62, 100, count)
        self._sent = np.zeros(count, dtype=int)

    def step(self, now: float, dt: float) -> Iterator[Message]:
        """Let `dt` seconds pass until `now`; give what sensors report."""
        self._balance(now, dt)
        due = self._rota.due(now)
        if not due:
            return
        self._sent[due] += 1
        depth = np.rint(self.depth[due] + self._random.normal(0, 1.0, len(due))).astype(int).tolist()
        water = (
            np.rint(100 * (self._water[due] + self._random.normal(0, 0.05, len(due)))).astype(int).tolist()
        )
        air = (
            np.rint(100 * (self._weather.air(now) + self._random.normal(0, 0.3, len(due))))
            .astype(int)
            .tolist()
        )
        for k, index in enumerate(due):
            name = self._names[index]
            payload = wire.paddy_uplink(
                name, now, int(self._sent[index]), depth[k], (water[k], air[k]), int(self._battery[index])
            )
            yield Message(wire.PADDY, _GATEWAY, f"v3/namiki-paddy@namiki/devices/{name}/up", payload)

    def _balance(self, now: float, dt: float) -> None:
        """Rain and irrigation in, evapotranspiration and percolation out, the rest over the weir."""
        hour = self._weather.local(now)
        seen = np.abs(self._visit - hour) < max(dt, 60.0) / 3600
        self._open = np.where(seen, self.depth < self._target, self._open & (self.depth < self._target + 12))
        rain = float(self._weather.rain(now).mean())
        self.depth += dt / 3600 * (rain + _GATE_MM_PER_HOUR * self._open) - dt / _DAY * self._loss
        np.clip(self.depth, 0.0, _WEIR_MM, out=self.depth)
        sun = max(0.0, math.sin(math.pi * (hour - 6) / 12))
        self._water += (self._weather.air(now) + 3.5 * sun - self._water) * -math.expm1(-dt / _HALF_DAY_LAG)
        self._battery -= dt * 1e-7
