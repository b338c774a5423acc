"""Figures that no device sends, derived from observations as an app would: alerts, people, stays, trips.

The same functions are given what the devices sent and what the platform answered, so that a difference
between the two is the platform's, and a difference between the first and the truth the sensors'.
What is known of the sensors stands here and in docs/truth.md: it is what their maker's data sheet would say.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

import msgspec

STAFF_TAGS = 2  # of each receiver: they never leave, and are no people
HEARD = 0.88  # of the phones near a receiver are heard in a minute
WITH_PHONE = 11 / 12  # of all people
FACTOR = 1 / (HEARD * WITH_PHONE)  # people for each address heard
ADDRESS_LASTS = 900.0  # seconds until a phone takes another address
_STAYS_PUT = 1.5 * ADDRESS_LASTS  # heard for longer: a fixed device, not a person's
_LONGEST_WAY = 780.0  # seconds; on a longer way almost every phone has changed its address
_CLEARED = 0.02  # metres below a threshold that end an alert: more than a gauge's noise
_AT_PORT = 80.0  # metres
_EARTH = 6_371_008.8  # metres, mean radius

Series: TypeAlias = Sequence[tuple[float, float]]  # (seconds, value), by time
Place: TypeAlias = tuple[float, float]  # longitude, latitude


class Visit(msgspec.Struct):
    """An address at a receiver: first and last second it was heard, and in how many reports."""

    address: str
    receiver: str
    first: float
    last: float
    heard: int = 1


class Fix(msgspec.Struct, frozen=True, gc=False):
    """Where a bike was, and whether it moved."""

    at: float
    place: Place
    moving: bool


class Ride(msgspec.Struct, frozen=True):
    """A bike's way between two ports."""

    bike: str
    origin: str
    destination: str
    start: float
    end: float


def rises(levels: Series, threshold: float) -> list[float]:
    """When the level came to the threshold from below; it counts again once it fell well below it."""
    found: list[float] = []
    armed = bool(levels) and levels[0][1] < threshold
    for at, level in levels:
        if armed and level >= threshold:
            found.append(at)
            armed = False
        armed = armed or level < threshold - _CLEARED
    return found


def people(reports: Series) -> float:
    """Mean number of people near a receiver, from the addresses in its reports."""
    return max(sum(count for _, count in reports) / len(reports) - STAFF_TAGS, 0.0) * FACTOR


def visits(sightings: Iterable[tuple[float, str, Iterable[str]]]) -> list[Visit]:
    """Reports (time, receiver, addresses) as visits, without the devices that stay put."""
    found: dict[tuple[str, str], Visit] = {}
    for at, receiver, addresses in sightings:
        for address in addresses:
            visit = found.get((address, receiver))
            if visit is None:
                found[address, receiver] = Visit(address, receiver, at, at)
            else:
                visit.first, visit.last = min(visit.first, at), max(visit.last, at)
                visit.heard += 1
    return [visit for visit in found.values() if visit.last - visit.first < _STAYS_PUT]


def dwell(stays: Sequence[Visit], end: float, interval: float) -> float | None:
    """Mean stay in seconds at a place; None where too little was heard to say.

    Nobody is heard for longer than an address lasts, but how often addresses vanish is known: each minute
    by rotation with the chance interval/ADDRESS_LASTS, else because somebody left. The chance to leave in
    an interval is the interval divided by the mean stay, however stays are distributed.

    Args:
        end: of the time judged; who is heard until shortly before has not left.
        interval: seconds between two reports of a receiver.
    """
    present = sum(stay.heard for stay in stays) / HEARD
    vanished = sum(stay.last < end - 3 * interval for stay in stays)
    if vanished < 100:
        return None
    leaves = 1 - (1 - vanished / present) / (1 - interval / ADDRESS_LASTS)
    return interval / leaves if leaves > 0 else None


def ways(stays: Iterable[Visit], place: Mapping[str, str]) -> dict[tuple[str, str], float]:
    """People from place to place.

    Somebody on the way is known again only while the phone keeps its address, which in a gap of g seconds
    it does with the chance 1 − g/ADDRESS_LASTS; each one seen therefore stands for the inverse of it
    (Horvitz and Thompson, 1952), and of the share of people who carry a phone.
    """
    by_address: dict[str, list[Visit]] = defaultdict(list)
    for stay in stays:
        by_address[stay.address].append(stay)
    found: dict[tuple[str, str], float] = defaultdict(float)
    for seen in by_address.values():
        seen.sort(key=lambda stay: stay.first)
        for left, came in pairwise(seen):
            gap, way = came.first - left.last, (place[left.receiver], place[came.receiver])
            if way[0] != way[1] and 0 < gap < _LONGEST_WAY:
                found[way] += 1 / ((1 - gap / ADDRESS_LASTS) * WITH_PHONE)
    return dict(found)


def rides(bike: str, fixes: Iterable[Fix], ports: Mapping[str, Place]) -> Iterator[Ride]:
    """A bike's ways, from the last fix at rest in one port to the first at rest in another."""
    resting: tuple[str, float] | None = None
    moved_at: float | None = None
    for fix in fixes:
        port = None if fix.moving else nearest(fix.place, ports)
        if port is None:
            moved_at = fix.at if moved_at is None else moved_at
            continue
        if resting is not None and (port != resting[0]):
            yield Ride(bike, resting[0], port, moved_at or resting[1], fix.at)
        resting, moved_at = (port, fix.at), None


def nearest(place: Place, ports: Mapping[str, Place]) -> str | None:
    """The port at which a bike stands, if it stands at any."""
    best = min(ports, key=lambda port: metres(place, ports[port]), default=None)
    return best if best is not None and metres(place, ports[best]) <= _AT_PORT else None


def metres(one: Place, other: Place) -> float:
    """Distance of two near places."""
    east = math.radians(other[0] - one[0]) * math.cos(math.radians((one[1] + other[1]) / 2))
    return _EARTH * math.hypot(east, math.radians(other[1] - one[1]))


def match(true: Sequence[float], found: Sequence[float], tolerance: float) -> dict[float, float]:
    """Moment of the truth → the moment found for it: the nearest ones first, each used once."""
    near = sorted((abs(t - f), t, f) for t in true for f in found if abs(t - f) <= tolerance)
    pairs: dict[float, float] = {}
    used: set[float] = set()
    for _, t, f in near:
        if t not in pairs and f not in used:
            pairs[t] = f
            used.add(f)
    return pairs
