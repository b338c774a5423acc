"""What history weighs and how long questions to it take: from its rows, from rollups, from columns.

A database of its own is made on the server, filled with numbers as sensors send them, measured and dropped.
"""

import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from statistics import median

import msgspec
from machinami.linkage.histories import aggregate_temporal
from machinami.model import DEFAULT_TENANT
from machinami.ngsild.aggregation import parse_aggregation
from machinami.store.engine import open_engine
from machinami.store.maintenance import maintain
from machinami.store.migrate import migrate
from machinami.store.partitions import Partitions, month_of
from machinami.store.policies import Policies, set_policies
from machinami.store.queries_window import Span
from machinami.store.rollups import LEVELS, ORIGIN, aggregate
from machinami.store.storage import Report, read_storage
from machinami.store.tenants import tenant_number
from sqlalchemy import Engine, make_url, text

Say = Callable[[str], None]
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
_REPEATS = 15
_MANY = 1_000_000
"""Values that one request of the API aggregates here, where there are so many."""

_FILL = text(
    # A slow wave with noise, to a hundredth: a level, a temperature, a count.
    "INSERT INTO observation (series, observed_at, number)"
    " SELECT s, :start + n * CAST(:step AS interval),"
    " round(CAST(20 + 5 * sin(n / 500.0 + s) + random() / 5 AS numeric), 2)"
    " FROM generate_series(CAST(:first AS int), CAST(:last AS int)) n,"
    "  generate_series(1, CAST(:series AS int)) s"
)
_NAME = text(
    "INSERT INTO series (series, tenant, entity_id, attribute) OVERRIDING SYSTEM VALUE"
    " SELECT s, :tenant, :entity || s, :attribute FROM generate_series(1, CAST(:series AS int)) s"
)
_ENTITY, _ATTRIBUTE = "urn:ngsi-ld:Gauge:", "https://uri.etsi.org/ngsi-ld/default-context/level"


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How much to measure on: series, days of history, seconds between two rows of a series."""

    series: int
    days: int
    step: float

    @property
    def a_series(self) -> int:
        """Rows of one series."""
        return self.days * int(DAY / timedelta(seconds=self.step))

    @property
    def asked_together(self) -> int:
        """Series that one request asks for."""
        return min(self.series, -(-_MANY // self.a_series))


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds (medians) for one question, by where the answer comes from.

    It is about one series, but for the last, which is what the API does for aggregated values of several.
    """

    name: str
    rows: float
    rollups: float
    columns: float | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes and milliseconds.

    Attributes:
        rows: of history.
        refresh_seconds: making all rollups of all rows.
        idle_refresh_seconds: a round of maintenance when nothing has come.
        size: of the history; `size_compressed` the same in columns, None where the server has none.
    """

    server: str
    rows: int
    refresh_seconds: float
    idle_refresh_seconds: float
    size: int
    size_compressed: int | None
    rollups: dict[str, int]
    questions: list[Question]


def bench_storage(server_url: str, size: Size, say: Say) -> Result:
    """Fill, measure, refresh, measure; compress where that can be, measure again."""
    with bench_database(server_url) as engine:
        rows = _fill(engine, size, say)
        plain = _ask(engine, size, from_rows=True)
        refresh = _maintain(engine, say, "making the rollups")
        idle = _maintain(engine, say, "refreshing what has not changed")
        rolled, before = _ask(engine, size, from_rows=False), read_storage(engine)
        after = _compress(engine, say) if before.capabilities.columnstore else None
        columns = _ask(engine, size, from_rows=True) if after else {}
        return Result(
            server=before.server,
            rows=rows,
            refresh_seconds=refresh,
            idle_refresh_seconds=idle,
            size=before.size,
            size_compressed=after.size if after else None,
            rollups={rollup.name: rollup.size for rollup in before.rollups},
            questions=[
                Question(name=name, rows=plain[name], rollups=rolled[name], columns=columns.get(name))
                for name in plain
            ],
        )


@contextmanager
def bench_database(server_url: str) -> Generator[Engine]:
    """A database of its own on a server, with the schema; dropped in the end."""
    name = f"machinami_bench_{uuid.uuid4().hex[:12]}"
    server = open_engine(server_url).execution_options(isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
    engine = open_engine(make_url(server_url).set(database=name).render_as_string(hide_password=False))
    try:
        migrate(engine)
        with engine.begin() as connection:
            set_policies(connection, Policies(retention=None, compress_after=None))
        yield engine
    finally:
        engine.dispose()
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name}"))
        server.dispose()


def _fill(engine: Engine, size: Size, say: Say) -> int:
    start, step = _midnight() - size.days * DAY, timedelta(seconds=size.step)
    Partitions().make(engine, {month_of(start + n * DAY) for n in range(size.days + 1)})
    a_day = size.a_series // size.days
    for day in range(size.days):
        say(f"writing day {day + 1} of {size.days}")
        span = {"first": day * a_day, "last": (day + 1) * a_day - 1}
        with engine.begin() as connection:
            connection.execute(_FILL, {"start": start, "step": step, "series": size.series, **span})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE observation"))
    with engine.begin() as connection:
        names = {"entity": _ENTITY, "attribute": _ATTRIBUTE, "series": size.series}
        connection.execute(_NAME, {"tenant": tenant_number(connection, DEFAULT_TENANT, create=True), **names})
    return size.a_series * size.series


def _maintain(engine: Engine, say: Say, what: str) -> float:
    say(what)
    began = time.perf_counter()
    maintain(engine)
    return time.perf_counter() - began


def _compress(engine: Engine, say: Say) -> Report:
    with engine.begin() as connection:
        set_policies(connection, Policies(retention=None, compress_after=HOUR))
    _maintain(engine, say, "turning chunks into columns")
    return read_storage(engine)


def _ask(engine: Engine, size: Size, *, from_rows: bool) -> dict[str, float]:
    end = _midnight()
    questions = {
        f"{size.days} days by day": (end - size.days * DAY, DAY),
        f"{size.days} days by hour": (end - size.days * DAY, HOUR),
        "one day by minute": (end - DAY, LEVELS[0].width),
    }
    of_one = {
        name: _milliseconds(engine, size, start, end, width, from_rows=from_rows)
        for name, (start, width) in questions.items()
    }
    many = f"{size.a_series * size.asked_together:,} values of {size.asked_together} series by day"
    span = Span(start=end - size.days * DAY, end=end)
    return {**of_one, many: _together(engine, size, span, from_rows=from_rows)}


def _together(engine: Engine, size: Size, span: Span, *, from_rows: bool) -> float:
    """Milliseconds of what the API does for ``aggregatedValues`` of many values."""
    ids = [f"{_ENTITY}{n + 1}" for n in range(size.asked_together)]
    # No rollup has a standard deviation.
    wanted = parse_aggregation("stddev" if from_rows else "avg,min,max", "P1D")
    times: list[float] = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        aggregate_temporal(engine, DEFAULT_TENANT, ids, [_ATTRIBUTE], span, wanted)
        times.append(time.perf_counter() - began)
    return median(times) * 1000


def _milliseconds(
    engine: Engine, size: Size, start: datetime, end: datetime, width: timedelta, *, from_rows: bool
) -> float:
    times: list[float] = []
    # An origin that no rollup shares has the answer made from rows.
    origin = ORIGIN + timedelta(seconds=1) if from_rows else ORIGIN
    with engine.connect() as connection:
        for n in range(_REPEATS):
            began = time.perf_counter()
            aggregate(connection, 1 + n % size.series, start, end, width, origin=origin)
            times.append(time.perf_counter() - began)
    return median(times) * 1000


def _midnight() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
