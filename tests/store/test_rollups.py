"""Aggregates say what the history says, on every kind of server, however fresh the rollups are."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from machinami.store.maintenance import maintain
from machinami.store.partitions import Partitions, month_of
from machinami.store.rollups import ORIGIN, Bucket, aggregate, bucket_start
from sqlalchemy import Connection, Engine, text

NOW = datetime.now(UTC).replace(microsecond=0)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
Reading = tuple[datetime, float | None]

_WRITE = text(
    "INSERT INTO observation (series, observed_at, number, document) VALUES"
    " (:series, :moment, CAST(:number AS float8), CASE WHEN CAST(:number AS float8) IS NULL"
    " THEN '{}'::jsonb END)"
    " ON CONFLICT (series, observed_at) DO UPDATE SET number = excluded.number,"
    " document = excluded.document, recorded_at = excluded.recorded_at"
)


def write(engine: Engine, series: int, readings: Iterable[Reading]) -> None:
    readings = list(readings)
    Partitions().make(engine, {month_of(moment) for moment, _ in readings})
    with engine.begin() as connection:
        for moment, number in readings:
            connection.execute(_WRITE, {"series": series, "moment": moment, "number": number})


def by_hand(
    connection: Connection, series: int, start: datetime, end: datetime, width: timedelta, origin: datetime
) -> list[Bucket]:
    query = (
        "SELECT observed_at, number FROM observation WHERE series = :s AND number IS NOT NULL"
        " AND observed_at >= :start AND observed_at < :end"
    )
    found: dict[datetime, list[float]] = defaultdict(list)
    for moment, number in connection.execute(text(query), {"s": series, "start": start, "end": end}):
        found[moment - (moment - origin) % width].append(number)
    return [
        Bucket(start=at, count=len(numbers), sum=sum(numbers), min=min(numbers), max=max(numbers))
        for at, numbers in sorted(found.items())
    ]


def check(
    engine: Engine,
    series: int,
    start: datetime,
    end: datetime,
    width: timedelta,
    origin: datetime = ORIGIN,
) -> list[Bucket]:
    with engine.connect() as connection:
        expected = by_hand(connection, series, start, end, width, origin)
        found = aggregate(connection, series, start, end, width, origin=origin)
    exact = [(bucket.start, bucket.count, bucket.min, bucket.max) for bucket in found]
    assert exact == [(bucket.start, bucket.count, bucket.min, bucket.max) for bucket in expected]
    assert [bucket.sum for bucket in found] == pytest.approx([bucket.sum for bucket in expected])
    return found


AGES = st.one_of(
    st.timedeltas(timedelta(hours=-2), timedelta(minutes=5)),
    st.timedeltas(timedelta(days=-4), timedelta(days=1)),
    st.timedeltas(timedelta(days=-70), timedelta()),
    st.integers(-100, 2).map(lambda hours: bucket_start(NOW, HOUR) - NOW + hours * HOUR),
)
MOMENTS = AGES.map(lambda age: NOW + age)
READINGS = st.lists(st.tuples(MOMENTS, st.none() | st.floats(-1e6, 1e6)), min_size=1, max_size=12)
ROUNDS = st.lists(st.tuples(READINGS, st.booleans()), min_size=1, max_size=3)
WIDTHS = st.sampled_from(
    (timedelta(seconds=7), MINUTE, 5 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY, 90 * MINUTE)
)
ORIGINS = st.sampled_from((ORIGIN, NOW, bucket_start(NOW, HOUR), bucket_start(NOW, DAY) - 9 * HOUR))
SPANS = st.tuples(MOMENTS, MOMENTS).map(sorted)


@pytest.fixture
def new_series() -> Callable[[], int]:
    numbers = iter(range(1, 1_000_000))
    return lambda: next(numbers)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=ROUNDS, span=SPANS, width=WIDTHS, origin=ORIGINS)
def test_aggregates_say_what_the_history_says(
    engine: Engine,
    new_series: Callable[[], int],
    rounds: list[tuple[list[Reading], bool]],
    span: tuple[datetime, datetime],
    width: timedelta,
    origin: datetime,
) -> None:
    series = new_series()
    for readings, refresh in rounds:
        write(engine, series, readings)
        if refresh:
            maintain(engine)
    check(engine, series, *span, width, origin)
    check(engine, series, NOW - 80 * DAY, NOW + 2 * DAY, width, origin)


def test_rollups_are_read_once_they_are_fresh(engine: Engine) -> None:
    write(engine, 1, [(NOW - 3 * DAY + n * MINUTE, float(n)) for n in range(90)])
    maintain(engine)
    age(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE observation SET number = 0"))  # no new recorded_at: nobody may notice
        found = aggregate(connection, 1, NOW - 4 * DAY, NOW, 4 * DAY, origin=bucket_start(NOW, DAY))
    assert sum(bucket.sum for bucket in found) == sum(range(90))


def age(engine: Engine) -> None:
    """The refresh leaves a second for transactions that are just beginning: let it pass."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE storage SET seen_until = now()"))


def test_a_late_row_and_a_correction_count_at_once_and_after_the_next_refresh(engine: Engine) -> None:
    old = bucket_start(NOW, DAY) - 3 * DAY
    write(engine, 1, [(old + MINUTE, 1.0), (old + 2 * MINUTE, 2.0)])
    maintain(engine)
    age(engine)
    write(engine, 1, [(old + MINUTE, 10.0), (old + 5 * HOUR, 7.0)])
    for _ in range(2):
        assert [bucket.sum for bucket in check(engine, 1, old, old + DAY, DAY)] == [19.0]
        maintain(engine)
        age(engine)


def test_a_number_that_becomes_something_else_leaves_the_rollups(engine: Engine) -> None:
    old = bucket_start(NOW, DAY) - 3 * DAY
    write(engine, 1, [(old, 1.0)])
    maintain(engine)
    write(engine, 1, [(old, None)])
    maintain(engine)
    age(engine)
    assert check(engine, 1, old, old + DAY, DAY) == []


def test_a_transaction_that_was_running_is_not_forgotten(engine: Engine) -> None:
    old = bucket_start(NOW, DAY) - 3 * DAY
    write(engine, 1, [(old, 1.0)])
    with engine.begin() as slow:
        slow.execute(_WRITE, {"series": 1, "moment": old + HOUR, "number": 2.0})
        slow.execute(text("SELECT pg_sleep(1.1)"))
        maintain(engine)
    assert check(engine, 1, old, old + DAY, DAY)[0].sum == 3.0
    maintain(engine)
    assert check(engine, 1, old, old + DAY, DAY)[0].sum == 3.0


def test_only_one_maintains_at_a_time(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(1801807216)"))
        assert maintain(engine) is None
        connection.execute(text("SELECT pg_advisory_unlock(1801807216)"))
    assert maintain(engine) is not None
