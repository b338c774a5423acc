"""Reading what a simulator recorded about itself: which run, which time, and the rows of its tables.

The file is opened for reading only, so it may be read while the simulator still writes it.
"""

import sqlite3
from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import msgspec

from machinami_simulators.errors import InvalidOption, SimulatorError
from machinami_simulators.plan import zone
from machinami_simulators.truth import Record, Run, newest

_R = TypeVar("_R", bound=Record)


class NoTruth(SimulatorError):
    """No simulator has written a record there: play a scenario first, or name the file."""

    exit_code = 4


class Span(msgspec.Struct, frozen=True):
    """From `start` up to but not including `end`, in seconds since the epoch by the city's clock."""

    start: float
    end: float


class TruthRecord:
    """One run's record. A context manager.

    Raises:
        NoTruth: the file is not there, is no record, or nothing was played.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
            self._database.row_factory = sqlite3.Row
            run = next(self.rows(Run), None)
        except sqlite3.DatabaseError as error:
            raise NoTruth(
                f"{path} is no record of a simulator ({error})", "Name a file of DATA_DIR/truth"
            ) from error
        if run is None:
            raise NoTruth(f"{path} names no run yet", "Wait until the simulator has written for some seconds")
        self.run = run
        self.zone = zone(run.utc_offset_hours)

    def __enter__(self) -> "TruthRecord":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._database.close()

    def rows(self, table: type[_R], where: str = "1", **values: object) -> Iterator[_R]:
        """Rows of a table in the order in which they were written.

        Args:
            where: an SQL condition of the caller's own, with `values` by name.
        """
        for row in self.ask(f"SELECT * FROM {table.__name__.lower()} WHERE {where}", **values):  # noqa: S608  # a name of ours
            yield msgspec.convert(dict(row), table, strict=False)

    def ask(self, sql: str, **values: object) -> Iterator[sqlite3.Row]:
        """Rows of a query of the caller's own; `values` stand in it by name."""
        return iter(self._database.execute(sql, values))

    def span(self, start: str | None = None, end: str | None = None) -> Span:
        """The time asked for, ISO 8601; where nothing is asked, all that the record holds.

        Raises:
            InvalidOption: a time cannot be read, or nothing lies between the two.
        """
        (row,) = self.ask(
            "SELECT max(coalesce((SELECT max(time) FROM level), 0), :start) AS last", start=self.run.start
        )
        found = Span(
            self.run.start if start is None else self._moment("--from", start),
            row["last"] + 1 if end is None else self._moment("--to", end),
        )
        if found.start >= found.end:
            raise InvalidOption(
                f"nothing lies between {self.show(found.start)} and {self.show(found.end)}",
                f"The record begins at {self.show(self.run.start)} and ends at {self.show(row['last'])}",
            )
        return found

    def show(self, seconds: float) -> str:
        """A moment as the city's people write it."""
        return show_time(seconds, self.zone)

    def _moment(self, option: str, text: str) -> float:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise InvalidOption(
                f"{option}: {text!r} is no time", "Write it like 2026-09-01 or 2026-09-01T06:00:00Z"
            ) from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=self.zone)).timestamp()


def show_time(seconds: float, zone: tzinfo) -> str:
    """ISO 8601 with the zone, whole seconds."""
    return datetime.fromtimestamp(seconds, zone).isoformat(timespec="seconds")


def find_truth(data_dir: Path, file: Path | None = None) -> TruthRecord:
    """The record named, else that of the latest run on a data folder.

    Raises:
        NoTruth: there is none.
    """
    path = file or newest(data_dir)
    if path is None or not path.is_file():
        raise NoTruth(
            f"there is no record of a simulator at {path or data_dir / 'truth'}",
            "Play one: machinami simulate --scenario heavy-rain; or name another --data-dir",
        )
    return TruthRecord(path)


def plain(row: sqlite3.Row) -> dict[str, Any]:
    """Column → value."""
    return {name: row[name] for name in row.keys()}  # noqa: SIM118  # iterating a Row gives values
