"""People flow: receivers hear the phones of who is near, under random addresses, for as long as they stay."""

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from machinami_simulators import wire
from machinami_simulators.city import City
from machinami_simulators.geometry import Floats
from machinami_simulators.rota import Rota
from machinami_simulators.scenario import Scenario
from machinami_simulators.weather import Weather
from machinami_simulators.wire import Message

INTERVAL = 60.0
_HEARD = 0.88  # chance that a present device is heard within a minute
_STAFF = 2  # tags of staff at each receiver, which never leave
_LOCALLY_ADMINISTERED = 0x020000000000  # bit of a random address (IEEE 802)
_GATEWAY_MAC = 0xAC233F000000


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """The day of a kind of place.

    Attributes:
        weekday, weekend: share of the peak at 0, 3, 6 … 21 o'clock.
        dwell: seconds that a person stays, on average.
    """

    weekday: tuple[float, ...]
    weekend: tuple[float, ...]
    dwell: float


_M = 60.0
SHAPES = {
    "station": Shape(
        weekday=(0.08, 0.02, 0.55, 0.75, 0.55, 0.6, 1.0, 0.5),
        weekend=(0.1, 0.02, 0.25, 0.6, 0.7, 0.75, 0.75, 0.4),
        dwell=9 * _M,
    ),
    "market": Shape(
        weekday=(0.05, 0.02, 0.06, 0.35, 0.65, 0.55, 0.8, 0.35),
        weekend=(0.08, 0.02, 0.08, 0.55, 1.0, 0.95, 0.8, 0.35),
        dwell=28 * _M,
    ),
    "morning-market": Shape(
        weekday=(0.02, 0.1, 0.7, 0.8, 0.45, 0.25, 0.08, 0.03),
        weekend=(0.02, 0.1, 0.8, 1.0, 0.7, 0.4, 0.1, 0.03),
        dwell=25 * _M,
    ),
    "office": Shape(
        weekday=(0.04, 0.03, 0.08, 0.85, 0.9, 1.0, 0.45, 0.1),
        weekend=(0.03, 0.03, 0.05, 0.15, 0.2, 0.2, 0.12, 0.05),
        dwell=80 * _M,
    ),
    "school": Shape(
        weekday=(0.02, 0.01, 0.08, 0.95, 1.0, 0.9, 0.35, 0.1),
        weekend=(0.02, 0.01, 0.03, 0.15, 0.22, 0.2, 0.08, 0.03),
        dwell=120 * _M,
    ),
    "sight": Shape(
        weekday=(0.02, 0.01, 0.04, 0.35, 0.5, 0.5, 0.15, 0.04),
        weekend=(0.02, 0.01, 0.05, 0.65, 1.0, 0.95, 0.25, 0.05),
        dwell=45 * _M,
    ),
    "park": Shape(
        weekday=(0.03, 0.02, 0.25, 0.4, 0.45, 0.5, 0.4, 0.1),
        weekend=(0.04, 0.02, 0.3, 0.75, 0.95, 1.0, 0.5, 0.12),
        dwell=35 * _M,
    ),
    "onsen": Shape(
        weekday=(0.2, 0.12, 0.25, 0.3, 0.45, 0.6, 0.85, 0.6),
        weekend=(0.3, 0.2, 0.3, 0.5, 0.7, 0.85, 1.0, 0.7),
        dwell=95 * _M,
    ),
}


class People:
    """Devices near all receivers in flat arrays: which receiver, address, when it leaves, how loud it is."""

    def __init__(
        self, city: City, weather: Weather, scenario: Scenario, start: float, seed: np.random.SeedSequence
    ) -> None:
        places = [receiver.place for receiver in city.receivers]
        self._weather = weather
        self._random = np.random.default_rng(seed)
        self._rota = Rota(len(places), INTERVAL, start)
        self._receivers = [(receiver.id, f"ble-gateway-{receiver.area}") for receiver in city.receivers]
        self._shapes = _hourly([place.kind for place in places])
        self._crowd = np.array([place.crowd for place in places]) * self._random.uniform(
            0.6, 1.0, len(places)
        )
        self._crowd *= scenario.outdoors
        self._dwell = np.array([SHAPES[place.kind].dwell for place in places])
        self._where = np.empty(0, dtype=np.intp)
        self._address = np.empty(0, dtype=np.int64)
        self._leaves = np.empty(0)
        self._loudness = np.empty(0)
        self._arrive(self.expected(start), start)

    def expected(self, now: float) -> Floats:
        """Devices to be expected near each receiver."""
        hour = self._weather.local(now)
        shape = self._shapes[int(self._weather.weekend(now))]
        left, share = int(hour // 3), hour % 3 / 3
        return self._crowd * ((1 - share) * shape[left] + share * shape[left + 1])

    def present(self) -> NDArray[np.intp]:
        """True number of visitors' devices near each receiver now."""
        return np.bincount(self._where, minlength=len(self._receivers))

    def step(self, now: float, dt: float) -> Iterator[Message]:
        """Let `dt` seconds pass until `now`; give what receivers report."""
        self._leave(now)
        self._arrive(self.expected(now) * dt / self._dwell, now)
        for receiver in self._rota.due(now):
            name, gateway = self._receivers[receiver]
            payload = wire.receiver_report(now, f"{_GATEWAY_MAC + receiver:012X}", self._heard(receiver))
            yield Message(wire.PEOPLE_FLOW, gateway, f"minew/namiki/{name}/status", payload)

    def _leave(self, now: float) -> None:
        stay = self._leaves > now
        if stay.all():
            return
        self._where, self._address = self._where[stay], self._address[stay]
        self._leaves, self._loudness = self._leaves[stay], self._loudness[stay]

    def _arrive(self, mean: Floats, now: float) -> None:
        where = np.repeat(np.arange(mean.size), self._random.poisson(mean))
        if not where.size:
            return
        address = self._random.integers(0, 1 << 48, where.size) & ~(0x03 << 40) | _LOCALLY_ADMINISTERED
        leaves = now + self._random.exponential(self._dwell[where])
        self._where = np.concatenate([self._where, where])
        self._address = np.concatenate([self._address, address])
        self._leaves = np.concatenate([self._leaves, leaves])
        self._loudness = np.concatenate([self._loudness, self._random.uniform(-92, -48, where.size)])

    def _heard(self, receiver: int) -> list[tuple[str, str, int]]:
        """Type, address and RSSI of what a receiver heard in the last minute."""
        near = np.flatnonzero(self._where == receiver)
        near = near[self._random.random(near.size) < _HEARD]
        rssi = np.rint(self._loudness[near] + self._random.normal(0, 3, near.size)).astype(int)
        staff = [
            ("iBeacon", f"{_GATEWAY_MAC + 0x100000 + receiver * _STAFF + k:012X}", -58 - k)
            for k in range(_STAFF)
        ]
        visitors = zip(self._address[near].tolist(), rssi.tolist(), strict=True)
        return staff + [("Unknown", f"{address:012X}", loud) for address, loud in visitors]


def _hourly(kinds: list[str]) -> tuple[Floats, Floats]:
    """Weekday and weekend shapes of all receivers: (9 times of day × receivers), the last as the first."""
    shapes = [SHAPES[kind] for kind in kinds]
    weekday = np.array([(*shape.weekday, shape.weekday[0]) for shape in shapes]).T
    weekend = np.array([(*shape.weekend, shape.weekend[0]) for shape in shapes]).T
    return weekday, weekend
