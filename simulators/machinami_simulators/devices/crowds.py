"""What sees people: receivers that hear their phones, and cameras that count them at the door."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from machinami_simulators import wire
from machinami_simulators.devices.groups import Group, Readings
from machinami_simulators.devices.site import Site
from machinami_simulators.geometry import Floats
from machinami_simulators.physics.people import People
from machinami_simulators.rota import Rota

_RECEIVER_INTERVAL, _CAMERA_INTERVAL = 60.0, 300.0
_STAFF = 2  # tags of staff at each receiver, which never leave
_HEARD = 0.88  # chance that a present device is heard within a minute
_GATEWAY_MAC, _STAFF_MAC = 0xAC233F000000, 0xAC233F100000
_SEEN_BY_DAY, _SEEN_BY_NIGHT, _CROWDED = (
    0.97,
    0.85,
    400.0,
)  # chance; people in five minutes that hide each other
_FALSE = 0.01  # things taken for a person, for each person
_Heard: TypeAlias = tuple[str, str, int]  # type, address, RSSI


class Receivers:
    """Addresses heard in the last minute, and how loud; a gateway a district sends for all its receivers."""

    def __init__(self, site: Site, people: People, seed: np.random.SeedSequence) -> None:
        self._people, self._random = people, np.random.default_rng(seed)
        receivers, scale = site.city.receivers, site.scale
        self._assets, names = site.equip(scale.names([receiver.id for receiver in receivers]))
        gateways = scale.names([f"ble-gateway-{receiver.area}" for receiver in receivers])
        interval = site.interval(wire.PEOPLE_FLOW, _RECEIVER_INTERVAL)
        self._rota = Rota(len(names), interval, site.start)
        macs = [f"{_GATEWAY_MAC + receiver:012X}" for receiver in self._assets.tolist()]
        self._macs = np.array(macs, dtype=object)
        self._staff = [_staff(receiver) for receiver in self._assets.tolist()]
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
        listed = [self._staff[int(index)] + heard for index, heard in zip(device.tolist(), seen, strict=True)]
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
            ("Unknown", mac, level)
            for mac, level in zip(_macs(address[order]), rssi[order].tolist(), strict=True)
        ]
        ends = np.cumsum(np.bincount(turn, minlength=at.size)).tolist()
        return [all_heard[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def _staff(receiver: int) -> list[_Heard]:
    first = _STAFF_MAC + receiver * _STAFF
    return [("iBeacon", f"{first + k:012X}", -58 - k) for k in range(_STAFF)]


def _macs(addresses: NDArray[np.uint64]) -> list[str]:
    """Twelve hexadecimal digits of each; all at once, as this is most of what a receiver's report costs."""
    digits = addresses.astype(">u8").tobytes().hex().upper()
    return [digits[begin : begin + 12] for begin in range(4, len(digits), 16)]


def _objects(values: list[list[_Heard]]) -> NDArray[Any]:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _receiver(_name: str, stamp: float, seen: list[_Heard], mac: str) -> bytes:
    return wire.receiver_report(stamp, mac, seen)


def _receiver_2(_name: str, stamp: float, seen: list[_Heard], mac: str) -> bytes:
    """A later firmware writes addresses in small letters."""
    return wire.receiver_report(stamp, mac.lower(), [(kind, each.lower(), rssi) for kind, each, rssi in seen])


class Cameras:
    """Who came and who went in five minutes; a camera misses more by night and in a throng."""

    def __init__(self, site: Site, people: People, seed: np.random.SeedSequence) -> None:
        self._site, self._people, self._random = site, people, np.random.default_rng(seed)
        cameras, places = site.city.cameras, [place.id for place in site.city.plan.place]
        self._assets, names = site.equip(site.scale.names([camera.id for camera in cameras]))
        first = np.array([places.index(camera.place.id) for camera in cameras])
        self._place = (first + len(places) * np.arange(site.scale.islands)[:, None]).reshape(-1)[self._assets]
        self._interval = site.interval(wire.PEOPLE_CAMERA, _CAMERA_INTERVAL)
        self._rota = Rota(len(names), self._interval, site.start)
        self._since = np.full(len(names), site.start)
        self._passed = np.zeros((2, len(names)))
        self.group = Group(
            kind=wire.PEOPLE_CAMERA,
            names=names,
            topics=[f"camera/namiki/{name}/count" for name in names],
            connections=names,
            encode=_camera,
            encode_2=_camera_2,
            values=2,
            quantity="entered",
            typical=50.0,
            interval=self._interval,
            qos=site.qos(wire.PEOPLE_CAMERA),
        )

    def report(self, now: float) -> Readings:
        """What is measured in the tick that ends at `now`: whole minutes, since the report before."""
        device, at = self._rota.due(now)
        until = np.stack(self._people.doors())[:, self._place[device]]
        true = until - self._passed[:, device]
        since, self._passed[:, device], self._since[device] = self._since[device], until, at
        night = self._site.weather.sky(now).solar <= 0
        chance = (_SEEN_BY_NIGHT if night else _SEEN_BY_DAY) * np.exp(-true / _CROWDED / 4)
        seen = self._random.binomial(true.astype(int), chance) + self._random.poisson(_FALSE * true)
        columns = [seen[0].astype(float), seen[1].astype(float), since]
        return Readings(device=device, at=at, columns=columns, true=true[0])


def _camera(name: str, stamp: float, entered: float, left: float, since: float) -> bytes:
    return wire.camera_count(name, since, stamp, max(round(entered), 0), max(round(left), 0))


def _camera_2(name: str, stamp: float, entered: float, left: float, since: float) -> bytes:
    return wire.camera_count_2(name, since, stamp, max(round(entered), 0), max(round(left), 0))
