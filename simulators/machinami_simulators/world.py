"""The whole city in motion: physics, sensors, faults and messages, tick by tick on one simulated clock."""

import math
from collections.abc import Sequence

import numpy as np

from machinami_simulators.beside import Beside
from machinami_simulators.city import City
from machinami_simulators.devices import crowds, groups, riding, water
from machinami_simulators.devices.delivery import Delivery
from machinami_simulators.devices.faults import Faults
from machinami_simulators.devices.site import Sensors, Site
from machinami_simulators.geometry import Floats
from machinami_simulators.physics.bikes import Bikes
from machinami_simulators.physics.paddies import Paddies
from machinami_simulators.physics.people import People
from machinami_simulators.physics.rivers import Rivers
from machinami_simulators.physics.shelters import Shelters
from machinami_simulators.physics.underpasses import Underpasses
from machinami_simulators.physics.weather import Climate, Weather
from machinami_simulators.rota import TICK
from machinami_simulators.scale import TOWN, Scale
from machinami_simulators.scenario import Fault, Scenario
from machinami_simulators.truth import Truth
from machinami_simulators.truth import Weather as TruthOfWeather
from machinami_simulators.wire import Message

_WEATHER_EVERY = 600.0
_SKIP = 600.0  # simulated seconds; models see each other once in so many while messages are left out


class World:
    """The city from `start` on. Same arguments: same bytes in the same order.

    Args:
        start: seconds since the epoch.
        dials: faults beside those of the scenario.
        beside: recorded devices that take part.
    """

    def __init__(
        self,
        city: City,
        scenario: Scenario,
        *,
        start: float,
        seed: int,
        scale: Scale = TOWN,
        dials: Sequence[Fault] = (),
        truth: Truth | None = None,
        beside: Beside | None = None,
    ) -> None:
        self.now = self.start = start = float(int(start))
        self.truth = truth or Truth()
        seeds = iter(np.random.SeedSequence(seed).spawn(16))
        self.weather = _weather(city, scale, scenario, start, next(seeds))
        given = city, scale, self.weather
        self.rivers = Rivers(*given, self.truth, start)
        self.underpasses = Underpasses(*given, self.rivers, self.truth)
        self.shelters = Shelters(city, scale, self.truth, start, next(seeds))
        self.paddies = Paddies(*given, self.truth, start, next(seeds))
        self.people = People(*given, scenario, self.truth, start, next(seeds))
        self.bikes = Bikes(*given, scenario, self.truth, start, next(seeds))
        site = Site(city, scale, scenario, self.weather, start)
        self.sensors: tuple[Sensors, ...] = (
            water.PaddySensors(site, self.paddies, next(seeds)),
            water.RiverGauges(site, self.rivers, next(seeds)),
            water.UnderpassGauges(site, self.underpasses, next(seeds)),
            crowds.Receivers(site, self.people, next(seeds)),
            crowds.Cameras(site, self.people, next(seeds)),
            riding.BikeTrackers(site, self.bikes, next(seeds)),
            riding.PortStations(site, self.bikes),
        )
        faults = [*scenario.faults, *dials]
        self._faults = Faults(faults, [each.group for each in self.sensors], self.truth, start, next(seeds))
        self._delivery, self._beside = Delivery(), beside
        self._weather_at = start

    @property
    def devices(self) -> int:
        """How many devices there are."""
        return sum(len(each.group.names) for each in self.sensors)

    def step(self) -> list[Message]:
        """Everything that leaves the devices in the next tick of ten seconds, in order."""
        self.now += TICK
        self._move()
        written: list[Message] = []
        for each in self.sensors:
            readings = each.report(self.now)
            self._faults.spoil(each.group, readings)
            groups.write_truth(each.group, readings, self.truth)
            written += groups.messages(each.group, readings)
        if self._beside is not None:
            written += self._beside.due(self.now)
        return self._delivery.pass_on(written, self.now)

    def skip_to(self, now: float) -> None:
        """Let time pass up to the last tick before `now` without any message: the machine slept."""
        goal = self.now + (now - self.now) // TICK * TICK
        while self.now < goal:
            self.now = min(self.now + _SKIP, goal)
            self._move()

    def _move(self) -> None:
        self.rivers.advance(self.now)
        self.underpasses.advance(self.now)
        self.shelters.advance(self.now, self.rivers.worst())
        self.paddies.advance(self.now)
        self.people.advance(self.now)
        self.bikes.advance(self.now)
        while self._weather_at < self.now:
            self._weather_at += _WEATHER_EVERY
            self._tell_weather(self._weather_at)

    def _tell_weather(self, now: float) -> None:
        sky, rain = self.weather.sky(now), self.weather.rain(now)
        self.truth.add(
            TruthOfWeather,
            time=now,
            rain=float(rain.mean()),
            heaviest=float(rain.max()),
            temperature=sky.temperature,
            humidity=sky.humidity,
            solar=sky.solar,
            wind=sky.wind,
            wbgt=sky.wbgt,
        )


def _weather(
    city: City, scale: Scale, scenario: Scenario, start: float, seed: np.random.SeedSequence
) -> Weather:
    climate = Climate(
        latitude=city.projection.lat,
        longitude=city.projection.lon,
        utc_offset=city.plan.utc_offset_hours * 3600,
    )
    rivers = [river.id for river in city.plan.river]
    points = scale.tile(_catchments(city))
    return Weather(points, rivers * scale.islands, scenario, start, climate, seed)


def _catchments(city: City) -> Floats:
    """The middle of each river's catchment: up the hills from its spring, as its course is not drawn."""
    middles: list[tuple[float, float]] = []
    for river in city.plan.river:
        spring, mouth = river.line[0], river.line[-1]
        away = math.dist(spring, mouth) or 1.0
        hidden = max(river.length_km * 1000 - away, 0.0) / 4
        middles.append(
            (
                spring[0] + (spring[0] - mouth[0]) / away * hidden,
                spring[1] + (spring[1] - mouth[1]) / away * hidden,
            )
        )
    return np.array(middles)
