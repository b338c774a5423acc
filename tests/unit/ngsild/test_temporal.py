"""Temporal queries (clause 4.11) and the times they are made of (clause 4.6.3)."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami.errors import BadRequestData
from machinami.model import format_time
from machinami.ngsild.temporal import TemporalQuery, parse_temporal
from machinami.ngsild.times import clean_time, literal_moment, parse_time

NOON, LATER = "2026-11-21T12:00:00Z", "2026-11-21T13:00:00Z"
MOMENT = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "at", "answer"),
    [
        (parse_temporal("before", NOON), timedelta(0), False),
        (parse_temporal("before", NOON), timedelta(microseconds=-1), True),
        (parse_temporal("after", NOON), timedelta(0), True),
        (parse_temporal("after", NOON), timedelta(microseconds=-1), False),
        (parse_temporal("between", NOON, LATER), timedelta(0), True),
        (parse_temporal("between", NOON, LATER), timedelta(hours=1), False),
        (parse_temporal("between", NOON, LATER), timedelta(minutes=59), True),
        (parse_temporal(), timedelta(days=-9999), True),
    ],
)
def test_bounds_are_as_the_standard_says(query: TemporalQuery, at: timedelta, answer: bool):
    assert query.contains(MOMENT + at) is answer


def test_parameters_are_kept():
    query = parse_temporal("before", NOON, timeproperty="modifiedAt", last_n="5")
    assert (query.start, query.end, query.timeproperty, query.last_n) == (None, MOMENT, "modifiedAt", 5)
    assert parse_temporal("", "", "", "", "") == TemporalQuery()


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("during", NOON), "timerel"),
        (("before",), "timeAt"),
        ((None, NOON), "timerel"),
        (("between", NOON), "endTimeAt"),
        (("after", NOON, LATER), "endTimeAt"),
        ((None, None, LATER), "endTimeAt"),
        (("after", "2026-11-21"), "timeAt"),
        (("between", NOON, "later"), "endTimeAt"),
        (("after", NOON, None, "dateObserved"), "timeproperty"),
        ((None, None, None, None, "0"), "lastN"),
        ((None, None, None, None, "-1"), "lastN"),
        ((None, None, None, None, "１"), "lastN"),
        ((None, None, None, None, "9" * 30), "lastN"),
    ],
)
def test_what_breaks_the_grammar_is_refused(arguments: tuple[str | None, ...], field: str):
    with pytest.raises(BadRequestData) as caught:
        parse_temporal(*arguments)
    assert caught.value.field == field


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_come_back(moment: datetime):
    assert parse_time(format_time(moment)) == moment


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21",
        "2026-11-21T12:00Z",
        "2026-11-21T12:00:00",
        "2026-11-21T12:00:00+00:00",
        "2026-11-21T12:00:00.1234567Z",
        "2026-11-21T25:00:00Z",
        "2026-02-30T12:00:00Z",
        "２026-11-21T12:00:00Z",
        "2026-11-21T12:00:00Z\n",
        "20261121T120000Z",
        1,
        None,
    ],
)
def test_what_is_no_complete_time_in_utc_is_refused(text: object):
    with pytest.raises(BadRequestData, match="observedAt"):
        parse_time(text, "observedAt")


def test_a_comma_becomes_a_point():
    assert clean_time("2026-11-21T12:00:00,25Z", "x") == "2026-11-21T12:00:00.25Z"
    assert parse_time("2026-11-21T12:00:00,25Z") == MOMENT + timedelta(milliseconds=250)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (NOON, MOMENT),
        ("2026-11-21", date(2026, 11, 21)),
        ("12:00:00Z", time(12, tzinfo=UTC)),
        ("12:00:00", None),
        ("2026-13-01", None),
        ("2026-02-30", None),
        ("noon", None),
    ],
)
def test_literals_are_told_apart(text: str, moment: object):
    assert literal_moment(text) == moment


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_bad_request_data(text: str):
    try:
        moment = parse_time(text)
    except BadRequestData:
        return
    assert moment.tzinfo is not None
