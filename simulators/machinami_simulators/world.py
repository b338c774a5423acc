"""The whole city in motion: all kinds of devices step by step on one simulated clock."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from machinami_simulators.bikes import Fleet
from machinami_simulators.city import City
from machinami_simulators.paddies import Paddies
from machinami_simulators.people import People
from machinami_simulators.rivers import Rivers
from machinami_simulators.scenario import Scenario
from machinami_simulators.weather import Weather
from machinami_simulators.wire import Message

_LONGEST_STEP = 10.0  # seconds; a bike reports every ten


class Asset(Protocol):
    """One kind of device with its physics."""

    def step(self, now: float, dt: float) -> Iterator[Message]:
        """Let `dt` seconds pass until `now` (seconds since the epoch); give what is reported."""
        ...


class World:
    """The city from `start` on. Same city, scenario, seed, speed and start: same bytes in the same order.

    Args:
        start: seconds since the epoch.
        speed: simulated seconds in a second; it sets the length of a step, at most ten simulated seconds.
    """

    def __init__(self, city: City, scenario: Scenario, *, start: float, speed: float, seed: int) -> None:
        self.now = float(int(start))
        self.dt = float(min(max(round(speed), 1), _LONGEST_STEP))
        weather_seed, *seeds = np.random.SeedSequence(seed).spawn(5)
        rivers = [river.id for river in city.plan.river]
        self.weather = Weather(rivers, scenario, self.now, city.plan.utc_offset_hours * 3600, weather_seed)
        self.paddies = Paddies(city, self.weather, self.now, seeds[0])
        self.rivers = Rivers(city, self.weather, self.now, seeds[1])
        self.people = People(city, self.weather, scenario, self.now, seeds[2])
        self.fleet = Fleet(city, self.weather, scenario, self.now, seeds[3])
        self.assets: tuple[Asset, ...] = (self.paddies, self.rivers, self.people, self.fleet)

    def step(self) -> list[Message]:
        """Everything that is reported in the next step."""
        self.now += self.dt
        return [message for asset in self.assets for message in asset.step(self.now, self.dt)]

    def skip_to(self, now: float) -> None:
        """Set the clock on after the machine slept; what happened meanwhile is not made up for."""
        self.now = float(int(now))
