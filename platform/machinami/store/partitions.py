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

    def __init__(self) -> None:
        self._known: set[Month] = set()

    def missing(self, months: Iterable[Month]) -> set[Month]:
        """Those that this process has not seen yet."""
        return set(months) - self._known

    def make(self, engine: Engine, months: Iterable[Month]) -> None:
        """Make the partitions of these months where they are not there, in a transaction of their own."""
        with transaction(engine) as connection:
            if _is_native(connection):
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                for month in sorted(months):
                    _make(connection, month)
        self._known.update(months)


def _is_native(connection: Connection) -> bool:
    query = text("SELECT relkind = 'p' FROM pg_class WHERE oid = 'observation'::regclass")
    return bool(connection.execute(query).scalar_one())


def _make(connection: Connection, month: Month) -> None:
    # Attaching a table that is there already keeps neither readers nor writers of the history waiting. All
    # parts come from datetime, never from a user, so they can stand in DDL, which takes no parameters.
    name = f"observation_{month[0]:04d}_{month[1]:02d}"
    if connection.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar_one() is not None:
        return
    span = f"FROM ('{_start(month).isoformat()}') TO ('{_start(_next(month)).isoformat()}')"
    connection.execute(text(f"CREATE TABLE {name} (LIKE observation INCLUDING ALL)"))
    connection.execute(text(f"ALTER TABLE observation ATTACH PARTITION {name} FOR VALUES {span}"))
