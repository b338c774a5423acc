"""Date and time strings of the standard (clause 4.6.3): complete, in UTC, at most six digits of a second."""

import re
from datetime import UTC, date, datetime, time

from machinami.errors import BadRequestData

_CLOCK = r"\d{2}:\d{2}:\d{2}(?:[.,]\d{1,6})?Z"
_DATE_TIME = re.compile(rf"\d{{4}}-\d{{2}}-\d{{2}}T{_CLOCK}", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(_CLOCK, re.ASCII)

_CURE = "Write it in UTC with seconds and a trailing Z, such as 2026-11-21T01:02:03.5Z"


def is_time(value: object) -> bool:
    """Whether the value is a DateTime string that exists in the calendar."""
    if not isinstance(value, str) or not _DATE_TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:  # 30 February, 25 o'clock
        return False
    return True


def parse_time(value: object, field: str = "time") -> datetime:
    """DateTime string → aware moment in UTC.

    Raises:
        BadRequestData: no DateTime string; a naive one or one with another offset than ``Z`` is none.
    """
    if not is_time(value):
        raise BadRequestData(f"{field} is not a DateTime: {value!r}", field=field, value=value, cure=_CURE)
    return datetime.fromisoformat(str(value))


def clean_time(value: object, field: str) -> str:
    """The DateTime string itself, checked, with a decimal point where a comma came (clause 4.6.3)."""
    parse_time(value, field)
    return str(value).replace(",", ".")


def literal_moment(text: str) -> datetime | date | time | None:
    """What a DateTime, Date or Time string means; None when it is none of them."""
    for pattern, kind in ((_DATE_TIME, datetime), (_DATE, date), (_TIME, time)):
        if pattern.fullmatch(text):
            try:
                return kind.fromisoformat(text)
            except ValueError:
                return None
    return None


def comparable_moment(value: date | time) -> tuple[str, datetime]:
    """Kind of a moment and an aware datetime for it, so that Dates and Times can be compared too."""
    match value:
        case datetime():
            return "datetime", value
        case date():
            return "date", datetime(value.year, value.month, value.day, tzinfo=UTC)
        case time():
            return "time", datetime.combine(date.min, value)
