"""Lengths of time as ISO 8601 writes them (``PT1H30M``, ``P1D``)."""

from datetime import timedelta

from pydantic import TypeAdapter, ValidationError

from machinami.errors import BadRequestData

_DURATION = TypeAdapter(timedelta)


def parse_duration(value: object, field: str) -> timedelta:
    """ISO 8601 duration → length of time; a month is taken for 30 days, a year for 365.

    Raises:
        BadRequestData: it is none, or not longer than nothing.
    """
    try:
        if isinstance(value, str) and value.startswith("P"):
            length = _DURATION.validate_python(value)
            if length > timedelta():
                return length
    except (ValidationError, OverflowError):
        pass  # said below, as for any other text
    raise BadRequestData(
        f"{field} is not a duration: {value!r}", field=field, value=value, cure="Write it such as PT1M or P1D"
    )


def format_duration(length: timedelta) -> str:
    """A length of time in whole seconds as ISO 8601 duration."""
    return f"PT{int(length.total_seconds())}S"
