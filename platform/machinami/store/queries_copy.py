"""Copies of subscriptions at context sources: which there are, and what each source has taken."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from machinami.store.tables import subscription_copy as table

Key: TypeAlias = tuple[int, str, str, str, str]
"""Tenant, subscription, registration; endpoint, and tenant there."""


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """One copy.

    Attributes:
        id: of the copy at the source; nobody else knows it.
        registration: its document, as it was when the source was last spoken to.
        sent: what the source has taken; None where it has taken nothing, as far as is known.
        attempts: failed ones since something was taken.
        is_due: it may be tried now.
    """

    id: str
    tenant: int
    subscription_id: str
    registration_id: str
    registration: dict[str, Any]
    sent: dict[str, Any] | None
    attempts: int
    is_due: bool

    @property
    def key(self) -> Key:
        """What it is a copy of, and for whom."""
        return key_of(self.tenant, self.subscription_id, self.registration_id, self.registration)


def key_of(number: int, subscription_id: str, registration_id: str, registration: Mapping[str, Any]) -> Key:
    """What tells copies apart: one at another place is another one."""
    place = registration["endpoint"], registration.get("tenant", "")
    return number, subscription_id, registration_id, *place


_is_due = func.coalesce(table.c.due_at <= func.now(), True)
_COLUMNS = (
    table.c.id,
    table.c.tenant,
    table.c.subscription_id,
    table.c.registration_id,
    table.c.registration,
    table.c.sent,
    table.c.attempts,
    _is_due,
)


def fetch_copies(connection: Connection) -> list[Copy]:
    """All copies."""
    return [_copy(row) for row in connection.execute(select(*_COLUMNS))]


def fetch_copy(connection: Connection, identifier: str) -> Copy | None:
    """The one with this id."""
    row = connection.execute(select(*_COLUMNS).where(table.c.id == identifier)).one_or_none()
    return _copy(row) if row else None


def has_due(connection: Connection) -> bool:
    """Whether one that failed is to be tried again."""
    query = select(select(table.c.id).where(table.c.due_at <= func.now()).exists())
    return connection.execute(query).scalar_one()


def insert_copies(connection: Connection, copies: Sequence[Copy]) -> None:
    """Keep new ones."""
    rows = [
        {
            "id": copy.id,
            "tenant": copy.tenant,
            "subscription_id": copy.subscription_id,
            "registration_id": copy.registration_id,
            "registration": copy.registration,
            "due_at": func.now(),
        }
        for copy in copies
    ]
    for row in rows:
        connection.execute(insert(table).values(**row))


def write_sent(
    connection: Connection, identifier: str, sent: Mapping[str, Any], registration: Mapping[str, Any]
) -> None:
    """The source has taken this."""
    values = {"sent": dict(sent), "registration": dict(registration), "attempts": 0, "due_at": None}
    connection.execute(update(table).where(table.c.id == identifier).values(**values))


def write_lost(connection: Connection, identifier: str) -> None:
    """The source has it no more: it is to be sent anew."""
    values = {"sent": None, "due_at": func.now()}
    connection.execute(update(table).where(table.c.id == identifier).values(**values))


def postpone_copy(connection: Connection, identifier: str, seconds: float) -> None:
    """The source did not take it: try again after this time."""
    values = {"attempts": table.c.attempts + 1, "due_at": func.now() + timedelta(seconds=seconds)}
    connection.execute(update(table).where(table.c.id == identifier).values(**values))


def delete_copy(connection: Connection, identifier: str) -> None:
    """Forget one."""
    connection.execute(delete(table).where(table.c.id == identifier))


def _copy(row: Any) -> Copy:
    return Copy(
        id=row[0],
        tenant=row[1],
        subscription_id=row[2],
        registration_id=row[3],
        registration=row[4],
        sent=row[5],
        attempts=row[6],
        is_due=row[7],
    )
