"""Bikes that know where they are, and ports that count them."""

import numpy as np
from numpy.typing import NDArray

from machinami_simulators import wire
from machinami_simulators.devices.groups import Group, Readings
from machinami_simulators.devices.site import Site
from machinami_simulators.geometry import Floats
from machinami_simulators.physics.bikes import Bikes
from machinami_simulators.rota import TICK, Rota

_PARKED_INTERVAL, _PORT_INTERVAL = 600.0, 120.0
_GPS_M, _GPS_MEMORY = 4.0, 0.7  # standard deviation; how much of an error is the last one's
_CANYON = (-750.0, -650.0), 650.0  # metres: among the high houses a fix is worse, and often missing
_CANYON_WORSE, _CANYON_MISSES = 1.5, 0.2


class BikeTrackers:
    """Place, speed and battery by phone module: every ten seconds while moving, every ten minutes parked."""

    def __init__(self, site: Site, bikes: Bikes, seed: np.random.SeedSequence) -> None:
        self._projection, self._bikes, self._random = site.city.projection, bikes, np.random.default_rng(seed)
        self._assets, names = site.equip(bikes.names)
        self._rota = Rota(len(names), _PARKED_INTERVAL, site.start)
        self._middles = site.scale.tile([_CANYON[0]]).repeat(len(site.city.bikes), axis=0)
        self._every = max(int(site.interval(wire.RENTAL_BIKE, TICK) // TICK), 1)
        self._error = self._random.normal(0, _GPS_M, (len(bikes.names), 2))
        self._moved = bikes.moving()
        self._first = site.start + TICK  # until then each tracker still has the fix it was set up with
        self.group = Group(
            kind=wire.RENTAL_BIKE,
            names=names,
            topics=[f"owntracks/namiki/{name}" for name in names],
            connections=names,
            encode=_bike,
            encode_2=_bike_2,
            values=2,
            quantity="",
            typical=300.0,
            interval=TICK * self._every,
            qos=site.qos(wire.RENTAL_BIKE),
        )

    def report(self, now: float) -> Readings:
        """What is measured in the tick that ends at `now`."""
        device, at = self._due(now)
        bike = self._assets[device]
        true = self._bikes.at(bike, at)
        worse, missing = self._canyon(true, bike)
        missing &= now > self._first
        device, at, bike = device[~missing], at[~missing], bike[~missing]
        true, worse = true[~missing], worse[~missing]
        self._error[bike] *= _GPS_MEMORY
        fresh = _GPS_M * (1 - _GPS_MEMORY**2) ** 0.5
        self._error[bike] += self._random.normal(0, fresh, (bike.size, 2))
        seen = true + self._error[bike] * worse[:, None]
        lat, lon = self._projection.degrees(seen[:, 0], seen[:, 1])
        speed = np.where(self._bikes.port[bike] < 0, np.rint(3.6 * self._bikes.speed[bike]), 0).astype(int)
        columns = [lat, lon, speed, self._bikes.battery[bike].astype(int)]
        return Readings(device=device, at=at, columns=columns, true=np.zeros(device.size))

    def _due(self, now: float) -> tuple[NDArray[np.intp], Floats]:
        """Who rides, or has just arrived, at its own second of the tick; who is parked, in its turn."""
        parked, when = self._rota.due(now)
        moving = self._bikes.moving()
        turn = (now // TICK + np.arange(self._assets.size)) % self._every == 0
        riding = np.flatnonzero((moving | self._moved)[self._assets] & turn)
        self._moved = moving
        device = np.concatenate([riding, np.setdiff1d(parked, riding, assume_unique=True)])
        at = np.concatenate([now - TICK + 1 + riding % TICK, when[~np.isin(parked, riding)]])
        return device, at.astype(float)

    def _canyon(self, true: Floats, bike: NDArray[np.intp]) -> tuple[Floats, NDArray[np.bool_]]:
        inside = np.hypot(*(true - self._middles[bike]).T) < _CANYON[1]
        missing = inside & (self._bikes.port[bike] < 0) & (self._random.random(bike.size) < _CANYON_MISSES)
        return np.where(inside, _CANYON_WORSE, 1.0), missing


def _bike(name: str, stamp: float, lat: float, lon: float, speed: int, battery: int) -> bytes:
    return wire.bike_location(name, stamp, (lat, lon), speed, battery)


def _bike_2(name: str, stamp: float, lat: float, lon: float, speed: int, battery: int) -> bytes:
    return wire.bike_location_2(name, stamp, (lat, lon), speed, battery)


class PortStations:
    """Bikes and free docks of each port, as the operator publishes them."""

    def __init__(self, site: Site, bikes: Bikes) -> None:
        self._bikes = bikes
        self._assets, names = site.equip(bikes.ports)
        self._rota = Rota(len(names), _PORT_INTERVAL, site.start)
        self.group = Group(
            kind=wire.RENTAL_BIKE,
            names=names,
            topics=[f"gbfs/namiki/station_status/{name}" for name in names],
            connections=["bike-port-operator"] * len(names),
            encode=_port,
            encode_2=_port_2,
            values=0,
            quantity="bikes",
            typical=5.0,
            interval=_PORT_INTERVAL,
            qos=site.qos(wire.RENTAL_BIKE),
        )

    def report(self, now: float) -> Readings:
        """What is measured in the tick that ends at `now`."""
        device, at = self._rota.due(now)
        parked = self._bikes.parked[self._assets[device]]
        free = self._bikes.capacity[self._assets[device]] - parked
        return Readings(device=device, at=at, columns=[parked, free], true=parked.astype(float))


def _port(name: str, stamp: float, bikes: int, docks: int) -> bytes:
    return wire.port_status(name, stamp, bikes, docks)


def _port_2(name: str, stamp: float, bikes: int, docks: int) -> bytes:
    """A later version of the operator's feed follows GBFS 3.0."""
    return wire.port_status_3(name, stamp, bikes, docks)
