"""A figure: one kind of number, true, as sent and as answered, and how far the three are apart."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

Key: TypeAlias = tuple[str | float, ...]
Values: TypeAlias = Mapping[Key, float]


class Deviation(msgspec.Struct, frozen=True):
    """How far one thing is from another, over `count` pairs, in the figure's unit.

    Attributes:
        bias: mean of the differences. mae: mean of their sizes. rmse: root of the mean of their squares.
        worst: the largest. percent: mae in percent of the mean size of what was aimed at; None for moments.
    """

    count: int
    bias: float
    mae: float
    rmse: float
    worst: float
    percent: float | None


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a judgement.

    Attributes:
        true, sent, answered: how many numbers there are of each.
        unseen: true and not sent. false: sent and not true, such as an alert without a flood.
        missing: sent and not answered. invented: answered and neither true nor sent.
        completeness: percent of what was sent that is answered; None where nothing was sent.
        sensors: what was sent against the truth. platform: what is answered against what was sent.
        total: what is answered against the truth.
    """

    name: str
    unit: str
    true: int
    sent: int | None
    answered: int
    unseen: int | None
    false: int | None
    missing: int | None
    invented: int
    completeness: float | None
    sensors: Deviation | None
    platform: Deviation | None
    total: Deviation | None


class Latency(msgspec.Struct, frozen=True):
    """Seconds from the publish to the committed row, by the sender's and the platform's clock."""

    count: int
    median: float
    p99: float
    worst: float


def figure(
    name: str, unit: str, *, true: Values, sent: Values | None, answered: Values, moments: bool = False
) -> Figure:
    """Lay three sets of numbers over each other.

    Args:
        sent: None where nobody knows any more what was sent.
        moments: the numbers are times, of which a percentage says nothing.
    """
    aim = sent if sent is not None else true
    missing = None if sent is None else _without(sent, answered)
    return Figure(
        name=name,
        unit=unit,
        true=len(true),
        sent=None if sent is None else len(sent),
        answered=len(answered),
        unseen=None if sent is None else _without(true, sent),
        false=None if sent is None else _without(sent, true),
        missing=missing,
        invented=sum(key not in true and key not in aim for key in answered),
        completeness=100 * (len(sent) - missing) / len(sent) if sent and missing is not None else None,
        sensors=None if sent is None else deviation(true, sent, moments=moments),
        platform=None if sent is None else deviation(sent, answered, moments=moments),
        total=deviation(true, answered, moments=moments),
    )


def deviation(aim: Values, got: Values, *, moments: bool = False) -> Deviation | None:
    """How far `got` is from `aim` where there are both; None where there is nothing of it."""
    pairs = [(aim[key], value) for key, value in got.items() if key in aim]
    if not pairs:
        return None
    errors = [value - wanted for wanted, value in pairs]
    mae = _mean(map(abs, errors))
    size = _mean(abs(wanted) for wanted, _ in pairs)
    return Deviation(
        count=len(pairs),
        bias=_mean(errors),
        mae=mae,
        rmse=math.sqrt(_mean(error * error for error in errors)),
        worst=max(map(abs, errors)),
        percent=None if moments or not size else 100 * mae / size,
    )


def latency(seconds: Sequence[float]) -> Latency | None:
    """Median, 99th percentile (nearest rank) and worst."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    rank = math.ceil(0.99 * len(ordered)) - 1
    return Latency(len(ordered), ordered[(len(ordered) - 1) // 2], ordered[rank], ordered[-1])


def _without(some: Values, others: Values) -> int:
    """How many of some are not among others."""
    return sum(key not in others for key in some)


def _mean(numbers: Iterable[float]) -> float:
    listed = list(numbers)
    return math.fsum(listed) / len(listed)
