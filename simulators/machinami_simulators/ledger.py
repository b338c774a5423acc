"""The sender's ledger: every message sent and whether the broker acknowledged it, one SQLite file a run.

A message's row is committed before the message leaves, its acknowledgement after it has come. So a crash
may leave sent rows unacknowledged, but never an acknowledged message without its row.
"""

import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from machinami_simulators.wire import Message

KEEP = 1_000_000  # rows; above it the oldest acknowledged ones are forgotten, only their number is kept
_FORGET_AT_ONCE = 100_000
_SCHEMA = """
CREATE TABLE message(
  n INTEGER PRIMARY KEY, kind TEXT NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL,
  sent_at REAL NOT NULL, acknowledged_at REAL);
CREATE TABLE forgotten(kind TEXT PRIMARY KEY, sent INTEGER, acknowledged INTEGER);
"""
_OLDEST = "n < ? AND acknowledged_at IS NOT NULL"


class Ledger:
    """Rows of one run of one sender. A context manager.

    Args:
        folder: made if it is not there.
        sender: what sends, such as ``simulate`` or ``replay-fukui-river``; it begins the file's name.
        keep: rows to keep, see `KEEP`.
    """

    def __init__(self, folder: Path, sender: str, keep: int = KEEP) -> None:
        self.path = _create(folder, f"{sender}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
        self._database = sqlite3.connect(self.path, isolation_level=None)
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._keep = keep
        self._acknowledged: list[tuple[float, int]] = []
        self._rows = 0
        self._next = 1

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit what was acknowledged and close the file."""
        self.write(())
        self._database.close()

    def write(self, messages: Sequence[Message]) -> range:
        """Commit messages about to be sent and the acknowledgements since last time; gives their numbers."""
        numbers = range(self._next, self._next + len(messages))
        if not messages and not self._acknowledged:
            return numbers
        now = time.time()
        rows = [(n, m.kind, m.topic, m.payload, now) for n, m in zip(numbers, messages, strict=True)]
        self._database.execute("BEGIN")
        self._database.executemany("INSERT INTO message VALUES (?, ?, ?, ?, ?, NULL)", rows)
        self._database.executemany("UPDATE message SET acknowledged_at = ? WHERE n = ?", self._acknowledged)
        self._database.execute("COMMIT")
        self._acknowledged.clear()
        self._next, self._rows = numbers.stop, self._rows + len(rows)
        if self._rows > self._keep:
            self._forget()
        return numbers

    def acknowledge(self, number: int) -> None:
        """Note that the broker acknowledged a message; committed with the next write."""
        self._acknowledged.append((time.time(), number))

    def _forget(self) -> None:
        before = self._next - self._keep + min(_FORGET_AT_ONCE, self._keep // 2)
        self._database.execute("BEGIN")
        kinds = self._database.execute(f"SELECT kind FROM message WHERE {_OLDEST}", (before,))  # noqa: S608  # constant
        for kind, count in Counter(kind for (kind,) in kinds).items():
            self._database.execute(
                "INSERT INTO forgotten VALUES (?1, ?2, ?2) ON CONFLICT(kind) DO UPDATE"
                " SET sent = sent + ?2, acknowledged = acknowledged + ?2",
                (kind, count),
            )
        gone = self._database.execute(f"DELETE FROM message WHERE {_OLDEST}", (before,))  # noqa: S608  # constant
        self._rows -= gone.rowcount
        self._database.execute("COMMIT")


def _create(folder: Path, name: str) -> Path:
    """An empty ledger; it gets its name when its tables are there, so a reader never sees half of one."""
    folder.mkdir(parents=True, exist_ok=True)
    part, path = folder / f"{name}.part", folder / f"{name}.sqlite"
    database = sqlite3.connect(part)
    database.execute("PRAGMA journal_mode = WAL")
    database.executescript(_SCHEMA)
    database.close()
    return part.rename(path)
