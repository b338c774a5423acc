"""The temporal query language (clause 4.11): which instants of an evolution are asked for."""

from datetime import datetime
from enum import StrEnum

import msgspec

from machinami.errors import BadRequestData
from machinami.ngsild.times import parse_time

TIME_PROPERTIES = ("observedAt", "createdAt", "modifiedAt", "deletedAt")
"""Temporal Properties that a temporal query can be about (Table 5.2.21-1)."""


class TimeRelation(StrEnum):
    """``timerel``."""

    BEFORE = "before"
    AFTER = "after"
    BETWEEN = "between"


class TemporalQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A temporal query; without relation it asks for all instants.

    Attributes:
        timerel: ``before`` (bound excluded), ``after`` (included), ``between`` (start included, end not).
        time_at: bound, or start of the range; aware UTC.
        end_time_at: end of the range.
        timeproperty: the temporal property meant: ``observedAt``, ``createdAt``, ``modifiedAt`` ….
        last_n: only so many instances of each attribute, the latest ones; None for all.
    """

    timerel: TimeRelation | None = None
    time_at: datetime | None = None
    end_time_at: datetime | None = None
    timeproperty: str = "observedAt"
    last_n: int | None = None

    @property
    def start(self) -> datetime | None:
        """First instant that matches; None where there is no lower bound."""
        return None if self.timerel is TimeRelation.BEFORE else self.time_at

    @property
    def end(self) -> datetime | None:
        """First instant after `start` that matches no more; None where there is no upper bound."""
        return self.time_at if self.timerel is TimeRelation.BEFORE else self.end_time_at

    def contains(self, moment: datetime) -> bool:
        """Whether an instant is asked for."""
        return (self.start is None or self.start <= moment) and (self.end is None or moment < self.end)


def parse_temporal(
    timerel: str | None = None,
    time_at: str | None = None,
    end_time_at: str | None = None,
    timeproperty: str | None = None,
    last_n: str | int | None = None,
) -> TemporalQuery:
    """Reads the parameters of a temporal query; None or an empty string means: not given.

    Raises:
        BadRequestData: a parameter that is wrong, missing beside another, or not allowed beside it.
    """
    relation = _relation(timerel) if timerel else None
    if relation and not time_at:
        raise _wrong("timeAt", time_at, f"timerel {timerel} needs timeAt", "Add timeAt")
    if time_at and not relation:
        raise _wrong("timerel", timerel, "timeAt needs timerel", "Add timerel=before, after or between")
    if (relation is TimeRelation.BETWEEN) != bool(end_time_at):
        raise _wrong("endTimeAt", end_time_at, "endTimeAt goes with timerel between", "Use both or neither")
    return TemporalQuery(
        timerel=relation,
        time_at=parse_time(time_at, "timeAt") if time_at else None,
        end_time_at=parse_time(end_time_at, "endTimeAt") if end_time_at else None,
        timeproperty=_timeproperty(timeproperty or "observedAt"),
        last_n=None if last_n in (None, "") else _last_n(last_n),
    )


def _relation(timerel: str) -> TimeRelation:
    if timerel not in set(TimeRelation):
        raise _wrong("timerel", timerel, f"Unknown timerel {timerel!r}", "Use before, after or between")
    return TimeRelation(timerel)


def _timeproperty(name: str) -> str:
    if name not in TIME_PROPERTIES:
        known = ", ".join(TIME_PROPERTIES)
        raise _wrong("timeproperty", name, f"Unknown timeproperty {name!r}", f"Use one of {known}")
    return name


def _last_n(text: str | int | None) -> int:
    digits = str(text)
    if not (digits.isascii() and digits.isdigit() and 0 < len(digits) <= 9 and int(digits) > 0):
        raise _wrong(
            "lastN", text, f"lastN is no positive number: {text!r}", "Write a whole number from 1 on"
        )
    return int(digits)


def _wrong(field: str, value: object, detail: str, cure: str) -> BadRequestData:
    return BadRequestData(detail, field=field, value=value, cure=cure)
