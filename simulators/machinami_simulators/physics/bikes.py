"""Rental bikes: trips between ports along the streets, ports that fill and empty, and the operator's vans.

How many are under way follows the hour, the weather and the scenario. A rider starts where bikes are
wanted; if none is left there the trip is not made. The goal is drawn by its pull and its distance (a
gravity model); where the goal is full, the rider goes on to the nearest port with a free dock. Vans carry
bikes from full to empty ports. Each bike makes some five trips on an ordinary weekday: docked schemes have
between one and eight (Fishman, Transport Reviews 36, 2016; Médard de Chardon et al., Transportation Research
Part A 100, 2017).
"""

import numpy as np
from numpy.typing import NDArray

from machinami_simulators.city import City
from machinami_simulators.geometry import Floats
from machinami_simulators.physics.routes import Routes
from machinami_simulators.physics.weather import Weather
from machinami_simulators.rota import TICK
from machinami_simulators.scale import Scale
from machinami_simulators.scenario import Festival, Scenario, outing
from machinami_simulators.truth import Trip, Truth

_HOUR = 3600.0
_KM_PER_PERCENT = 0.9  # of battery
_CHARGE_PER_HOUR = 12.0
# trips wanted in an hour for each bike of the fleet, at 0, 3, 6 … 24 o'clock: 5.3 a day
_DEMAND = {
    False: (0.05, 0.01, 0.2, 0.35, 0.28, 0.32, 0.37, 0.18, 0.05),
    True: (0.07, 0.02, 0.09, 0.3, 0.42, 0.42, 0.28, 0.17, 0.07),
}
_MEAN_TRIP = 500.0  # seconds; says how many are under way at the start
_FAR, _TOO_NEAR = 2_500.0, 400.0  # metres: pull falls to a third; nobody rides less
_VAN_EVERY, _VAN_SPEED, _VAN_LOAD = 900.0, 5.5, 5
_VAN_HOURS = 6, 22
_FULL, _EMPTY = 0.85, 0.12  # of the docks: when the van is called
_NEAR_FESTIVAL = 700.0  # metres


class Bikes:
    """All bikes and ports of all islands, one array element each; `port` of a bike is −1 while it moves."""

    def __init__(
        self,
        city: City,
        scale: Scale,
        weather: Weather,
        scenario: Scenario,
        truth: Truth,
        start: float,
        seed: np.random.SeedSequence,
    ) -> None:
        self._weather, self._scenario, self._truth = weather, scenario, truth
        self._random = np.random.default_rng(seed)
        self._each, self._start = len(city.ports), start
        self.names, self.ports = scale.names(city.bikes), scale.names([port.id for port in city.ports])
        count, islands = len(self.names), scale.islands
        self._at = np.array([port.at for port in city.ports])
        self._offset = np.repeat(scale.offsets(), len(city.bikes), axis=0)
        self.capacity = np.tile([port.capacity for port in city.ports], islands)
        self._pull = np.array([port.pull for port in city.ports])
        self._routes = Routes(city)
        self._near = [(festival, self._by(city, festival)) for festival in scenario.festivals]
        home = np.arange(len(city.bikes)) // city.plan.bikes.per_port % self._each
        self.port = (home + self._each * np.arange(islands)[:, None]).reshape(-1)
        self._docked: list[list[int]] = [[] for _ in self.ports]
        for bike, port in enumerate(self.port.tolist()):
            self._docked[port].append(bike)
        self.parked = np.array([len(bikes) for bikes in self._docked])
        self._goal, self._origin = self.port.copy(), self.port.copy()
        self._way = np.zeros(count, dtype=np.intp)
        self._left_at, self._trip_from = np.full(count, start), np.full(count, start)
        self._before = np.zeros(count)  # metres of the trip before this way
        self._van = np.zeros(count, dtype=bool)
        self._arrives = np.full(count, np.inf)
        self.speed = self._random.uniform(3.1, 4.9, count)  # m/s
        self.battery = self._random.uniform(55, 100, count)
        self.time = start
        self._set_out(round(self._wanted(start) * count * _MEAN_TRIP / _HOUR), start, scattered=True)

    def advance(self, now: float) -> None:
        """Let time pass until it is at least `now`, and write down each trip that ends."""
        while self.time < now:
            self.time += TICK
            self._use_batteries()
            for bike in np.flatnonzero(self._arrives <= self.time).tolist():
                self._arrive(bike)
            mean = self._wanted(self.time) * len(self.names) * TICK / _HOUR
            self._set_out(int(self._random.poisson(mean)), self.time)
            if (
                self.time % _VAN_EVERY < TICK
                and _VAN_HOURS[0] <= self._weather.local(self.time) < _VAN_HOURS[1]
            ):
                self._rebalance()

    def moving(self) -> NDArray[np.bool_]:
        """Who is under way."""
        return self.port < 0

    def at(self, bikes: NDArray[np.intp], now: Floats) -> Floats:
        """True places, metres (n × 2), of bikes at these times of the tick up to which `advance` went."""
        port = self.port[bikes]
        ridden = self._speed(bikes) * np.maximum(now - self._left_at[bikes], 0.0)
        under_way = self._routes.at(self._way[bikes], ridden)
        return np.where((port < 0)[:, None], under_way, self._at[port % self._each]) + self._offset[bikes]

    def _by(self, city: City, festival: Festival) -> NDArray[np.bool_]:
        (place,) = (np.array(place.at) for place in city.plan.place if place.id == festival.place)
        return np.hypot(*(self._at - place).T) < _NEAR_FESTIVAL

    def _wanted(self, now: float) -> float:
        """Trips that people want to make in an hour, for each bike."""
        demand = _DEMAND[self._weather.weekend(now)]
        trips = float(np.interp(self._weather.local(now), np.arange(0, 25, 3), demand))
        sky, rain = self._weather.sky(now), float(self._weather.rain(now).mean())
        dry = (
            np.exp(-rain / 4)
            * np.interp(sky.wbgt, [29, 34], [1.0, 0.5])
            * np.interp(sky.wind, [8, 16], [1, 0])
        )
        return trips * float(dry) * outing(self._scenario, now - self._start).riders

    def _pulls(self, now: float) -> tuple[Floats, Floats]:
        """Pull of each port of an island as a start and as a goal: people go to a festival, then home."""
        starts, goals = self._pull.copy(), self._pull.copy()
        for festival, near in self._near:
            part = (now - self._start - festival.after) / festival.lasts
            if -0.2 < part < 0.7:
                goals[near] *= festival.riders
            elif 0.7 <= part < 1.3:
                starts[near] *= festival.riders
        return starts, goals

    def _set_out(self, count: int, now: float, *, scattered: bool = False) -> None:
        if not count:
            return
        starts, goals = self._pulls(now)
        starts *= self._gravity(self._pull).sum(axis=1)  # as many leave a port as come to it, in the long run
        islands = self._random.integers(0, len(self.ports) // self._each, count)
        cumulated = np.cumsum(starts)
        drawn = self._random.random(count) * float(cumulated[-1])
        start = np.searchsorted(cumulated, drawn, side="right")
        chances = np.cumsum(self._gravity(goals)[start], axis=1)
        drawn = self._random.random(count) * chances[:, -1]
        goal = np.minimum((chances < drawn[:, None]).sum(axis=1), self._each - 1)
        base = islands * self._each
        for origin, end in zip((base + start).tolist(), (base + goal).tolist(), strict=True):
            if self._docked[origin]:
                self._depart(origin, end, now, ridden=self._random.uniform(0, 0.9) if scattered else 0.0)

    def _gravity(self, pull: Floats) -> Floats:
        far = self._routes.table()
        return pull * np.exp(-far / _FAR) * (far > _TOO_NEAR)

    def _depart(self, origin: int, goal: int, now: float, *, ridden: float = 0.0, van: bool = False) -> None:
        """A bike of this port sets out, having `ridden` a share of its way already."""
        docked = self._docked[origin]
        bike = docked.pop(int(self._random.integers(len(docked))))
        self.parked[origin] -= 1
        self.port[bike], self._origin[bike], self._before[bike], self._van[bike] = -1, origin, 0.0, van
        seconds = self._take_way(bike, origin, goal, now)
        self._left_at[bike] -= ridden * seconds
        self._arrives[bike] -= ridden * seconds
        self._trip_from[bike] = self._left_at[bike]

    def _take_way(self, bike: int, origin: int, goal: int, now: float) -> float:
        way = origin % self._each * self._each + goal % self._each
        speed = _VAN_SPEED if self._van[bike] else float(self.speed[bike])
        seconds = float(self._routes.metres[way]) / speed
        self._goal[bike], self._way[bike], self._left_at[bike] = goal, way, now
        self._arrives[bike] = now + seconds
        return seconds

    def _arrive(self, bike: int) -> None:
        """Park at the goal, or go on to the nearest port that has a dock free."""
        goal = int(self._goal[bike])
        self._before[bike] += self._routes.metres[self._way[bike]]
        if self.parked[goal] < self.capacity[goal]:
            self._park(bike, goal)
            return
        island = slice(goal // self._each * self._each, (goal // self._each + 1) * self._each)
        far = np.where(
            self.parked[island] < self.capacity[island], self._routes.table()[goal % self._each], np.inf
        )
        self._take_way(bike, goal, island.start + int(far.argmin()), float(self._arrives[bike]))

    def _park(self, bike: int, port: int) -> None:
        self._truth.add(
            Trip,
            bike=self.names[bike],
            origin=self.ports[int(self._origin[bike])],
            destination=self.ports[port],
            start=float(self._trip_from[bike]),
            end=float(self._arrives[bike]),
            metres=float(self._before[bike]),
            moved=bool(self._van[bike]),
        )
        self.port[bike], self._arrives[bike], self._van[bike] = port, np.inf, False
        self._docked[port].append(bike)
        self.parked[port] += 1

    def _rebalance(self) -> None:
        """On each island a van takes some bikes from the fullest port to the emptiest, when there is need."""
        share = (self.parked / self.capacity).reshape(-1, self._each)
        fullest, emptiest = share.argmax(axis=1), share.argmin(axis=1)
        islands = np.arange(share.shape[0])
        need = (share[islands, fullest] > _FULL) | (share[islands, emptiest] < _EMPTY)
        for island in np.flatnonzero(need).tolist():
            base = island * self._each
            origin, goal = base + int(fullest[island]), base + int(emptiest[island])
            for _ in range(min(_VAN_LOAD, len(self._docked[origin]) // 2)):
                self._depart(origin, goal, self.time, van=True)

    def _speed(self, bikes: NDArray[np.intp]) -> Floats:
        return np.where(self._van[bikes], _VAN_SPEED, self.speed[bikes])

    def _use_batteries(self) -> None:
        riding = self.moving() & ~self._van
        self.battery[riding] -= self.speed[riding] * TICK / 1000 / _KM_PER_PERCENT
        self.battery[~riding] += TICK / _HOUR * _CHARGE_PER_HOUR
        np.clip(self.battery, 3, 100, out=self.battery)
