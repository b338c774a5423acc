"""Alerts: when water came to a threshold, in rivers and in underpasses."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TypeAlias

from machinami_simulators.judge import derive
from machinami_simulators.judge.equipment import Equipment
from machinami_simulators.judge.figures import Figure, Key, figure
from machinami_simulators.judge.sides import Side
from machinami_simulators.truth import Crossing, Underpass
from machinami_simulators.truth_record import Span, TruthRecord

_MINUTE, _WITHIN = 60.0, 1800.0  # seconds; the latter between a true moment and the one found for it
_Moments: TypeAlias = dict[Key, float]
_Ask: TypeAlias = Callable[[TruthRecord, Span, Equipment, int], _Moments]


def alerts(
    record: TruthRecord, span: Span, has: Equipment, devices: Side, platform: Side
) -> Iterator[Figure]:
    """A row for each threshold; numbers are moments, so errors are seconds.

    Only water at which a device stands is asked for: where none is, nobody can raise an alert.
    """
    for name, among, ask, number in _rows(has):
        true = ask(record, span, has, number)
        yield figure(
            f"alert {name}",
            "s",
            true=true,
            sent=_rises(true, devices, among, number),
            answered=_rises(true, platform, among, number),
            moments=True,
        )


def _rows(has: Equipment) -> Iterator[tuple[str, Collection[str], _Ask, int]]:
    for number, name in enumerate(("水防団待機", "氾濫注意", "避難判断", "氾濫危険"), 1):
        yield f"{number} {name}", has.gauges, _crossings, number
    for number, name in ((2, "冠水注意"), (4, "冠水危険")):
        yield f"underpass {name}", has.underpasses, _floods, number


def _crossings(record: TruthRecord, span: Span, has: Equipment, number: int) -> _Moments:
    where = "threshold = :number AND rising AND time >= :start AND time < :end"
    found = record.rows(Crossing, where, number=number, start=span.start, end=span.end)
    return {(row.gauge, row.time): row.time for row in found if row.gauge in has.gauges}


def _floods(record: TruthRecord, span: Span, has: Equipment, number: int) -> _Moments:
    """The record has an underpass only while it is wet; before and after such a time it is dry."""
    depths: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in record.rows(Underpass, "time >= :start AND time < :end", start=span.start, end=span.end):
        series = depths[row.underpass]
        last = series[-1][0] if series else span.start
        if row.time - last > _MINUTE:
            series.append((row.time - _MINUTE, 0.0))
        series.append((row.time, row.depth))
    found: _Moments = {}
    for name, levels in has.underpasses.items():
        threshold = levels[number - 1] or 0.0
        for minute in derive.rises(depths[name], threshold):
            at = _within(dict(depths[name]), minute, threshold)
            found[name, at] = at
    return found


def _within(depths: Mapping[float, float], minute: float, threshold: float) -> float:
    """When in the minute before it the water came to a threshold: it rises evenly, as gauges have it."""
    before, after = depths[minute - _MINUTE], depths[minute]
    return minute - _MINUTE * (after - threshold) / (after - before)


def _rises(true: Mapping[Key, float], side: Side, among: Collection[str], number: int) -> _Moments:
    found: _Moments = {}
    for gauge, series in side.levels.items():
        threshold = side.thresholds.get(gauge, (None,) * 4)[number - 1]
        if gauge in among and threshold is not None:
            moments = [at for key, at in true.items() if key[0] == gauge]
            found |= matched((gauge,), moments, derive.rises(series, threshold), _WITHIN)
    return found


def matched(name: Key, true: Sequence[float], found: Sequence[float], within: float) -> _Moments:
    """Moments found, under the key of the true moment that each belongs to, else under their own.

    Args:
        within: seconds that may lie between the two.
    """
    pairs = derive.match(true, found, within)
    alone = set(found) - set(pairs.values())
    return {(*name, t): f for t, f in pairs.items()} | {(*name, "alone", f): f for f in alone}
