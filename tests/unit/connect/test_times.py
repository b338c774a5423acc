from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami.connect.times import FUTURE, compile_clock
from machinami.connect.words import TimeRule
from machinami.errors import BadRequestData, SetupError
from machinami.model import format_time
from unit.connect.helpers import NOW

LEAST = datetime(1970, 1, 2)  # noqa: DTZ001 - hypothesis adds the zone
GREATEST = datetime(2026, 11, 20)  # noqa: DTZ001 - hypothesis adds the zone


def read(value: object, received_at: datetime = NOW, **rule: object) -> str:
    clock = compile_clock(TimeRule(path="at", **rule))  # pyright: ignore[reportArgumentType] # rules vary by test
    moment, text = clock({"at": value}, received_at)
    assert text == format_time(moment)
    return text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2026-11-21T01:02:03Z", "2026-11-21T01:02:03Z"),
        ("2026-11-21T10:02:03+09:00", "2026-11-21T01:02:03Z"),
        ("2026-11-21T01:02:03.5Z", "2026-11-21T01:02:03.500000Z"),
        ("2026-11-21T01:02:03.123456789Z", "2026-11-21T01:02:03.123456Z"),
        ("20261121T010203Z", "2026-11-21T01:02:03Z"),
        ("20261121T01:02:03.1Z", "2026-11-21T01:02:03.100000Z"),
    ],
)
def test_iso_text_becomes_utc(value: str, text: str) -> None:
    assert read(value) == text


@pytest.mark.parametrize("value", ["2023-07-13T07:20", "2023-07-13 07:20:00"])
def test_text_without_zone_is_read_in_the_declared_zone(value: str) -> None:
    assert read(value, zone="Asia/Tokyo") == "2023-07-12T22:20:00Z"


def test_text_with_its_own_zone_keeps_it() -> None:
    assert read("2023-07-13T07:20:00Z", zone="Asia/Tokyo") == "2023-07-13T07:20:00Z"


@pytest.mark.parametrize("value", [1795222920, "1795222920", 1795222920.0])
def test_unix_seconds_may_be_quoted(value: object) -> None:
    assert read(value, format="unix") == "2026-11-21T01:02:00Z"


def test_unix_milliseconds() -> None:
    assert read(1795222920250, format="unix-ms") == "2026-11-21T01:02:00.250000Z"


def test_reception_stands_in_where_declared() -> None:
    assert compile_clock(TimeRule(received=True))({}, NOW) == (NOW, "2026-11-21T01:02:10Z")


@pytest.mark.parametrize(
    ("value", "rule", "reason"),
    [
        ("2023-07-13T07:20", {}, "the time has no zone"),
        ("yesterday", {}, "the time cannot be read"),
        (5, {}, "the time cannot be read"),
        (None, {}, "the time cannot be read"),
        ("1969-12-31T23:59:59Z", {}, "the time lies outside the years 1970 to 2200"),
        ("2200-01-01T00:00:00Z", {}, "the time lies outside the years 1970 to 2200"),
        ("0001-01-01T00:00:00+14:00", {}, "the time lies outside the years 1970 to 2200"),
        (-1, {"format": "unix"}, "the time lies outside the years 1970 to 2200"),
        (1e300, {"format": "unix"}, "the time lies outside the years 1970 to 2200"),
        (float("nan"), {"format": "unix"}, "the time lies outside the years 1970 to 2200"),
        (10**400, {"format": "unix"}, "the time cannot be read"),
        (True, {"format": "unix"}, "the time lies outside the years 1970 to 2200"),
        ({}, {"format": "unix"}, "the time cannot be read"),
    ],
)
def test_a_bad_time_is_refused_with_field_reason_and_cure(
    value: object, rule: dict[str, object], reason: str
) -> None:
    with pytest.raises(BadRequestData) as caught:
        read(value, **rule)
    assert (caught.value.field, caught.value.detail) == ("at", reason)
    assert caught.value.cure


def test_the_future_ends_a_day_after_reception() -> None:
    latest = format_time(NOW + FUTURE)
    assert read(latest) == latest
    with pytest.raises(BadRequestData, match="ahead of its reception"):
        read(format_time(NOW + FUTURE + timedelta(seconds=1)))


def test_a_manifest_may_move_the_future() -> None:
    clock = compile_clock(TimeRule(path="at"), timedelta(hours=48))
    later = NOW + timedelta(hours=47)
    assert clock({"at": format_time(later)}, NOW)[0] == later


@pytest.mark.parametrize("rule", [TimeRule(), TimeRule(path="at", zone="Asia/Namiki")])
def test_a_rule_that_cannot_work_is_refused(rule: TimeRule) -> None:
    with pytest.raises(SetupError) as caught:
        compile_clock(rule)
    assert caught.value.cure


@given(st.datetimes(LEAST, GREATEST, timezones=st.timezones()))
def test_every_time_with_a_zone_keeps_its_moment(moment: datetime) -> None:
    text = moment.isoformat()
    assert read(text) == format_time(datetime.fromisoformat(text).astimezone(UTC))


@given(
    st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.binary(), st.lists(st.integers())),
    st.sampled_from(["iso", "unix", "unix-ms"]),
)
def test_whatever_the_value_it_is_read_or_refused(value: object, kind: str) -> None:
    try:
        read(value, format=kind, zone="Europe/Berlin")
    except BadRequestData:
        return
