"""From what was seen of a run to its report: slots gathered into steps, counters into rates."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC
from math import ceil
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from machinami_loadtests.load.machine import Machine
from machinami_loadtests.load.report import Ledger, Point, Report, Request, RoleUse, Summary
from machinami_loadtests.load.roles import Sample, Use
from machinami_loadtests.load.run import Course
from machinami_loadtests.load.tally import Histogram, Slot, Tally
from machinami_loadtests.verify import Verdict

Floats: TypeAlias = NDArray[np.float64]

_MOST_POINTS = 300


def assemble(course: Course, request: Request, machine: Machine) -> Report:
    """The report of a run."""
    tally = course.tally
    begun = tally.started_at or 0.0
    until = max(tally.sent_until, tally.acknowledged_until, course.committed_at or 0.0) - begun
    step, edges = steps(until, tally.width)
    return Report(
        started=course.started.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        ended=course.ended,
        request=request,
        machine=machine,
        summary=_summary(course),
        ledger=_ledger(tally, course.verdicts) if course.verdicts else None,
        step=step,
        points=_points(tally, course.sampler.samples, edges),
        roles=_roles(course.sampler.samples, edges + begun, tally.sent),
    )


def steps(until: float, width: int = 1) -> tuple[int, Floats]:
    """Seconds of a step, few enough to draw, and where steps begin and end; the last ends with the run.

    Args:
        width: seconds of which a step is a multiple.
    """
    step = width
    while until / step > _MOST_POINTS:
        step *= 2
    edges = np.arange(max(1, round(until / step)) + 1, dtype=np.float64) * step
    edges[-1] = max(until, 0.001)
    return step, edges


def rates(at: Sequence[float], totals: Sequence[float], edges: Floats) -> list[float | None]:
    """Growth per second in each step of a counter that was read now and then; None where it was set back."""
    if len(at) < 2:
        return [None] * (len(edges) - 1)
    growth = np.diff(np.interp(edges, at, totals)) / np.diff(edges)
    return [round(float(rate), 4) if rate >= 0 else None for rate in growth]


def levels(at: Sequence[float], values: Sequence[float], edges: Floats) -> list[float | None]:
    """A quantity at the end of each step; None when it was never read."""
    if not at:
        return [None] * (len(edges) - 1)
    return [round(float(value), 1) for value in np.interp(edges[1:], at, values)]


def _points(tally: Tally, samples: Sequence[Sample], edges: Floats) -> list[Point]:
    counted = [sample for sample in samples if sample.committed is not None]
    at = [sample.counted_at - (tally.started_at or 0.0) for sample in counted]
    committed = rates(at, [sample.committed or 0.0 for sample in counted], edges)
    lags = levels(at, [sample.lag or 0.0 for sample in counted], edges)
    return [
        _point(_gathered(tally, edges[place], edges[place + 1]), edges, place, committed[place], lags[place])
        for place in range(len(edges) - 1)
    ]


def _point(
    slots: Sequence[Slot], edges: Floats, place: int, committed: float | None, lag: float | None
) -> Point:
    width = float(edges[place + 1] - edges[place])
    return Point(
        at=float(edges[place]),
        sent=round(sum(slot.sent for slot in slots) / width, 1),
        acknowledged=round(sum(slot.acknowledged for slot in slots) / width, 1),
        committed=committed,
        lag=lag,
        puback=merged(slot.puback for slot in slots).latency(),
        stored=merged(slot.stored for slot in slots).latency(),
    )


def _gathered(tally: Tally, begin: float, end: float) -> list[Slot]:
    places = range(int(begin) // tally.width, ceil(end / tally.width))
    return [tally.slots[place] for place in places if place in tally.slots]


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """All of them in one."""
    whole = Histogram()
    for histogram in histograms:
        whole.merge(histogram)
    return whole


def _summary(course: Course) -> Summary:
    tally = course.tally
    begun = tally.started_at or 0.0

    def rate(messages: int, until: float) -> float:
        return round(messages / max(until - begun, 0.001), 1)

    slots = tally.slots.values()
    stored = sum(verdict.stored for verdict in course.verdicts or ())
    return Summary(
        messages=tally.sent,
        sent=rate(tally.sent, tally.sent_until),
        acknowledged=rate(tally.acknowledged, tally.acknowledged_until) if tally.acknowledged else None,
        committed=rate(stored, course.committed_at) if course.verdicts and course.committed_at else None,
        puback=merged(slot.puback for slot in slots).latency(),
        stored=merged(slot.stored for slot in slots).latency(),
    )


def _ledger(tally: Tally, verdicts: tuple[Verdict, Verdict]) -> Ledger:
    promised, other = verdicts
    both = promised + other
    return Ledger(
        sent=tally.sent,
        acknowledged=tally.acknowledged,
        stored=both.stored,
        quarantined=both.quarantined,
        lost=promised.lost,
        not_arrived=other.lost,
        doubled=both.doubled,
    )


def _roles(samples: Sequence[Sample], edges: Floats, messages: int) -> dict[str, RoleUse]:
    names = dict.fromkeys(name for sample in samples for name in sample.roles)
    return {name: _role(name, samples, edges, messages) for name in names}


def _role(name: str, samples: Sequence[Sample], edges: Floats, messages: int) -> RoleUse:
    seen = [(sample.at, sample.roles[name]) for sample in samples if name in sample.roles]
    at = [moment for moment, _ in seen]

    def series(value: Callable[[Use], float]) -> list[float]:
        return [value(use) for _, use in seen]

    cpu = rates(at, series(lambda use: use.cpu), edges)
    seconds = sum((rate or 0.0) * float(width) for rate, width in zip(cpu, np.diff(edges), strict=True))
    return RoleUse(
        cpu=cpu,
        memory=levels(at, series(lambda use: use.memory), edges),
        mean_cpu=round(seconds / float(edges[-1] - edges[0]), 3),
        peak_memory=round(max(series(lambda use: use.memory)), 1),
        cpu_microseconds=round(seconds / messages * 1e6, 1),
    )
