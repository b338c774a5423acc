"""Weather: rain on each river's catchment, and the temperature of the air."""

import math

import numpy as np

from machinami_simulators.geometry import Floats
from machinami_simulators.scenario import Scenario

_HOUR, _DAY, _YEAR = 3600.0, 86_400.0, 365.2425 * 86_400.0
_RAMP = 300.0  # seconds in which a storm grows and fades
_COLDEST = 25 * _DAY  # late January


class Weather:
    """Rain in mm/h on each catchment and air temperature in °C, at seconds since the epoch.

    Temperature is two sines, of the year and of the day, as an oceanic climate at 30° N has them. A shower is
    drawn for an hour, whatever the length of a step.
    """

    def __init__(
        self,
        rivers: list[str],
        scenario: Scenario,
        start: float,
        utc_offset: float,
        seed: np.random.SeedSequence,
    ) -> None:
        self._rivers = rivers
        self._scenario = scenario
        self._start = start
        self._offset = utc_offset
        self._entropy: list[int] = seed.generate_state(2).tolist()
        self._hour, self._heaviest = -1.0, np.zeros(len(rivers))

    def local(self, now: float) -> float:
        """Local time of day in hours, 0 to 24."""
        return (now + self._offset) % _DAY / _HOUR

    def weekend(self, now: float) -> bool:
        """Saturday or Sunday, local. (The epoch was a Thursday.)"""
        return int((now + self._offset) // _DAY + 3) % 7 >= 5

    def air(self, now: float) -> float:
        """Temperature of the air, °C."""
        season = -math.cos(2 * math.pi * ((now - _COLDEST) % _YEAR) / _YEAR)
        daily = math.cos(2 * math.pi * (self.local(now) - 14) / 24)
        return 20.0 + 7.5 * season + 3.2 * daily

    def rain(self, now: float) -> Floats:
        """mm/h on each catchment."""
        rain = self._shower(now)
        for storm in self._scenario.storms:
            since = now - self._start - storm.after
            shape = min(since / _RAMP, (storm.lasts - since) / _RAMP, 1.0)
            rain[self._rivers.index(storm.river)] += storm.peak * max(shape, 0.0)
        return rain

    def _shower(self, now: float) -> Floats:
        hour, part = divmod(now, _HOUR)
        if hour != self._hour:
            self._hour, self._heaviest = hour, self._draw_shower(int(hour))
        return self._heaviest * math.sin(math.pi * part / _HOUR)

    def _draw_shower(self, hour: int) -> Floats:
        draw = np.random.default_rng([*self._entropy, hour])
        wet = draw.random() < self._scenario.showers
        return draw.uniform(1.0, 8.0, len(self._rivers)) * wet
