"""People: residents and visitors come from home or from outside to places, stay, go on, and go back.

The crowd of a place follows its kind's day (`places`); who arrives from another place of the city takes
the room of somebody who would have come from home, so that both the crowds and the flows between places
are right. How long people stay is log-normal. Phones send with a random address that changes every
fifteen minutes, as Bluetooth asks for (Core Specification, vol. 3 part C, appendix A:
TGAP(private_addr_int)); one person in twelve has none on.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from machinami_simulators.city import City
from machinami_simulators.geometry import Floats
from machinami_simulators.physics import places
from machinami_simulators.physics.tally import HOME, OUTSIDE, Tally
from machinami_simulators.physics.weather import Weather
from machinami_simulators.scale import Scale
from machinami_simulators.scenario import Scenario, outing
from machinami_simulators.truth import Dwell, Truth

MINUTE = 60.0
_SPREAD = 0.7  # sigma of the logarithm of a stay
_GOES_ON = 0.25, 0.5  # chance that a resident, a visitor goes on to another place
_WALKS = 1.25  # m/s; longer ways are made by bus
_BUS = 5.5
_WALKS_UP_TO = 1_500.0  # metres
_LAST_ENTRY = 0.5  # hours before a place closes
_GO_OUT = 900.0  # seconds before, in which those go who would have stayed
_NO_PHONE = 12  # one in so many
_ADDRESS_LASTS = 900.0  # seconds
_RANDOM_ADDRESS = 0x020000000000  # locally administered, not multicast (IEEE 802)
_TOO_HOT, _HOT = 31.0, 28.0  # °C of WBGT: 危険, 厳重警戒
_Ints = NDArray[np.intp]


class Crowd(msgspec.Struct, frozen=True):
    """Persons, an array element each. `place` and `receiver` count through all islands."""

    place: _Ints
    receiver: _Ints
    came: Floats
    leaves: Floats
    visitor: NDArray[np.bool_]
    key: NDArray[np.uint64]

    def of(self, who: NDArray[np.bool_]) -> "Crowd":
        """Some of them."""
        return Crowd(*(getattr(self, field)[who] for field in self.__struct_fields__))

    def and_(self, other: "Crowd") -> "Crowd":
        """Both."""
        pairs = ((getattr(self, f), getattr(other, f)) for f in self.__struct_fields__)
        return Crowd(*(np.concatenate(pair) for pair in pairs))


class People:
    """Everybody at a place or on the way to one; moves on by minutes."""

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
        self._city, self._weather, self._scenario, self._truth = city, weather, scenario, truth
        self._random = np.random.default_rng(seed)
        self._start, self._islands = start, scale.islands
        drawn = city.plan.place
        index = {place.id: n for n, place in enumerate(drawn)}
        of_receiver = np.array([index[receiver.place.id] for receiver in city.receivers])
        self._each = len(drawn)
        self._place = (of_receiver + self._each * np.arange(scale.islands)[:, None]).reshape(-1)
        self._crowd = np.tile([r.place.crowd for r in city.receivers], scale.islands)
        self._crowd = self._crowd * self._random.uniform(0.6, 1.0, self._crowd.size)
        self._days = places.days(city)
        self._hours = places.hours(city)
        self._far = places.distances(city)
        self._dwell = np.array([places.SHAPES[place.kind].dwell for place in drawn])
        self._visitors = np.array([places.SHAPES[place.kind].visitors for place in drawn])
        self._festivals = [(index[festival.place], festival) for festival in scenario.festivals]
        self._first = np.searchsorted(self._place, np.arange(scale.islands * self._each))
        self._count: _Ints = np.bincount(self._place, minlength=self._first.size)
        self.tally = Tally(scale.names([place.id for place in drawn]), self._each, truth, start)
        self._others = np.zeros(self._first.size)  # arrivals a minute from other places, smoothed
        self.time = start
        self._doors = np.zeros((2, self._first.size))  # who came and who went, since the start
        self._doors_before = self._doors
        self.here = self._at_start()
        self._coming = self.here.of(np.zeros(self.here.place.size, dtype=bool))

    @property
    def receivers(self) -> int:
        """How many spots there are at all places."""
        return self._crowd.size

    def expected(self, now: float) -> Floats:
        """Persons to be expected near each receiver."""
        share = self._busy(now) * self._mood(now)
        return self._crowd * share[self._place % self._each]

    def present(self, now: float | None = None) -> _Ints:
        """True number of people near each receiver, in the minute up to which `advance` went."""
        now = self.time if now is None else now
        there = (self.here.came <= now) & (self.here.leaves > now)
        return np.bincount(self.here.receiver[there], minlength=self._crowd.size)

    def doors(self) -> tuple[Floats, Floats]:
        """How many have come to each place and gone from it since the start, up to the last whole minute."""
        return self._doors_before[0], self._doors_before[1]

    def advance(self, now: float) -> None:
        """Let time pass until it is at least `now`, and write the truth of stays and flows."""
        while self.time < now:
            begin, self.time = self.time, self.time + MINUTE
            self._leave(begin)
            arrived = self._coming.came < self.time
            joined = self._coming.of(arrived)
            self._coming = self._coming.of(~arrived)
            fresh = self._arrive(begin, joined)
            self.here = self.here.and_(joined).and_(fresh)
            self._count_doors(begin)
            there = self.here.leaves > self.time
            self.tally.minute(self.time, self.here.place[there], self.here.visitor[there])

    def addresses(self, who: _Ints, at: Floats) -> NDArray[np.uint64]:
        """The address that the phone of each of these persons has at these times; 0 for none."""
        key = self.here.key[who]
        offset = (key % np.uint64(int(_ADDRESS_LASTS))).astype(float)
        period = ((at + offset) // _ADDRESS_LASTS).astype(np.uint64)
        address = _mix(key ^ _mix(period)) & np.uint64((1 << 48) - 1) & ~np.uint64(0x03 << 40)
        return np.where(key % np.uint64(_NO_PHONE) == 0, np.uint64(0), address | np.uint64(_RANDOM_ADDRESS))

    def _count_doors(self, begin: float) -> None:
        here = self.here
        came, went = (
            (here.came >= begin) & (here.came < self.time),
            (here.leaves > begin) & (here.leaves <= self.time),
        )
        passed = [np.bincount(here.place[who], minlength=self._first.size) for who in (came, went)]
        self._doors_before, self._doors = self._doors, self._doors + np.stack(passed)

    def _busy(self, now: float) -> Floats:
        """Share of its peak that each place of an island sees at this time of day."""
        hour = self._weather.local(now)
        shape = self._days[int(self._weather.weekend(now))]
        left, share = int(hour // 3), hour % 3 / 3
        opens, closes = self._hours.T
        open_now = (opens <= hour) & ((hour < closes - _LAST_ENTRY) | (closes >= 24))
        return open_now * ((1 - share) * shape[left] + share * shape[left + 1])

    def _mood(self, now: float) -> Floats:
        """How many come against an ordinary day, at each place: events, rain and heat."""
        since = now - self._start
        out = outing(self._scenario, since)
        mood = out.residents * (1 - self._visitors) + out.visitors * self._visitors
        for place, festival in self._festivals:
            if festival.after <= since < festival.after + festival.lasts:
                mood[place] *= festival.crowd
        rain = float(self._weather.rain(now).mean())
        hot = np.interp(self._weather.sky(now).wbgt, [_HOT, _TOO_HOT + 2], [1.0, 0.45])
        return mood * hot * np.exp(-0.04 * rain)

    def _at_start(self) -> Crowd:
        """Those who are there already: who stays long is met more often, and at any moment of the stay."""
        receiver = np.repeat(np.arange(self._crowd.size), self._random.poisson(self.expected(self._start)))
        dwell = self._dwell[self._place[receiver] % self._each]
        stay = dwell * np.exp(self._random.normal(_SPREAD**2 / 2, _SPREAD, receiver.size))
        gone = stay * self._random.random(receiver.size)
        crowd = self._make(receiver, self._start - gone, self._start - gone + stay)
        self.tally.arrive(crowd.place, np.where(crowd.visitor, OUTSIDE, HOME), crowd.visitor)
        return crowd

    def _make(self, receiver: _Ints, came: Floats, leaves: Floats) -> Crowd:
        place = self._place[receiver]
        return Crowd(
            place=place,
            receiver=receiver,
            came=came,
            leaves=leaves,
            visitor=self._random.random(receiver.size) < self._visitors[place % self._each],
            key=self._random.integers(0, 1 << 63, receiver.size, dtype=np.uint64),
        )

    def _leaves(self, place: _Ints, came: Floats) -> Floats:
        """When somebody who came then leaves: after a log-normal stay, or shortly before the place closes."""
        mean = self._dwell[place % self._each]
        stays = mean * np.exp(self._random.normal(-(_SPREAD**2) / 2, _SPREAD, place.size))
        closes = self._hours[place % self._each, 1]
        left = 3600 * (closes - self._weather.local(self.time)) - self._random.uniform(0, _GO_OUT, place.size)
        return np.where(closes < 24, np.clip(self.time + left, came + MINUTE, came + stays), came + stays)

    def _leave(self, before: float) -> None:
        """Take away who left before this minute; some go on to another place."""
        gone = self.here.leaves <= before
        if not gone.any():
            return
        left, self.here = self.here.of(gone), self.here.of(~gone)
        names = self.tally.names
        self._truth.add(
            Dwell,
            place=[names[place] for place in left.place.tolist()],
            start=left.came,
            seconds=left.leaves - left.came,
            visitor=left.visitor,
        )
        goes_on = self._random.random(left.place.size) < np.take(_GOES_ON, left.visitor.astype(int))
        home = left.of(~goes_on)
        self.tally.go_home(home.place, home.visitor)
        self._go_on(left.of(goes_on))

    def _go_on(self, left: Crowd) -> None:
        busy = self._busy(self.time)
        both = np.array([places.next_places(self._city, busy, visitors=kind) for kind in (False, True)])
        origin = left.place % self._each
        drawn = self._random.random(origin.size)
        chances = both[left.visitor.astype(int), origin]
        goal: _Ints = np.minimum((chances < drawn[:, None]).sum(axis=1), self._each - 1)
        far = self._far[origin, goal] * 1.3
        came = left.leaves + MINUTE + far / np.where(far < _WALKS_UP_TO, _WALKS, _BUS)
        place = left.place - origin + goal
        which: Floats = self._random.random(place.size) * self._count[place]
        receiver = self._first[place] + which.astype(np.intp)
        going = Crowd(place, receiver, came, self._leaves(place, came), left.visitor, left.key)
        self.tally.arrive(place, origin, left.visitor)
        self._coming = self._coming.and_(going)

    def _arrive(self, begin: float, joined: Crowd) -> Crowd:
        """From home and from outside come as many as are missing to the crowd that is expected."""
        wanted = self.expected(begin) * MINUTE / self._dwell[self._place % self._each]
        per_place = np.bincount(self._place, wanted, self._first.size)
        others = np.bincount(joined.place, minlength=self._first.size)
        self._others += 0.1 * (others - self._others)
        share = np.clip(1 - self._others / np.maximum(per_place, 1e-9), 0.0, 1.0)
        receiver = np.repeat(np.arange(wanted.size), self._random.poisson(wanted * share[self._place]))
        came = begin + self._random.uniform(0, MINUTE, receiver.size)
        fresh = self._make(receiver, came, self._leaves(self._place[receiver], came))
        self.tally.arrive(fresh.place, np.where(fresh.visitor, OUTSIDE, HOME), fresh.visitor)
        return fresh


def _mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A well-mixed number from another (splitmix64; Steele, Lea and Flood, 2014)."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
