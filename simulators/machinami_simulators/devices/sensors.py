"""The city's sensors: when each measures, how well, and what it writes."""

import math
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from machinami_simulators import wire
from machinami_simulators.city import City
from machinami_simulators.devices.groups import Group, Readings
from machinami_simulators.geometry import Floats
from machinami_simulators.physics.bikes import Bikes
from machinami_simulators.physics.paddies import Paddies
from machinami_simulators.physics.people import People
from machinami_simulators.physics.rivers import Rivers
from machinami_simulators.physics.weather import Weather
from machinami_simulators.rota import TICK, Rota
from machinami_simulators.scale import Scale
from machinami_simulators.scenario import Scenario

PADDY_INTERVAL, GAUGE_INTERVAL, RECEIVER_INTERVAL = 600.0, 60.0, 60.0
PARKED_INTERVAL, PORT_INTERVAL = 600.0, 120.0
_STAFF = 2  # tags of staff at each receiver, which never leave
_HEARD = 0.88  # chance that a present device is heard within a minute
_GATEWAY_MAC, _STAFF_MAC = 0xAC233F000000, 0xAC233F100000
_GPS_M, _GPS_MEMORY = 4.0, 0.7  # standard deviation; how much of an error is the last one's
_CANYON = (-750.0, -650.0), 650.0  # metres: among the high houses a fix is worse, and often missing
_CANYON_WORSE, _CANYON_MISSES = 1.5, 0.2
_INT16 = 32_767
_Heard: TypeAlias = tuple[str, str, int]  # type, address, RSSI


class Sensors(Protocol):
    """All devices of one group."""

    group: Group

    def report(self, now: float) -> Readings:
        """What is measured in the tick that ends at `now`."""
        ...


class Site:
    """What every kind of sensor needs to know: the city, its size, the scenario's settings, the start."""

    def __init__(self, city: City, scale: Scale, scenario: Scenario, weather: Weather, start: float) -> None:
        self.city, self.scale, self.weather, self.start = city, scale, weather, start
        self._settings = {device.kind: device for device in scenario.devices}

    def equip(self, names: list[str]) -> tuple[NDArray[np.intp], list[str]]:
        """Which assets carry a device, and their names."""
        chosen = self.scale.equipped(len(names))
        return np.array(chosen, dtype=np.intp), [names[index] for index in chosen]

    def interval(self, kind: str, usual: float) -> float:
        """Seconds between two reports."""
        device = self._settings.get(kind)
        return usual if device is None or device.interval is None else float(device.interval)

    def qos(self, kind: str) -> int:
        """Quality of service of its messages."""
        return self._settings[kind].qos if kind in self._settings else 1


class PaddySensors:
    """Depth, water and air temperature, battery; over LoRaWAN."""

    def __init__(self, site: Site, paddies: Paddies, seed: np.random.SeedSequence) -> None:
        self._site, self._paddies, self._random = site, paddies, np.random.default_rng(seed)
        self._assets, names = site.equip(paddies.names)
        interval = site.interval(wire.PADDY, PADDY_INTERVAL)
        self._rota = Rota(len(names), interval, site.start)
        self._battery = self._random.uniform(62, 100, len(names))
        self._sent = np.zeros(len(names), dtype=np.intp)
        self.group = Group(
            kind=wire.PADDY,
            names=names,
            topics=[f"v3/namiki-paddy@namiki/devices/{name}/up" for name in names],
            connections=["lorawan-network-server"] * len(names),
            encode=_paddy,
            encode_2=_paddy_2,
            values=1,
            quantity="depth",
            typical=50.0,
            interval=interval,
            qos=site.qos(wire.PADDY),
        )

    def report(self, now: float) -> Readings:
        """What is measured in the tick that ends at `now`."""
        device, at = self._rota.due(now)
        depth, water = self._paddies.at(at, self._assets[device])
        self._sent[device] += 1
        air = self._site.weather.air(self._paddies.time) + self._random.normal(0, 0.3, device.size)
        water = water + self._random.normal(0, 0.05, device.size)
        worn = (now - self._site.start) / 86_400 * 0.009
        columns = [
            depth + self._random.normal(0, 1.0, device.size),
            np.rint(100 * water).astype(int),
            np.rint(100 * air).astype(int),
            (self._battery[device] - worn).astype(int),
            self._sent[device],
        ]
        return Readings(device=device, at=at, columns=columns, true=depth)


def _depth(depth: float) -> int:
    return round(min(max(depth, -_INT16), _INT16))


def _paddy(name: str, stamp: float, depth: float, water: int, air: int, battery: int, sent: int) -> bytes:
    return wire.paddy_uplink(name, stamp, sent, _depth(depth), (water, air), battery)


def _paddy_2(name: str, stamp: float, depth: float, water: int, air: int, battery: int, sent: int) -> bytes:
    return wire.paddy_uplink_2(name, stamp, sent, _depth(depth), (water, air), battery)


class RiverGauges:
    """Level and battery; UltraLight 2.0."""

    def __init__(self, site: Site, rivers: Rivers, seed: np.random.SeedSequence) -> None:
        self._site, self._rivers, self._random = site, rivers, np.random.default_rng(seed)
        self._assets, names = site.equip(rivers.names)
        interval = site.interval(wire.RIVER_GAUGE, GAUGE_INTERVAL)
        self._rota = Rota(len(names), interval, site.start)
        self.group = Group(
            kind=wire.RIVER_GAUGE,
            names=names,
            topics=[f"ul/namiki-river/{name}/attrs" for name in names],
            connections=names,
            encode=_gauge,
            encode_2=_gauge_2,
            values=1,
            quantity="level",
            typical=1.0,
            interval=interval,
            qos=site.qos(wire.RIVER_GAUGE),
        )

    def report(self, now: float) -> Readings:
        """What is measured in the tick that ends at `now`."""
        device, at = self._rota.due(now)
        level = self._rivers.levels(at, self._assets[device])
        volts = 12.35 + 0.35 * math.sin(math.pi * max(0.0, (self._site.weather.local(now) - 6) / 12))
        seen = np.maximum(level + self._random.normal(0, 0.004, device.size), 0.0)
        columns = [seen, volts - device % 7 * 0.02]
        return Readings(device=device, at=at, columns=columns, true=level)


def _gauge(_name: str, stamp: float, level: float, volts: float) -> bytes:
    return wire.gauge_reading(stamp, level, volts)


def _gauge_2(_name: str, stamp: float, level: float, volts: float) -> bytes:
    return wire.gauge_reading_2(stamp, level, volts)


class Receivers:
    """Addresses heard in the last minute, and how loud; a gateway a district sends for all its receivers."""

    def __init__(self, site: Site, people: People, seed: np.random.SeedSequence) -> None:
        self._people, self._random = people, np.random.default_rng(seed)
        receivers, scale = site.city.receivers, site.scale
        self._assets, names = site.equip(scale.names([receiver.id for receiver in receivers]))
        gateways = scale.names([f"ble-gateway-{receiver.area}" for receiver in receivers])
        interval = site.interval(wire.PEOPLE_FLOW, RECEIVER_INTERVAL)
        self._rota = Rota(len(names), interval, site.start)
        macs = [f"{_GATEWAY_MAC + receiver:012X}" for receiver in self._assets.tolist()]
        self._macs = np.array(macs, dtype=object)
        self.group = Group(
            kind=wire.PEOPLE_FLOW,
            names=names,
            topics=[f"minew/namiki/{name}/status" for name in names],
            connections=[gateways[receiver] for receiver in self._assets.tolist()],
            encode=_receiver,
            encode_2=_receiver_2,
            values=0,
            quantity="people",
            typical=1.0,
            interval=interval,
            qos=site.qos(wire.PEOPLE_FLOW),
        )

    def report(self, now: float) -> Readings:
        """What is measured in the tick that ends at `now`."""
        device, at = self._rota.due(now)
        turn = np.full(int(self._people.receivers), -1)
        turn[self._assets[device]] = np.arange(device.size)
        crowd = self._people.here
        near = np.flatnonzero(turn[crowd.receiver] >= 0)
        when = at[turn[crowd.receiver[near]]]
        near = near[(crowd.came[near] <= when) & (crowd.leaves[near] > when)]
        true = np.bincount(turn[crowd.receiver[near]], minlength=device.size)
        seen = self._hear(near, turn[crowd.receiver[near]], at)
        listed = [self._staff(index) + heard for index, heard in zip(device.tolist(), seen, strict=True)]
        columns = [_objects(listed), self._macs[device]]
        return Readings(device=device, at=at, columns=columns, true=true.astype(float))

    def _hear(self, near: NDArray[np.intp], turn: NDArray[np.intp], at: Floats) -> list[list[_Heard]]:
        """Type, address and RSSI of the phones heard at each receiver whose turn it is."""
        address = self._people.addresses(near, at[turn])
        heard = (self._random.random(near.size) < _HEARD) & (address > 0)
        near, turn, address = near[heard], turn[heard], address[heard]
        order = np.argsort(turn, kind="stable")
        loud = -92 + (self._people.here.key[near] % np.uint64(44)).astype(float)
        rssi = np.rint(loud + self._random.normal(0, 3, near.size)).astype(int)
        all_heard = [
            ("Unknown", f"{mac:012X}", level)
            for mac, level in zip(address[order].tolist(), rssi[order].tolist(), strict=True)
        ]
        ends = np.cumsum(np.bincount(turn, minlength=at.size)).tolist()
        return [all_heard[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]

    def _staff(self, index: int) -> list[_Heard]:
        first = _STAFF_MAC + int(self._assets[index]) * _STAFF
        return [("iBeacon", f"{first + k:012X}", -58 - k) for k in range(_STAFF)]


def _objects(values: list[list[_Heard]]) -> NDArray[Any]:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _receiver(_name: str, stamp: float, seen: list[_Heard], mac: str) -> bytes:
    return wire.receiver_report(stamp, mac, seen)


def _receiver_2(_name: str, stamp: float, seen: list[_Heard], mac: str) -> bytes:
    """A later firmware writes addresses in small letters."""
    return wire.receiver_report(stamp, mac.lower(), [(kind, each.lower(), rssi) for kind, each, rssi in seen])


class BikeTrackers:
    """Place, speed and battery by phone module: every ten seconds while moving, every ten minutes parked."""

    def __init__(self, site: Site, bikes: Bikes, seed: np.random.SeedSequence) -> None:
        self._projection, self._bikes, self._random = site.city.projection, bikes, np.random.default_rng(seed)
        self._assets, names = site.equip(bikes.names)
        self._rota = Rota(len(names), PARKED_INTERVAL, site.start)
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
        self._rota = Rota(len(names), PORT_INTERVAL, site.start)
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
            interval=PORT_INTERVAL,
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
