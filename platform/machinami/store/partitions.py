"""Time partitions of the history on plain PostgreSQL: one a month, made when a month is first written.

TimescaleDB makes its own chunks; there this module finds nothing to do.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, text

from machinami.store.engine import transaction

Month = tuple[int, int]
_LOCK = 0x70617274  # "part"


def month_of(moment: datetime) -> Month:
    """(year, month) in UTC, the unit of partitioning."""
    moment = moment.astimezone(UTC)
    return moment.year, moment.month


def _start(month: Month) -> datetime:
    return datetime(*month, 1, tzinfo=UTC)


def _next(month: Month) -> Month:
    year, number = month
    return (year + 1, 1) if number == 12 else (year, number + 1)


class Partitions:
    """Which months have a partition; remembered, so that only a new month costs a question."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: set[Month] = set()
        self._native: bool | None = None

    def ensure(self, months: Iterable[Month]) -> None:
        """Make the partitions of these months that are missing, in a transaction of their own."""
        missing = set(months) - self._known
        if not missing:
            return
        with transaction(self._engine) as connection:
            if self._is_native(connection):
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                for month in sorted(missing):
                    _create(connection, month)
        self._known |= missing

    def _is_native(self, connection: Connection) -> bool:
        if self._native is None:
            query = text("SELECT relkind = 'p' FROM pg_class WHERE oid = 'observation'::regclass")
            self._native = bool(connection.execute(query).scalar_one())
        return self._native


def _create(connection: Connection, month: Month) -> None:
    # Both parts come from datetime, never from a user, so they can stand in DDL, which takes no parameters.
    name = f"observation_{month[0]:04d}_{month[1]:02d}"
    span = f"FROM ('{_start(month).isoformat()}') TO ('{_start(_next(month)).isoformat()}')"
    connection.execute(text(f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF observation FOR VALUES {span}"))
