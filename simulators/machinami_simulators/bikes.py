"""Rental bikes: trips between ports along the streets, GPS that errs, ports that fill and empty."""

from collections.abc import Iterator
from itertools import chain

import msgspec
import numpy as np
from numpy.typing import NDArray

from machinami_simulators import wire
from machinami_simulators.city import City
from machinami_simulators.geometry import Floats, Point, Projection
from machinami_simulators.rota import Rota
from machinami_simulators.scenario import Scenario
from machinami_simulators.streets import along, lengths
from machinami_simulators.weather import Weather
from machinami_simulators.wire import Message

MOVING_INTERVAL, PARKED_INTERVAL, PORT_INTERVAL = 10.0, 600.0, 120.0
_OPERATOR = "bike-port-operator"
_GPS_M, _GPS_MEMORY = 4.0, 0.7  # standard deviation; how much of an error is the last one's
_KM_PER_PERCENT = 0.9  # of battery
_CHARGE_PER_HOUR = 12.0
# share of the fleet that is under way at 0, 3, 6 … 24 o'clock
_DEMAND = {
    False: (0.08, 0.05, 0.2, 0.3, 0.24, 0.28, 0.32, 0.16, 0.08),
    True: (0.1, 0.05, 0.1, 0.26, 0.36, 0.36, 0.24, 0.15, 0.1),
}
_MEAN_TRIP = 700.0  # seconds, to turn that share into departures


class _Route(msgspec.Struct, frozen=True):
    line: Floats
    lengths: Floats


class Fleet:
    """All bikes and ports, one array element each; `port` of a bike is −1 while it rides."""

    def __init__(
        self, city: City, weather: Weather, scenario: Scenario, start: float, seed: np.random.SeedSequence
    ) -> None:
        count = len(city.bikes)
        self._weather = weather
        self._projection: Projection = city.projection
        self._outdoors = scenario.outdoors
        self._random = np.random.default_rng(seed)
        self._names = city.bikes
        self._ports = [port.id for port in city.ports]
        self._at = [port.at for port in city.ports]
        self._capacity = np.array([port.capacity for port in city.ports])
        self._pull = np.array([port.pull for port in city.ports])
        self._routes = _routes(city)
        self._rota = Rota(count, PARKED_INTERVAL, start)
        self._port_rota = Rota(len(self._ports), PORT_INTERVAL, start)
        self.port = np.arange(count) // city.plan.bikes.per_port % len(self._ports)
        self._goal = self.port.copy()
        self._route: list[_Route | None] = [None] * count
        self._done = np.zeros(count)  # metres ridden of the route
        self._speed = self._random.uniform(3.1, 4.9, count)  # m/s
        self._error = self._random.normal(0, _GPS_M, (count, 2))
        self._battery = self._random.uniform(55, 100, count)
        self._set_out(self._under_way(start) * count, start)
        self._scatter()

    def step(self, now: float, dt: float) -> Iterator[Message]:
        """Let `dt` seconds pass until `now`; give what bikes and ports report."""
        self._ride(now, dt)
        self._set_out(self._under_way(now) * len(self._names) * dt / _MEAN_TRIP, now)
        return chain(self._bike_reports(now), self._port_reports(now))

    def parked(self) -> NDArray[np.intp]:
        """True number of bikes at each port."""
        return np.bincount(self.port[self.port >= 0], minlength=len(self._ports))

    def _riding(self) -> list[int]:
        bikes: list[int] = np.flatnonzero(self.port < 0).tolist()
        return bikes

    def _under_way(self, now: float) -> float:
        demand = _DEMAND[self._weather.weekend(now)]
        share = float(np.interp(self._weather.local(now), np.arange(0, 25, 3), demand))
        return share * self._outdoors

    def _ride(self, now: float, dt: float) -> None:
        moving = self._riding()
        self._done[moving] += self._speed[moving] * dt
        self._battery[moving] -= self._speed[moving] * dt / 1000 / _KM_PER_PERCENT
        self._battery[self.port >= 0] += dt / 3600 * _CHARGE_PER_HOUR
        np.clip(self._battery, 3, 100, out=self._battery)
        for bike in moving:
            route = self._route[bike]
            if route is not None and self._done[bike] >= route.lengths[-1]:
                self._arrive(bike, now)

    def _arrive(self, bike: int, now: float) -> None:
        """Park at the goal, or ride on to the nearest port that has a dock free."""
        goal = int(self._goal[bike])
        free = self._capacity - self.parked()
        if free[goal] > 0:
            self.port[bike], self._route[bike], self._rota.next[bike] = goal, None, now
            return
        others = [port for port in range(len(self._ports)) if free[port] > 0 and port != goal]
        near = min(others, key=lambda port: self._routes[goal, port].lengths[-1])
        self._goal[bike], self._route[bike], self._done[bike] = near, self._routes[goal, near], 0.0

    def _set_out(self, mean: float, now: float) -> None:
        for _ in range(int(self._random.poisson(mean))):
            weight = self._pull * self.parked()
            if not weight.any():
                return
            start = int(self._random.choice(len(self._ports), p=weight / weight.sum()))
            bike = int(self._random.choice(np.flatnonzero(self.port == start)))
            goal = self._choose_goal(start)
            self.port[bike], self._goal[bike], self._done[bike] = -1, goal, 0.0
            self._route[bike], self._rota.next[bike] = self._routes[start, goal], now

    def _choose_goal(self, start: int) -> int:
        """A port by its pull, its distance and its free docks, as riders see them in the operator's app."""
        free = np.maximum(self._capacity - self.parked(), 0)
        weight = self._pull * free / self._capacity
        far = np.array(
            [0.0 if port == start else self._routes[start, port].lengths[-1] for port in range(len(free))]
        )
        weight = weight * np.exp(-far / 2500) * (far > 400)
        return int(self._random.choice(len(free), p=weight / weight.sum()))

    def _scatter(self) -> None:
        """At the start riders are somewhere on their way."""
        for bike in self._riding():
            route = self._route[bike]
            if route is not None:
                self._done[bike] = self._random.uniform(0, 0.9) * route.lengths[-1]
                self._rota.next[bike] = self._rota.next[bike] + bike % 10

    def _position(self, bike: int) -> Point:
        route = self._route[bike]
        if route is None:
            return self._at[int(self.port[bike])]
        return along(route.line, route.lengths, float(self._done[bike]))

    def _bike_reports(self, now: float) -> Iterator[Message]:
        due = self._rota.due(now)
        if not due:
            return
        self._error[due] *= _GPS_MEMORY
        self._error[due] += self._random.normal(0, _GPS_M * (1 - _GPS_MEMORY**2) ** 0.5, (len(due), 2))
        true = np.array([self._position(bike) for bike in due])
        seen = true + self._error[due]
        lat, lon = self._projection.degrees(seen[:, 0], seen[:, 1])
        for k, bike in enumerate(due):
            moving = self.port[bike] < 0
            if moving:
                self._rota.next[bike] = now + MOVING_INTERVAL
            name, speed = self._names[bike], round(3.6 * float(self._speed[bike])) if moving else 0
            place = round(float(lat[k]), 6), round(float(lon[k]), 6)
            payload = wire.bike_location(name, now, place, speed, int(self._battery[bike]))
            yield Message(wire.RENTAL_BIKE, name, f"owntracks/namiki/{name}", payload)

    def _port_reports(self, now: float) -> Iterator[Message]:
        parked = self.parked()
        for port in self._port_rota.due(now):
            name, bikes = self._ports[port], int(parked[port])
            payload = wire.port_status(name, now, bikes, int(self._capacity[port]) - bikes)
            yield Message(wire.RENTAL_BIKE, _OPERATOR, f"gbfs/namiki/station_status/{name}", payload)


def _routes(city: City) -> dict[tuple[int, int], _Route]:
    """The shortest way from each port to each other."""
    ports = [port.at for port in city.ports]
    found: dict[tuple[int, int], _Route] = {}
    for start, at in enumerate(ports):
        ways = city.streets.routes(at, ports)
        found |= {
            (start, goal): _Route(ways[end], lengths(ways[end]))
            for goal, end in enumerate(ports)
            if end in ways
        }
    return found
