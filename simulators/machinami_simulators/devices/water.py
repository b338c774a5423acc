"""Sensors in water: paddies over LoRaWAN, river gauges and underpasses over UltraLight."""

import math

import numpy as np

from machinami_simulators import wire
from machinami_simulators.devices.groups import Group, Readings
from machinami_simulators.devices.site import Site
from machinami_simulators.physics.paddies import Paddies
from machinami_simulators.physics.rivers import Rivers
from machinami_simulators.physics.underpasses import Underpasses
from machinami_simulators.rota import Rota

_PADDY_INTERVAL, _GAUGE_INTERVAL = 600.0, 60.0
_INT16 = 32_767


class PaddySensors:
    """Depth, water and air temperature, battery; over LoRaWAN."""

    def __init__(self, site: Site, paddies: Paddies, seed: np.random.SeedSequence) -> None:
        self._site, self._paddies, self._random = site, paddies, np.random.default_rng(seed)
        self._assets, names = site.equip(paddies.names)
        interval = site.interval(wire.PADDY, _PADDY_INTERVAL)
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
        interval = site.interval(wire.RIVER_GAUGE, _GAUGE_INTERVAL)
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


class UnderpassGauges:
    """Water over the road of each underpass, by the same make of gauge."""

    def __init__(self, site: Site, underpasses: Underpasses, seed: np.random.SeedSequence) -> None:
        self._underpasses, self._random = underpasses, np.random.default_rng(seed)
        self._assets, names = site.equip(underpasses.names)
        interval = site.interval(wire.RIVER_GAUGE, _GAUGE_INTERVAL)
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
            typical=0.2,
            interval=interval,
            qos=site.qos(wire.RIVER_GAUGE),
        )

    def report(self, now: float) -> Readings:
        """What is measured in the tick that ends at `now`."""
        device, at = self._rota.due(now)
        depth = self._underpasses.depths(at, self._assets[device])
        seen = np.maximum(depth + self._random.normal(0, 0.002, device.size) * (depth > 0), 0.0)
        return Readings(device=device, at=at, columns=[seen, np.full(device.size, 3.6)], true=depth)
