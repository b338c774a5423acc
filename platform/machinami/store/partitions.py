"""Time partitions on plain PostgreSQL: one a month, made ahead of time, or when a month is first written.

TimescaleDB makes its own chunks; there this module finds nothing to do.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection, Engine, text

from machinami.store.engine import transaction

Month = tuple[int, int]
_LOCK = 0x70617274  # "part"
_PARTITIONS = text(
    "SELECT c.relname AS name, pg_total_relation_size(c.oid) AS size"
    " FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent"
    " WHERE i.inhparent = to_regclass(:parent) AND p.relkind = 'p' ORDER BY c.relname"
)


class Partition(msgspec.Struct, frozen=True, kw_only=True):
    """One month of a table.

    Attributes:
        end: exclusive.
        size: with its indexes, bytes.
    """

    name: str
    start: datetime
    end: datetime
    size: int


def month_of(moment: datetime) -> Month:
    """(year, month) in UTC, the unit of partitioning."""
    moment = moment.astimezone(UTC)
    return moment.year, moment.month


def start_of(month: Month) -> datetime:
    """Midnight, UTC, of its first day."""
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
            make_partitions(connection, "observation", months)
        self._known.update(months)


def months_from(moment: datetime, number: int) -> list[Month]:
    """That many months, beginning with the one of this moment."""
    months = [month_of(moment)]
    while len(months) < number:
        months.append(_next(months[-1]))
    return months


def make_partitions(connection: Connection, parent: str, months: Iterable[Month]) -> None:
    """Make the partitions of these months where they are not there; nothing where the table has no months."""
    if not has_months(connection, parent):
        return
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    for month in sorted(months):
        _make(connection, parent, month)


def read_partitions(connection: Connection, parent: str) -> list[Partition]:
    """The partitions of a table, oldest first; none where it has no months."""
    return [
        Partition(name=row.name, start=start_of(month), end=start_of(_next(month)), size=row.size)
        for row in connection.execute(_PARTITIONS, {"parent": parent})
        for month in [(int(row.name[-7:-3]), int(row.name[-2:]))]
    ]


def drop_partitions(connection: Connection, parent: str, before: datetime) -> list[str]:
    """Drop the partitions all of whose time lies before a moment; their names."""
    old = [partition.name for partition in read_partitions(connection, parent) if partition.end <= before]
    for name in old:
        connection.execute(text(f"DROP TABLE {name}"))
    return old


def has_months(connection: Connection, parent: str) -> bool:
    """Whether this table is partitioned by PostgreSQL; else it is TimescaleDB's matter."""
    query = text("SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass(:parent)")
    return bool(connection.execute(query, {"parent": parent}).scalar_one())


def _make(connection: Connection, parent: str, month: Month) -> None:
    # Attaching a table that is there already keeps neither readers nor writers of its parent waiting. All
    # parts come from datetime, never from a user, so they can stand in DDL, which takes no parameters.
    name = f"{parent}_{month[0]:04d}_{month[1]:02d}"
    if connection.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar_one() is not None:
        return
    span = f"FROM ('{start_of(month).isoformat()}') TO ('{start_of(_next(month)).isoformat()}')"
    connection.execute(text(f"CREATE TABLE {name} (LIKE {parent} INCLUDING ALL)"))
    connection.execute(text(f"ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES {span}"))
