"""People: how many are at a place, who came through its door, how long they stay and where they go."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from machinami_simulators.judge import derive
from machinami_simulators.judge.derive import Visit
from machinami_simulators.judge.equipment import Equipment
from machinami_simulators.judge.figures import Figure, Key, figure
from machinami_simulators.judge.sides import Side
from machinami_simulators.truth import Dwell, Flow, Presence
from machinami_simulators.truth_record import Span, TruthRecord

_HOUR, _MINUTE = 3600.0, 60.0


def crowds(
    record: TruthRecord, hours: Span, has: Equipment, devices: Side, platform: Side, *, known: bool
) -> Iterator[Figure]:
    """Rows about people, of the places at which devices stand.

    Args:
        hours: whole ones.
        known: the ledger is there, so that it is known which addresses were sent.
    """
    yield _people(record, hours, has, devices, platform)
    yield _doors(record, hours, has, devices, platform)
    mine, yours = _visits(devices) if known else None, _visits(platform)
    places = set(has.receivers.values())
    stays = _true_stays(record, hours, places)
    yield figure(
        "mean stay at a place",
        "min",
        true=stays,
        sent=None if mine is None else _dwell(devices, mine, hours),
        answered=_dwell(platform, yours, hours),
    )
    ways = _true_ways(record, hours, places)
    yield figure(
        "people from place to place",
        "people",
        true=ways,
        sent=None if mine is None else _ways(devices, mine, ways),
        answered=_ways(platform, yours, ways),
    )


def _people(record: TruthRecord, hours: Span, has: Equipment, devices: Side, platform: Side) -> Figure:
    rows = record.rows(Presence, "hour >= :start AND hour + 3600 <= :end", start=hours.start, end=hours.end)
    places = set(has.receivers.values())
    return figure(
        "people by place and hour",
        "people",
        true={(row.place, row.hour): row.mean for row in rows if row.place in places},
        sent=_at_places(devices, hours),
        answered=_at_places(platform, hours),
    )


def _at_places(side: Side, hours: Span) -> dict[Key, float]:
    found: dict[Key, float] = defaultdict(float)
    for receiver, series in side.reports.items():
        by_hour: dict[float, list[tuple[float, float]]] = defaultdict(list)
        for at, count in series:
            by_hour[at // _HOUR * _HOUR].append((at, count))
        for hour, reports in by_hour.items():
            if receiver in side.place and hours.start <= hour < hours.end:
                found[side.place[receiver], hour] += derive.people(reports)
    return dict(found)


def _doors(record: TruthRecord, hours: Span, has: Equipment, devices: Side, platform: Side) -> Figure:
    places = set(has.cameras.values())
    each_hour = range(int(hours.start), int(hours.end), int(_HOUR))
    true: dict[Key, float] = {(place, float(hour)): 0.0 for place in places for hour in each_hour}
    for row in record.rows(Flow, "hour >= :start AND hour < :end", start=hours.start, end=hours.end):
        if row.destination in places:
            true[row.destination, row.hour] += row.people
    return figure(
        "arrivals by place and hour",
        "people",
        true=true,
        sent=_arrivals(devices, hours),
        answered=_arrivals(platform, hours),
    )


def _arrivals(side: Side, hours: Span) -> dict[Key, float]:
    """What the cameras of a place counted; a count belongs to the hour in which it ends."""
    found: dict[Key, float] = defaultdict(float)
    for camera, series in side.counts.items():
        for at, count in series:
            hour = -(-at // _HOUR) * _HOUR - _HOUR
            if camera in side.place and hours.start <= hour < hours.end:
                found[side.place[camera], hour] += count
    return dict(found)


def _true_stays(record: TruthRecord, hours: Span, places: set[str]) -> dict[Key, float]:
    stays: dict[Key, list[float]] = defaultdict(list)
    where = "start + seconds >= :start AND start + seconds < :end"
    for row in record.rows(Dwell, where, start=hours.start, end=hours.end):
        if row.place in places:
            stays[row.place,].append(row.seconds / _MINUTE)
    return {key: sum(minutes) / len(minutes) for key, minutes in stays.items()}


def _true_ways(record: TruthRecord, hours: Span, places: set[str]) -> dict[Key, float]:
    ways: dict[Key, float] = defaultdict(float)
    for row in record.rows(Flow, "hour >= :start AND hour < :end", start=hours.start, end=hours.end):
        if {row.origin, row.destination} <= places:
            ways[row.origin, row.destination] += row.people
    return ways


def _visits(side: Side) -> list[Visit]:
    return [visit for visit in derive.visits(side.seen) if visit.receiver in side.place]


def _dwell(side: Side, visits: Iterable[Visit], hours: Span) -> dict[Key, float]:
    by_place: dict[str, list[Visit]] = defaultdict(list)
    for visit in visits:
        by_place[side.place[visit.receiver]].append(visit)
    found: dict[Key, float] = {}
    for place, stays in by_place.items():
        seconds = derive.dwell(stays, hours.end, _MINUTE)
        if seconds is not None:
            found[place,] = seconds / _MINUTE
    return found


def _ways(side: Side, visits: Sequence[Visit], true: Mapping[Key, float]) -> dict[Key, float]:
    """A way on which nobody was seen is a way of nobody, if anybody was seen anywhere."""
    none: dict[Key, float] = dict.fromkeys(true, 0.0) if visits else {}
    return none | derive.ways(visits, side.place)
