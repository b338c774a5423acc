"""Whether ingestion slows down as history grows: the rate at an empty table, and at many millions of rows.

The rows are of the very series that the devices write to, and all in one month's partition, or chunk, which
is the worst case: each new row goes into an index over all of them.
"""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median

import msgspec
from machinami.store.partitions import Partitions, month_of
from sqlalchemy import Engine, text

from machinami_loadtests.bench import Rate, Say, measure_ingest
from machinami_loadtests.meters import VALUES, Plan
from machinami_loadtests.standin import BenchCity, bench_city

_RUNS = 3
_AT_ONCE = 1_000_000  # rows that one statement writes
_SECOND = timedelta(seconds=1)

_FILL = text(
    "INSERT INTO observation (series, observed_at, number)"
    " SELECT series, CAST(:start AS timestamptz) + n * INTERVAL '1 second', series % 100 + n % 10 / 10.0"
    " FROM generate_series(0, CAST(:seconds AS int) - 1) n, series ORDER BY n, series"
)
_COUNT = text("SELECT count(*) FROM observation")
_MAY_CHECKPOINT = text("SELECT pg_has_role(current_user, 'pg_checkpoint', 'usage')")


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How much to measure: messages of each run; history rows at which to measure, ascending."""

    rows: Sequence[int]
    messages: int = 100_000
    devices: int = 1_000


class Depth(msgspec.Struct, frozen=True, kw_only=True):
    """The rate at one size of the history.

    Attributes:
        rows: in the history before these runs.
        messages_per_second: the median of three runs.
        cpu_microseconds: a message, by role; the median as well.
    """

    rows: int
    messages_per_second: float
    cpu_microseconds: dict[str, float]


def bench_depth(folder: Path, size: Size, database_url: str | None, say: Say) -> list[Depth]:
    """Measure at an empty table, then at each of the sizes, in an empty folder."""
    with bench_city(folder, database_url) as city, city.ingest(1):
        run = _Runs(city, size, Plan.ending_now("depth", size.messages, size.devices))
        run.next()  # makes the series, and warms everything up
        found = [run.depth(say)]
        for rows in size.rows:
            run.fill(rows, say)
            found.append(run.depth(say))
    return found


class _Runs:
    """Runs of the same devices, one behind the other in time, and history before the first of them."""

    def __init__(self, city: BenchCity, size: Size, plan: Plan) -> None:
        self._city = city
        self._size = size
        self._plan = self._oldest = plan

    def next(self) -> Rate:
        """Send, and wait until all is committed."""
        rate = measure_ingest(self._city, self._plan)
        span = (self._size.messages // self._size.devices + 1) * _SECOND
        self._plan = msgspec.structs.replace(self._plan, start=self._plan.start + span)
        return rate

    def depth(self, say: Say) -> Depth:
        """Three runs."""
        rows = _count(self._city.engine)
        say(f"rate at {rows:,} rows")
        rates = [self.next() for _ in range(_RUNS)]
        return Depth(
            rows=rows,
            messages_per_second=median(rate.per_second for rate in rates),
            cpu_microseconds={name: median(rate.cpu[name] for rate in rates) for name in rates[0].cpu},
        )

    def fill(self, rows: int, say: Say) -> None:
        """Write history, a second of each series at a time, until there are about so many rows."""
        series, engine = self._size.devices * VALUES, self._city.engine
        while (missing := rows - _count(engine)) >= series:
            say(f"{missing:,} rows to write")
            seconds = min(missing, _AT_ONCE * 10) // series
            start = self._oldest.start - seconds * _SECOND
            Partitions().make(engine, {month_of(start), month_of(self._oldest.start)})
            for first in range(0, seconds, max(1, _AT_ONCE // series)):
                span = min(max(1, _AT_ONCE // series), seconds - first)
                with engine.begin() as connection:
                    connection.execute(_FILL, {"start": start + first * _SECOND, "seconds": span})
            self._oldest = msgspec.structs.replace(self._oldest, start=start)
        _settle(engine)


def _settle(engine: Engine) -> None:
    """Have the filling's own writes behind, where the user may order that: the runs are measured, not it."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE observation"))
        if connection.execute(_MAY_CHECKPOINT).scalar_one():
            connection.execute(text("CHECKPOINT"))


def _count(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(_COUNT).scalar_one()
