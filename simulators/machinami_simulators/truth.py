"""What is really so in the simulated city, written by the simulator itself, to judge the platform by.

One SQLite file a run, `<data-dir>/truth/simulate-<start>.sqlite` (WAL: it may be read while it grows).
Each record below is a table of the same name in lower case, its fields are the columns. Every time is in
seconds since the epoch by the city's own clock, whatever a device believes; `Run` says what was played,
`Clock` ties the city's clock to the wall clock of the machine. Nothing here knows the platform.
"""

import sqlite3
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

KEEP = 7 * 86_400.0  # simulated seconds; what lies further back is dropped
_BATCH = 20_000  # rows in memory before they are written
_COMMIT_EVERY = 2.0  # seconds of the wall clock
_LOOK_BACK_EVERY = 3600.0  # simulated seconds between two droppings of what is old

Column: TypeAlias = NDArray[Any] | list[Any] | str | float | int | bool


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One row; the class is the table. Its field `time`, `hour` or `start` says when."""


class Run(Record, frozen=True, kw_only=True):
    """What was played: one row. `start` is the simulated second of the beginning."""

    scenario: str
    seed: int
    start: float
    scale: str
    utc_offset_hours: float


class Clock(Record, frozen=True, kw_only=True):
    """When, by the wall clock, the simulator had sent everything up to simulated `time`."""

    time: float
    wall: float


class Weather(Record, frozen=True, kw_only=True):
    """Weather over the city, every ten minutes.

    Attributes:
        rain: mm/h, mean over the catchments; heaviest: mm/h on the wettest of them.
        temperature, wbgt: °C. humidity: %. solar: W/m². wind: m/s.
    """

    time: float
    rain: float
    heaviest: float
    temperature: float
    humidity: float
    solar: float
    wind: float
    wbgt: float


class Level(Record, frozen=True, kw_only=True):
    """A river at a gauge, every minute: `level` in metres over the bed, `flow` in m³/s."""

    gauge: str
    time: float
    level: float
    flow: float


class Crossing(Record, frozen=True, kw_only=True):
    """A gauge's level passed a threshold, to the minute.

    Attributes:
        threshold: 1 水防団待機, 2 氾濫注意, 3 避難判断, 4 氾濫危険水位, 5 over the bank (氾濫発生).
        rising: up, else down.
    """

    gauge: str
    time: float
    threshold: int
    rising: bool


class Underpass(Record, frozen=True, kw_only=True):
    """Water in an underpass while there is any, every minute: `depth` in metres over the road."""

    underpass: str
    time: float
    depth: float


class Paddy(Record, frozen=True, kw_only=True):
    """A paddy, every ten minutes: `depth` of water in mm, `temperature` of it in °C, `stage` of growth."""

    paddy: str
    time: float
    depth: float
    temperature: float
    stage: str


class Visit(Record, frozen=True, kw_only=True):
    """A farmer at a paddy. Rows with `sensor` false are the visits as they would be without sensors."""

    farmer: str
    time: float
    paddy: str
    sensor: bool


class Presence(Record, frozen=True, kw_only=True):
    """People at a place in an hour; staff who never leave are not counted.

    Attributes:
        hour: its beginning.
        residents, visitors: different persons who were there for at least a moment of it.
        mean: persons there at a time, averaged over the hour.
    """

    place: str
    hour: float
    residents: int
    visitors: int
    mean: float


class Flow(Record, frozen=True, kw_only=True):
    """People who arrived at `destination` in the hour, by the place they came from.

    Both are ids of places, or `home` for a residence, or `outside` for beyond the city.
    """

    origin: str
    destination: str
    hour: float
    people: int


class Dwell(Record, frozen=True, kw_only=True):
    """One person's stay at a place, written when it ends. `visitor` false: a resident."""

    place: str
    start: float
    seconds: float
    visitor: bool


class Trip(Record, frozen=True, kw_only=True):
    """A bike from port to port, written at its end. `moved`: by the operator's van, not by a rider."""

    bike: str
    origin: str
    destination: str
    start: float
    end: float
    metres: float
    moved: bool


class Shelter(Record, frozen=True, kw_only=True):
    """People in a shelter, every ten minutes while there are any."""

    shelter: str
    time: float
    people: int


class Reading(Record, frozen=True, kw_only=True):
    """One number as a device put it on the wire, beside what it should have been.

    Attributes:
        device: as in its topic.
        quantity: `level` m, `depth` mm, `people`, people who `entered`, `bikes` at a port.
        time: when it was measured. observed_at: the same moment by the device's own clock, as in its payload.
        leaves: when the device sends it, by the city's clock; later than the run's end: it never did.
        true: the truth at `time`; `reported` minus `true` is the sensor's part of an error.
    """

    device: str
    time: float
    quantity: str
    observed_at: float
    leaves: float
    true: float
    reported: float


class Fault(Record, frozen=True, kw_only=True):
    """A device was not right between `start` and `end`. `parameters` is a JSON object."""

    device: str
    start: float
    kind: str
    end: float
    parameters: str


TABLES: tuple[type[Record], ...] = (
    Run, Clock, Weather, Level, Crossing, Underpass, Paddy, Visit,
    Presence, Flow, Dwell, Trip, Shelter, Reading, Fault,
)  # fmt: skip
_LASTING = frozenset({Run, Clock, Crossing, Fault})  # small, and kept for good
_TYPES = {str: "TEXT", int: "INTEGER", float: "REAL", bool: "INTEGER"}


class Truth:
    """Takes the truth and forgets it: for a run of which nobody wants to know."""

    def add(self, table: type[Record], **columns: Column) -> None:
        """Take rows, column by column: arrays or lists of one length, or one value for all rows."""

    def at(self, now: float) -> None:
        """Simulated time is now `now`, and everything up to it has been sent."""


class TruthLog(Truth):
    """Writes the truth of one run into a new file. A context manager.

    Args:
        folder: made if it is not there.
        run: what is played.
        keep: simulated seconds to keep.
    """

    def __init__(self, folder: Path, run: Run, keep: float = KEEP) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"simulate-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.sqlite"
        self._database = sqlite3.connect(self.path, isolation_level=None)
        self._database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
        for table in TABLES:
            self._database.executescript(_schema(table))
        self._rows: dict[type[Record], list[tuple[Any, ...]]] = {table: [] for table in TABLES}
        self._waiting, self._committed_at = 0, time.monotonic()
        self._keep, self._look_back_at = keep, run.start + keep
        self.add(Run, **msgspec.structs.asdict(run))

    def __enter__(self) -> "TruthLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is left and close the file."""
        self.flush()
        self._database.close()

    def add(self, table: type[Record], **columns: Column) -> None:
        """Take rows, column by column: arrays or lists of one length, or one value for all rows."""
        rows = _rows([columns[field] for field in table.__struct_fields__])
        self._rows[table] += rows
        self._waiting += len(rows)
        if self._waiting >= _BATCH:
            self.flush()

    def at(self, now: float) -> None:
        """Commit every two seconds, and note which wall clock belongs to simulated time `now`."""
        if time.monotonic() - self._committed_at < _COMMIT_EVERY:
            return
        self.add(Clock, time=now, wall=time.time())
        self.flush()
        if now >= self._look_back_at:
            self._look_back_at = now + _LOOK_BACK_EVERY
            self._drop(now - self._keep)

    def flush(self) -> None:
        """Commit all rows taken so far."""
        self._database.execute("BEGIN")
        for table, rows in self._rows.items():
            marks = ", ".join("?" * len(table.__struct_fields__))
            self._database.executemany(f"INSERT INTO {_name(table)} VALUES ({marks})", rows)  # noqa: S608  # a name of ours
            rows.clear()
        self._database.execute("COMMIT")
        self._waiting, self._committed_at = 0, time.monotonic()

    def _drop(self, before: float) -> None:
        for table in TABLES:
            if table not in _LASTING:
                self._database.execute(f"DELETE FROM {_name(table)} WHERE {_when(table)} < ?", (before,))  # noqa: S608  # a name of ours


def newest(data_dir: Path) -> Path | None:
    """The file of the latest run on a data folder."""
    return max((data_dir / "truth").glob("simulate-*.sqlite"), default=None)


def _rows(columns: Sequence[Column]) -> list[tuple[Any, ...]]:
    """Columns turned into rows; lists of different lengths are an error."""
    given: list[Any] = [column.tolist() if isinstance(column, np.ndarray) else column for column in columns]
    (length,) = {len(column) for column in columns if isinstance(column, list | np.ndarray)} or {1}
    filled: list[Iterable[Any]] = [repeat(value, length) if _single(value) else value for value in given]
    return list(zip(*filled, strict=True))


def _single(value: object) -> bool:
    return not isinstance(value, list)


def _name(table: type[Record]) -> str:
    return table.__name__.lower()


def _when(table: type[Record]) -> str:
    return next(field for field in table.__struct_fields__ if field in ("time", "hour", "start"))


def _schema(table: type[Record]) -> str:
    """The table, and an index of its first column and its time where it holds many rows."""
    columns = ", ".join(
        f"{field.name} {_TYPES[field.type]} NOT NULL" for field in msgspec.structs.fields(table)
    )
    first = table.__struct_fields__[0]
    index = (
        ""
        if table in _LASTING
        else f"CREATE INDEX {_name(table)}_when ON {_name(table)}({first}, {_when(table)});"
    )
    return f"CREATE TABLE {_name(table)}({columns}); {index}"
