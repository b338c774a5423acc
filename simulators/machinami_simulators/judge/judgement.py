"""Each figure of the city: true from the record, as sent from the devices, as answered from the API."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from machinami_simulators.judge import derive, sent
from machinami_simulators.judge.derive import Ride, Visit
from machinami_simulators.judge.figures import Figure, Key, Latency, figure, latency
from machinami_simulators.judge.platform import Observation, Platform
from machinami_simulators.judge.sent import Sent
from machinami_simulators.judge.sides import Progress, Side, devices_side, platform_side, urn
from machinami_simulators.truth import Crossing, Dwell, Flow, Presence, Reading, Trip
from machinami_simulators.truth_record import Span, TruthRecord
from machinami_simulators.wire import timestamp

_HOUR, _MINUTE = 3600.0, 60.0
_ALERT_WITHIN, _TRIP_WITHIN = 1800.0, 900.0  # seconds between a true moment and the one found for it
_ALERTS = ("水防団待機", "氾濫注意", "避難判断", "氾濫危険")


class Kind(msgspec.Struct, frozen=True):
    """A number that devices send: what the record calls it, and where the platform has it."""

    name: str
    unit: str
    quantity: str
    entity: str
    attribute: str


GAUGE = Kind("gauge level", "m", "level", "FloodMonitoring", "currentLevel")
RECEIVER = Kind("addresses in a report", "people", "people", "CrowdFlowObserved", "peopleCount")
KINDS = (
    GAUGE,
    Kind("paddy depth", "mm", "depth", "AgriParcelRecord", "waterDepth"),
    Kind("bikes at a port", "bikes", "bikes", "BikeHireDockingStation", "availableBikeNumber"),
    RECEIVER,
)


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What came out: the time judged, a row for each figure, the way's length, and what must be known."""

    start: str
    end: str
    scenario: str
    figures: list[Figure]
    latency: Latency | None
    notes: list[str]


def judge(
    record: TruthRecord,
    messages: Sent,
    platform: Platform,
    span: Span,
    progress: Progress,
) -> Judgement:
    """Ask the platform for everything, and compare.

    Args:
        progress: is given names of entities and what they are, and gives them back one by one.
    """
    found = {kind.quantity: sent.readings(record, kind.quantity, span) for kind in KINDS}
    answers: dict[str, dict[str, list[Observation]]] = {}
    for kind in KINDS:
        devices = sorted({row.device for row in found[kind.quantity]})
        answers[kind.quantity] = {
            device: list(platform.history(urn(kind.entity, device), kind.attribute, span))
            for device in progress(devices, kind.name)
        }
    hours = Span(-(-span.start // _HOUR) * _HOUR, span.end // _HOUR * _HOUR)
    devices = devices_side(messages, found, span, hours)
    other = platform_side(platform, answers, span, hours, progress)
    known = messages.complete
    figures = [_reading(kind, found[kind.quantity], answers[kind.quantity]) for kind in KINDS]
    figures += _alerts(record, span, devices, other)
    figures.append(_people(record, hours, devices, other))
    figures += _stays(record, hours, devices if known else None, other)
    figures.append(_trips(record, span, devices if known else None, other))
    return Judgement(
        start=record.show(span.start),
        end=record.show(span.end),
        scenario=record.run.scenario,
        figures=figures,
        latency=_latency(messages, answers[GAUGE.quantity]),
        notes=[*_notes(record, span, hours, known=known), *_lacks(other)],
    )


def _reading(kind: Kind, rows: Sequence[Reading], answers: Mapping[str, Sequence[Observation]]) -> Figure:
    answered: dict[Key, float] = {
        (device, one.at): float(one.value) for device, observed in answers.items() for one in observed
    }
    return figure(
        kind.name,
        kind.unit,
        true={(row.device, row.observed_at): row.true for row in rows},
        sent={(row.device, row.observed_at): row.reported for row in rows},
        answered=answered,
    )


def _alerts(record: TruthRecord, span: Span, devices: Side, platform: Side) -> list[Figure]:
    return [
        figure(
            f"alert {number} {_ALERTS[number - 1]}",
            "s",
            true=true,
            sent=_rises(true, devices, number),
            answered=_rises(true, platform, number),
            moments=True,
        )
        for number in range(1, 5)
        for true in [_crossings(record, span, number)]
    ]


def _crossings(record: TruthRecord, span: Span, number: int) -> dict[Key, float]:
    where = "threshold = :number AND rising AND time >= :start AND time < :end"
    found = record.rows(Crossing, where, number=number, start=span.start, end=span.end)
    return {(row.gauge, row.time): row.time for row in found}


def _rises(true: Mapping[Key, float], side: Side, number: int) -> dict[Key, float]:
    found: dict[Key, float] = {}
    for gauge, series in side.levels.items():
        threshold = side.thresholds.get(gauge, (None,) * 4)[number - 1]
        if threshold is not None:
            moments = [at for key, at in true.items() if key[0] == gauge]
            found |= _matched((gauge,), moments, derive.rises(series, threshold), _ALERT_WITHIN)
    return found


def _matched(name: Key, true: Sequence[float], found: Sequence[float], within: float) -> dict[Key, float]:
    """Moments found, under the key of the true moment that each belongs to, else under their own."""
    pairs = derive.match(true, found, within)
    alone = set(found) - set(pairs.values())
    return {(*name, t): f for t, f in pairs.items()} | {(*name, "alone", f): f for f in alone}


def _people(record: TruthRecord, hours: Span, devices: Side, platform: Side) -> Figure:
    rows = record.rows(Presence, "hour >= :start AND hour + 3600 <= :end", start=hours.start, end=hours.end)
    return figure(
        "people by place and hour",
        "people",
        true={(row.place, row.hour): row.mean for row in rows},
        sent=_crowds(devices, hours),
        answered=_crowds(platform, hours),
    )


def _crowds(side: Side, hours: Span) -> dict[Key, float]:
    found: dict[Key, float] = defaultdict(float)
    for receiver, series in side.reports.items():
        by_hour: dict[float, list[tuple[float, float]]] = defaultdict(list)
        for at, count in series:
            by_hour[at // _HOUR * _HOUR].append((at, count))
        for hour, reports in by_hour.items():
            if receiver in side.place and hours.start <= hour < hours.end:
                found[side.place[receiver], hour] += derive.people(reports)
    return dict(found)


def _stays(record: TruthRecord, hours: Span, devices: Side | None, platform: Side) -> list[Figure]:
    """Dwell times, and ways from place to place: both come from the addresses that were heard."""
    asked = {"start": hours.start, "end": hours.end}
    stays: dict[Key, list[float]] = defaultdict(list)
    for row in record.rows(Dwell, "start + seconds >= :start AND start + seconds < :end", **asked):
        stays[row.place,].append(row.seconds / _MINUTE)
    ways: dict[Key, float] = defaultdict(float)
    for row in record.rows(Flow, "hour >= :start AND hour < :end", **asked):
        if not {row.origin, row.destination} & {"home", "outside"}:
            ways[row.origin, row.destination] += row.people
    mine, yours = (side and _visits(side) for side in (devices, platform))
    return [
        figure(
            "mean stay at a place",
            "min",
            true={key: sum(minutes) / len(minutes) for key, minutes in stays.items()},
            sent=None if devices is None or mine is None else _dwell(devices, mine, hours),
            answered=_dwell(platform, yours or [], hours),
        ),
        figure(
            "people from place to place",
            "people",
            true=ways,
            sent=None if devices is None or mine is None else _ways(devices, mine, ways),
            answered=_ways(platform, yours or [], ways),
        ),
    ]


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


def _trips(record: TruthRecord, span: Span, devices: Side | None, platform: Side) -> Figure:
    where = "start >= :start AND end < :end AND origin != destination"
    true = {
        (row.bike, row.origin, row.destination, row.start): (row.end - row.start) / _MINUTE
        for row in record.rows(Trip, where, start=span.start, end=span.end)
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
        keys = _matched(way, starts[way], list(minutes), _TRIP_WITHIN)
        result |= {key: minutes[start] for key, start in keys.items()}
    return result


def _latency(messages: Sent, answers: Mapping[str, Sequence[Observation]]) -> Latency | None:
    left = messages.gauge_times()
    return latency(
        [
            one.stored - left[gauge, timestamp(one.at)]
            for gauge, observed in answers.items()
            for one in observed
            if one.stored is not None and (gauge, timestamp(one.at)) in left
        ]
    )


def _notes(record: TruthRecord, span: Span, hours: Span, *, known: bool) -> list[str]:
    notes: list[str] = []
    if not known:
        notes.append(
            "The ledger of this run is not here, or pruned: for stays, ways and trips nobody knows what the"
            " devices sent."
        )
    if hours.start >= hours.end:
        notes.append("No whole hour lies in this time: no people, stays and ways.")
    (row,) = record.ask(
        'SELECT count(DISTINCT device) AS devices FROM fault WHERE start < :end AND "end" > :start',
        start=span.start,
        end=span.end,
    )
    if row["devices"]:
        notes.append(f"{row['devices']} devices had a fault: machinami truth faults.")
    return notes


def _lacks(platform: Side) -> list[str]:
    """Master data without which an app cannot derive a figure either."""
    lacking = {
        "thresholds of gauges": any(map(any, platform.thresholds.values())),
        "places of receivers": platform.place,
        "locations of ports": platform.ports,
    }
    return [
        f"The platform knows no {what}: machinami simulate --masters DIR, then machinami import DIR."
        for what, there in lacking.items()
        if not there
    ]
