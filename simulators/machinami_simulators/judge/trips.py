"""Bike trips from port to port."""

from collections import defaultdict
from collections.abc import Mapping

from machinami_simulators.judge import derive
from machinami_simulators.judge.alerts import matched
from machinami_simulators.judge.derive import Ride
from machinami_simulators.judge.equipment import Equipment
from machinami_simulators.judge.figures import Figure, Key, figure
from machinami_simulators.judge.sides import Side
from machinami_simulators.truth import Trip
from machinami_simulators.truth_record import Span, TruthRecord

_MINUTE, _WITHIN = 60.0, 900.0  # seconds; the latter between a true start and the one found for it


def trips(record: TruthRecord, span: Span, has: Equipment, devices: Side | None, platform: Side) -> Figure:
    """Minutes under way, of the bikes that carry a tracker.

    Args:
        devices: None where nobody knows any more what was sent.
    """
    where = "start >= :start AND end < :end AND origin != destination"
    true = {
        (row.bike, row.origin, row.destination, row.start): (row.end - row.start) / _MINUTE
        for row in record.rows(Trip, where, start=span.start, end=span.end)
        if row.bike in has.bikes
    }
    return figure(
        "bike trips",
        "min",
        true=true,
        sent=devices and _rides(devices, true),
        answered=_rides(platform, true),
    )


def _rides(side: Side, true: Mapping[tuple[str, str, str, float], float]) -> dict[Key, float]:
    starts: dict[Key, list[float]] = defaultdict(list)
    for *way, start in true:
        starts[tuple(way)].append(start)
    found: dict[Key, list[Ride]] = defaultdict(list)
    for bike, fixes in side.fixes.items():
        for ride in derive.rides(bike, fixes, side.ports):
            found[ride.bike, ride.origin, ride.destination].append(ride)
    result: dict[Key, float] = {}
    for way, rides in found.items():
        minutes = {ride.start: (ride.end - ride.start) / _MINUTE for ride in rides}
        keys = matched(way, starts[way], list(minutes), _WITHIN)
        result |= {key: minutes[start] for key, start in keys.items()}
    return result
