"""ISO 8601 durations."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami.errors import BadRequestData
from machinami.ngsild.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("PT1S", 1), ("PT1H30M", 5400), ("P1D", 86400), ("P2W", 1209600), ("PT0.5S", 0.5)]
)
def test_lengths(text: str, seconds: float) -> None:
    assert parse_duration(text, "refreshRate").total_seconds() == seconds


@pytest.mark.parametrize(
    "value", ["", "P", "PT", "1 hour", "01:00:00", "-PT1S", "PT0S", 3, None, "P1H", "P" + "9" * 40 + "D"]
)
def test_others_are_refused(value: object) -> None:
    with pytest.raises(BadRequestData, match="refreshRate is not a duration"):
        parse_duration(value, "refreshRate")


@given(st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=400)))
def test_round_trip_in_seconds(length: timedelta) -> None:
    assert parse_duration(format_duration(length), "x") == timedelta(seconds=int(length.total_seconds()))


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        length = parse_duration(text, "x")
    except BadRequestData:
        return
    assert length > timedelta()
