"""Each figure of the city: true from the record, as sent from the devices, as answered from the API."""

from collections.abc import Iterator

import msgspec

from machinami_simulators.judge import sent
from machinami_simulators.judge.alerts import alerts
from machinami_simulators.judge.crowds import crowds
from machinami_simulators.judge.equipment import Equipment, equipment
from machinami_simulators.judge.figures import Figure, Latency, latency
from machinami_simulators.judge.platform import Platform, urn
from machinami_simulators.judge.readings import KINDS, Kind, Readings
from machinami_simulators.judge.sent import Sent
from machinami_simulators.judge.sides import Progress, Side, devices_side, platform_side
from machinami_simulators.judge.trips import trips
from machinami_simulators.truth_record import Span, TruthRecord
from machinami_simulators.wire import timestamp

_HOUR = 3600.0


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What came out: the time judged, a row for each figure, the way's length, and what must be known.

    Attributes:
        by_fault: what was measured, a row for each fault that devices had meanwhile; empty without faults.
    """

    start: str
    end: str
    scenario: str
    figures: list[Figure]
    by_fault: list[Figure]
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
    has = equipment(record.run.scale)
    measured = [_readings(kind, record, platform, span, has, progress) for kind in KINDS]
    hours = Span(-(-span.start // _HOUR) * _HOUR, span.end // _HOUR * _HOUR)
    devices = devices_side(messages, measured, has, span, hours)
    other = platform_side(platform, measured, span, hours, progress)
    known = messages.complete
    return Judgement(
        start=record.show(span.start),
        end=record.show(span.end),
        scenario=record.run.scenario,
        figures=[
            *(each.figure() for each in measured),
            *alerts(record, span, has, devices, other),
            *crowds(record, hours, has, devices, other, known=known),
            trips(record, span, has, devices if known else None, other),
        ],
        by_fault=[row for each in measured for row in each.by_fault(record, span)],
        latency=_latency(messages, measured[0]),
        notes=[*_notes(record, span, hours, known=known), *_lacks(other)],
    )


def _readings(
    kind: Kind, record: TruthRecord, platform: Platform, span: Span, has: Equipment, progress: Progress
) -> Readings:
    among = None if kind.of is None else kind.of(has)
    rows = sent.readings(record, kind.quantity, span)
    rows = [row for row in rows if among is None or row.device in among]
    devices = sorted({row.device for row in rows})
    answered = {
        device: list(platform.history(urn(kind.entity, device), kind.attribute, span))
        for device in progress(devices, kind.name)
    }
    return Readings(kind, rows, answered)


def _latency(messages: Sent, gauges: Readings) -> Latency | None:
    left = messages.gauge_times()
    return latency(
        [
            one.stored - left[gauge, timestamp(one.at)]
            for gauge, observed in gauges.answered.items()
            for one in observed
            if one.stored is not None and (gauge, timestamp(one.at)) in left
        ]
    )


def _notes(record: TruthRecord, span: Span, hours: Span, *, known: bool) -> Iterator[str]:
    if not known:
        yield (
            "The ledger of this run is not here, or pruned: for stays, ways and trips nobody knows what the"
            " devices sent."
        )
    if hours.start >= hours.end:
        yield "No whole hour lies in this time: no people, stays and ways."
    (row,) = record.ask(
        'SELECT count(DISTINCT device) AS devices FROM fault WHERE start < :end AND "end" > :start',
        start=span.start,
        end=span.end,
    )
    if row["devices"]:
        yield f"{row['devices']} devices had a fault: machinami truth faults."


def _lacks(platform: Side) -> Iterator[str]:
    """Master data without which an app cannot derive a figure either."""
    lacking = {
        "thresholds of gauges": any(map(any, platform.thresholds.values())),
        "places of receivers and cameras": platform.place,
        "locations of ports": platform.ports,
    }
    for what, there in lacking.items():
        if not there:
            yield f"The platform knows no {what}: machinami simulate --masters DIR; machinami import DIR."
