"""Aggregates of an evolution in memory (clause 4.5.19): of one that was put together from several places.

They say what `machinami.store.queries_aggregate` says of what the database has alone.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from math import fsum, sqrt
from typing import Any, TypeAlias, cast

import orjson

from machinami.linkage.histories import Aggregated, History
from machinami.model import Instance
from machinami.ngsild.aggregation import Aggregation, Method
from machinami.ngsild.terms import KINDS, SCOPE
from machinami.ngsild.times import parse_time
from machinami.store.queries_aggregate import Period, SeriesOf
from machinami.store.queries_window import Span

_Sample: TypeAlias = tuple[datetime, Any]
_Values: TypeAlias = Sequence[Any]


def aggregate(history: History, timeproperty: str, span: Span, wanted: Aggregation) -> list[Aggregated]:
    """Aggregates of each attribute and dataset; periods begin where the span does, or the first value."""
    found = [
        (name, dataset, list(each))
        for name, instances in history.attributes.items()
        if name != SCOPE
        for dataset, each in groupby(sorted(instances, key=_dataset), _dataset)
    ]
    series = [(name, dataset, each, _samples(each, timeproperty)) for name, dataset, each in found]
    moments = [moment for *_, samples in series for moment, _ in samples]
    if not moments:
        return []
    origin, end = span.start or min(moments), span.end or max(moments) + timedelta.resolution
    return [
        Aggregated(
            series=_series(history.entity.id, name, dataset, each, samples),
            periods=_periods(samples, wanted, origin, end),
        )
        for name, dataset, each, samples in series
        if samples
    ]


def _dataset(instance: Instance) -> str:
    return instance.get("datasetId", "")


def _samples(instances: Sequence[Instance], timeproperty: str) -> list[_Sample]:
    return [
        (parse_time(each[timeproperty]), each[KINDS[each["type"]].member])
        for each in instances
        if timeproperty in each and "deletedAt" not in each
    ]


def _series(
    entity_id: str, name: str, dataset: str, instances: Sequence[Instance], samples: Sequence[_Sample]
) -> SeriesOf:
    moments = [moment for moment, _ in samples]
    return SeriesOf(
        series=0,
        entity_id=entity_id,
        attribute=name,
        dataset_id=dataset,
        first=min(moments),
        last=max(moments),
        numbers=False,
        kind=instances[-1]["type"],
    )


def _periods(
    samples: Sequence[_Sample], wanted: Aggregation, origin: datetime, end: datetime
) -> list[Period]:
    bounds = _bounds(wanted, origin, end)
    grouped: dict[tuple[datetime, datetime], list[Any]] = {}
    for moment, value in sorted(samples, key=lambda each: each[0]):
        grouped.setdefault(bounds(moment), []).append(value)
    return [
        Period(start=start, end=until, values={method: _METHODS[method](values) for method in wanted.methods})
        for (start, until), values in grouped.items()
    ]


def _bounds(
    wanted: Aggregation, origin: datetime, end: datetime
) -> Callable[[datetime], tuple[datetime, datetime]]:
    """Which period a moment is in."""
    if wanted.whole:
        return lambda _: (origin, end)
    if wanted.months:
        starts = list(wanted.starts(origin, end))
        places = [*starts, starts[-1]]
        return lambda moment: (place := bisect_right(starts, moment), (places[place - 1], places[place]))[1]

    def fixed(moment: datetime) -> tuple[datetime, datetime]:
        start = origin + (moment - origin) // wanted.length * wanted.length
        return start, start + wanted.length

    return fixed


def _numbers(values: _Values) -> list[float]:
    """Numbers; of a truth value 0 or 1, of a list its length."""
    sizes = (len(cast("list[Any]", each)) if isinstance(each, list) else each for each in values)
    return [float(each) for each in sizes if isinstance(each, int | float)]


def _of_numbers(work: Callable[[list[float]], float]) -> Callable[[_Values], Any]:
    """A method that has no value where there are no numbers."""

    def apply(values: _Values) -> Any:
        numbers = _numbers(values)
        return work(numbers) if numbers else None

    return apply


def _extreme(choose: Callable[[Any], Any]) -> Callable[[_Values], Any]:
    def apply(values: _Values) -> Any:
        return choose(_numbers(values) or [each for each in values if isinstance(each, str)] or [None])

    return apply


def _mean(numbers: list[float]) -> float:
    return fsum(numbers) / len(numbers)


def _deviation(numbers: list[float]) -> float:
    mean = _mean(numbers)
    return sqrt(fsum((each - mean) ** 2 for each in numbers) / len(numbers))


def _distinct(values: _Values) -> int:
    plain = (float(each) if isinstance(each, int) and not isinstance(each, bool) else each for each in values)
    return len({orjson.dumps(each, option=orjson.OPT_SORT_KEYS) for each in plain})


_METHODS: Mapping[Method, Callable[[_Values], Any]] = {
    Method.TOTAL_COUNT: len,
    Method.DISTINCT_COUNT: _distinct,
    Method.SUM: _of_numbers(fsum),
    Method.AVG: _of_numbers(_mean),
    Method.MIN: _extreme(min),
    Method.MAX: _extreme(max),
    Method.STDDEV: _of_numbers(_deviation),
    Method.SUMSQ: _of_numbers(lambda numbers: fsum(each * each for each in numbers)),
}
