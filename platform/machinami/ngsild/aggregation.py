"""Aggregation of a temporal evolution (clause 4.5.19): methods, and periods of an ISO 8601 duration."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from machinami.errors import BadRequestData

MOST_PERIODS = 10_000
"""Periods of months or years that one request may ask for."""

_DURATION = re.compile(
    r"P(?=.)(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=.)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)


class Method(StrEnum):
    """Aggregation methods (table 4.5.19.1-1)."""

    TOTAL_COUNT = "totalCount"
    DISTINCT_COUNT = "distinctCount"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    STDDEV = "stddev"
    SUMSQ = "sumsq"


class Aggregation(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for.

    Attributes:
        methods: at least one, in the order wanted.
        months: of the period, years among them; 0 where it has a fixed length.
        length: of the period beside the months; both nothing: one period, the whole range.
    """

    methods: tuple[Method, ...]
    months: int = 0
    length: timedelta = timedelta()

    @property
    def whole(self) -> bool:
        """Whether there is but one period."""
        return not (self.months or self.length)

    def starts(self, origin: datetime, end: datetime) -> Iterator[datetime]:
        """Starts of the periods from the origin until the end, and of one more, which ends the last.

        Raises:
            BadRequestData: there are too many.
        """
        moment, count = origin, 0
        while True:
            yield moment
            if moment >= end:
                return
            count += 1
            if count > MOST_PERIODS:
                detail = f"more than {MOST_PERIODS} periods"
                raise BadRequestData(detail, field="aggrPeriodDuration", cure="Ask for longer ones")
            moment = _months_after(origin, self.months * count) + self.length * count


def parse_aggregation(methods: str | None, duration: str | None) -> Aggregation:
    """Reads ``aggrMethods`` and ``aggrPeriodDuration``.

    Raises:
        BadRequestData: one is missing or none.
    """
    names = [name.strip() for name in (methods or "").split(",")]
    wrong = [name for name in names if name not in set(Method)]
    if wrong:
        known = ", ".join(Method)
        detail = f"there is no aggregation method {wrong[0]}" if methods else "aggrMethods is missing"
        raise BadRequestData(detail, field="aggrMethods", value=methods, cure=f"Some of {known}")
    found = _DURATION.fullmatch(duration or "PT0S")
    if found is None:
        cure = "Write an ISO 8601 duration such as PT1H or P1D"
        raise BadRequestData("no duration", field="aggrPeriodDuration", value=duration, cure=cure)
    part = {name: float(value or 0) for name, value in found.groupdict().items()}
    fixed = {name: part[name] for name in ("weeks", "days", "hours", "minutes", "seconds")}
    try:
        length = timedelta(**fixed)
    except OverflowError as error:
        raise BadRequestData("too long", field="aggrPeriodDuration", value=duration) from error
    months = int(part["years"] * 12 + part["months"])
    return Aggregation(methods=tuple(Method(name) for name in names), months=months, length=length)


def _months_after(moment: datetime, months: int) -> datetime:
    """The same day so many months later; the last day where that month is shorter."""
    years, month = divmod(moment.month - 1 + months, 12)
    first = moment.replace(year=moment.year + years, month=month + 1, day=1)
    following = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    return first.replace(day=min(moment.day, (following - timedelta(days=1)).day))
