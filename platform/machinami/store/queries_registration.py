"""Context source registrations (clause 5.2.9), and the alias of this broker."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Connection, Select, cast, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB

from machinami.store.tables import registration, source_identity


class StoredRegistration(msgspec.Struct, frozen=True, kw_only=True):
    """One registration as it is kept.

    Attributes:
        document: members as clause 5.2.9 names them, with names of types and attributes expanded; Context
            Source Properties are in its member ``properties``, expanded name → value as given.
        status: what distributed operations wrote: timesSent, lastFailure … (Table 5.2.9-2).
    """

    tenant: int
    id: str
    document: dict[str, Any]
    status: dict[str, Any]
    created_at: datetime
    modified_at: datetime


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who this broker is (clause 5.2.40): a name that no other has, and since when."""

    alias: str
    since: datetime


_COLUMNS = (
    registration.c.tenant,
    registration.c.id,
    registration.c.document,
    registration.c.status,
    registration.c.created_at,
    registration.c.modified_at,
)


def insert_registration(
    connection: Connection, number: int, identifier: str, document: Mapping[str, Any]
) -> None:
    """Keep a new registration; the id must be free."""
    row = {"tenant": number, "id": identifier, "document": dict(document), "expires_at": _expiry(document)}
    connection.execute(insert(registration).values(**row))


def update_registration(
    connection: Connection, number: int, identifier: str, document: Mapping[str, Any]
) -> None:
    """Replace the document of one."""
    changed = {"document": dict(document), "expires_at": _expiry(document)}
    query = update(registration).where(*_key(number, identifier))
    connection.execute(query.values(**changed, modified_at=func.clock_timestamp()))


def delete_registration(connection: Connection, number: int, identifier: str) -> bool:
    """Remove one. Whether there was one."""
    return connection.execute(delete(registration).where(*_key(number, identifier))).rowcount > 0


def delete_expired_registrations(connection: Connection) -> list[StoredRegistration]:
    """Remove those whose time is over (clause 5.9.2.4); they come back."""
    over = delete(registration).where(registration.c.expires_at <= func.now())
    return [_stored(row) for row in connection.execute(over.returning(*_COLUMNS))]


def fetch_registration(
    connection: Connection, number: int, identifier: str, *, lock: bool = False
) -> StoredRegistration | None:
    """One by id, unless its time is over."""
    query = _valid().where(*_key(number, identifier))
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return _stored(row) if row else None


def fetch_registrations(connection: Connection, number: int | None = None) -> list[StoredRegistration]:
    """Those of a tenant, or of all, in the order of their ids; none whose time is over."""
    query = _valid().order_by(registration.c.tenant, registration.c.id)
    rows = connection.execute(query if number is None else query.where(registration.c.tenant == number))
    return [_stored(row) for row in rows]


def lock_registrations(connection: Connection) -> None:
    """Let nobody else write registrations until the end of the transaction, so that conflicts are seen."""
    connection.exec_driver_sql("LOCK TABLE registration IN SHARE ROW EXCLUSIVE MODE")


def registrations_fingerprint(connection: Connection) -> tuple[int, int]:
    """Changes when one is added, changed or removed: their number and the sum of their times."""
    microseconds = cast(func.extract("epoch", registration.c.modified_at) * 1_000_000, BigInteger)
    total = func.coalesce(func.sum(microseconds), 0)
    row = connection.execute(select(func.count(), total).select_from(registration)).one()
    return row[0], int(row[1])


def write_registration_status(
    connection: Connection,
    number: int,
    identifier: str,
    *,
    counters: Mapping[str, int],
    members: Mapping[str, Any],
) -> None:
    """Write what became of distributed operations: count up some members, set others."""
    status = registration.c.status.op("||")(cast(dict(members), JSONB))
    for counter, more in counters.items():
        counted = func.coalesce(cast(registration.c.status[counter].astext, BigInteger), 0) + more
        status = status.op("||")(func.jsonb_build_object(counter, counted))
    connection.execute(update(registration).where(*_key(number, identifier)).values(status=status))


def fetch_identity(connection: Connection) -> Identity:
    """This broker's alias; it was made with the database and stays."""
    row = connection.execute(select(source_identity.c.alias, source_identity.c.since)).one()
    return Identity(alias=row[0], since=row[1])


def _valid() -> Select[Any, Any, Any, Any, Any, Any]:
    return select(*_COLUMNS).where(
        or_(registration.c.expires_at.is_(None), registration.c.expires_at > func.now())
    )


def _expiry(document: Mapping[str, Any]) -> datetime | None:
    text = document.get("expiresAt")
    return datetime.fromisoformat(text) if text else None


def _key(number: int, identifier: str) -> tuple[Any, Any]:
    return registration.c.tenant == number, registration.c.id == identifier


def _stored(row: Any) -> StoredRegistration:
    return StoredRegistration(
        tenant=row.tenant,
        id=row.id,
        document=row.document,
        status=row.status,
        created_at=row.created_at,
        modified_at=row.modified_at,
    )
