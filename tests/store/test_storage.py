"""Partitions ahead of time, retention, compression, and the commands that show and change them."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami import cli
from machinami.errors import InvalidRequest
from machinami.store.history import Row, Rows, Series, write_observations
from machinami.store.maintenance import maintain, maintained
from machinami.store.migrations import versions
from machinami.store.partitions import Partitions, month_of
from machinami.store.policies import Policies, parse_age, set_policies
from machinami.store.rollups import aggregate, bucket_start
from machinami.store.storage import read_storage
from sqlalchemy import Engine, text

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
TODAY = bucket_start(NOW, DAY)


def write(engine: Engine, rows: Iterable[Row]) -> None:
    rows = list(rows)
    Partitions().make(engine, {month_of(row[1]) for row in rows})
    batch = Rows()
    for row in rows:
        batch.add(Series(number=row[0], unit_code="", newest=NOW + 999 * DAY), *row[1:])
    with engine.begin() as connection:
        write_observations(connection, batch)


def policies(engine: Engine, **members: timedelta | None) -> None:
    with engine.begin() as connection:
        set_policies(connection, Policies(**{"retention": None, "compress_after": None, **members}))


def days_of(engine: Engine, series: int = 1) -> list[tuple[int, float]]:
    """Age in days and sum of each day that has numbers."""
    with engine.connect() as connection:
        found = aggregate(connection, series, NOW - 900 * DAY, NOW + DAY, DAY)
    return [((TODAY - bucket.start).days, bucket.sum) for bucket in found]


def count(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(text("SELECT count(*) FROM observation")).scalar_one()


def test_months_to_come_have_their_partitions(engine: Engine) -> None:
    maintain(engine, datetime(2031, 11, 30, 23, 59, tzinfo=UTC))
    names = {part.name for part in read_storage(engine).parts}
    if read_storage(engine).capabilities.partitions:
        assert names == {"observation_2031_11", "observation_2031_12", "observation_2032_01"}
    else:
        assert names == set()  # TimescaleDB makes chunks when they are written


def test_retention_drops_history_and_leaves_days(engine: Engine) -> None:
    write(engine, [(1, TODAY - age * DAY, float(age), None) for age in (1, 5, 400, 401, 402)])
    policies(engine, retention=365 * DAY)
    done = maintain(engine)
    assert done is not None
    assert done.dropped
    assert count(engine) == 2
    assert days_of(engine) == [(402, 402.0), (401, 401.0), (400, 400.0), (5, 5.0), (1, 1.0)]


def test_what_comes_too_late_for_retention_does_not_spoil_the_days_that_stayed(engine: Engine) -> None:
    write(engine, [(1, TODAY - 400 * DAY, 1.0, None), (1, TODAY - DAY, 2.0, None)])
    policies(engine, retention=365 * DAY)
    maintain(engine)
    write(engine, [(1, TODAY - 400 * DAY + timedelta(hours=1), 10.0, None)])
    for _ in range(2):
        assert days_of(engine) == [(400, 1.0), (1, 2.0)]
        maintain(engine)
    assert count(engine) == 1


def test_a_longer_retention_brings_nothing_back_and_breaks_nothing(engine: Engine) -> None:
    write(engine, [(1, TODAY - 400 * DAY, 1.0, None), (1, TODAY - DAY, 2.0, None)])
    for kept in (365 * DAY, 800 * DAY, None):
        policies(engine, retention=kept)
        maintain(engine)
        assert days_of(engine) == [(400, 1.0), (1, 2.0)]


@pytest.mark.timescaledb
@pytest.mark.usefixtures("timescaledb")
def test_old_chunks_become_columns_and_take_late_rows_and_corrections(engine: Engine) -> None:
    if not read_storage(engine).capabilities.columnstore:
        pytest.skip("this TimescaleDB is the Apache edition")
    start = TODAY - 30 * DAY
    write(engine, [(n % 3, start + n * timedelta(minutes=1), float(n), None) for n in range(5_000)])
    policies(engine, compress_after=7 * DAY)
    done = maintain(engine)
    assert done is not None
    assert done.compressed
    report = read_storage(engine)
    assert report.compression_ratio is not None
    assert report.compression_ratio > 2
    before = count(engine)
    corrected, late = start + timedelta(minutes=4), start + timedelta(minutes=4, seconds=30)
    write(engine, [(1, corrected, 1_000.0, None), (1, late, 2_000.0, None)])
    assert count(engine) == before + 1
    with engine.connect() as connection:
        found = aggregate(connection, 1, corrected, corrected + timedelta(minutes=1), timedelta(minutes=1))
    assert [(bucket.count, bucket.sum) for bucket in found] == [(2, 3_000.0)]
    again = maintain(engine)
    assert again is not None
    assert len(again.compressed) == 1  # the chunk that took the late row, and no other
    assert count(engine) == before + 1


def test_a_thread_maintains_while_the_block_runs(engine: Engine, database_url: str) -> None:
    with maintained(database_url), engine.connect() as connection:
        while connection.execute(text("SELECT maintained_at FROM storage")).scalar_one() is None:
            connection.rollback()
    assert read_storage(engine).maintained_at is not None


def test_a_database_that_is_away_does_not_end_maintenance(caplog: pytest.LogCaptureFixture) -> None:
    with maintained("postgresql://nobody@127.0.0.1:1/none"):
        while "storage maintenance" not in caplog.text:
            pass
    assert "does not answer" in caplog.text


def storage(
    arguments: list[str],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> str:
    monkeypatch.setenv("MACHINAMI_DATABASE_URL", database_url)
    assert cli.run(["storage", *arguments]) == 0
    return capsys.readouterr().out


def test_the_command_shows_and_changes(
    engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(engine, [(1, NOW, 1.0, None)])
    said = storage(["set", "--retention", "365d"], database_url, monkeypatch, capsys)
    assert said == "history is kept 365 d, compressed after 7 d\n"
    said = storage(["set", "--compress-after", "12h"], database_url, monkeypatch, capsys)
    assert said == "history is kept 365 d, compressed after 12 h\n"
    said = storage(["set", "--compress-after", "never"], database_url, monkeypatch, capsys)
    assert said == "history is kept 365 d, compressed never\n"
    maintain(engine)
    document = json.loads(storage(["--json"], database_url, monkeypatch, capsys))
    assert document["policies"] == {"retention": "P365D", "compress_after": None}
    assert [rollup["name"] for rollup in document["rollups"]] == [
        "rollup_minute",
        "rollup_hour",
        "rollup_day",
    ]
    assert document["size"] > 0
    shown = storage([], database_url, monkeypatch, capsys)
    assert "PostgreSQL" in shown
    assert "history is kept 365 d" in shown


@pytest.mark.parametrize("arguments", [[], ["--retention", "1h"], ["--retention", "soon"]])
def test_the_command_refuses(
    arguments: list[str], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MACHINAMI_DATABASE_URL", database_url)
    assert cli.run(["storage", "set", *arguments]) == InvalidRequest.exit_code


def test_migrate_says_what_it_reached(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MACHINAMI_DATABASE_URL", database_url)
    assert cli.run(["migrate"]) == 0
    newest = max(file.name[1:5] for file in Path(versions.__file__ or "").parent.glob("r*.py"))
    assert capsys.readouterr().out == f"schema at revision {newest}\n"


@given(st.text(max_size=8))
def test_an_age_is_read_or_refused(written: str) -> None:
    try:
        age = parse_age(written, "--retention")
    except InvalidRequest:
        return
    assert age is None or age > timedelta()


@pytest.mark.parametrize(
    ("written", "age"), [("365d", 365 * DAY), ("12h", DAY / 2), ("2w", 14 * DAY), ("forever", None)]
)
def test_ages(written: str, age: timedelta | None) -> None:
    assert parse_age(written, "--retention") == age
