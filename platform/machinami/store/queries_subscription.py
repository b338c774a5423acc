"""Subscriptions and the outbox: what is wanted, and which notifications are due."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Connection,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from machinami.store.tables import outbox, subscription, tenant

_FINGERPRINT = select(
    func.count(),
    func.coalesce(
        func.sum(cast(func.extract("epoch", subscription.c.modified_at) * 1_000_000, BigInteger)), 0
    ),
).select_from(subscription)


class StoredSubscription(msgspec.Struct, frozen=True, kw_only=True):
    """One subscription as it is kept.

    Attributes:
        document: members with their names expanded; see `machinami.linkage.subscription_documents`.
        context: source of the @context for its notifications.
        status: what the notifier wrote: timesSent, lastSuccess … (clause 5.2.14.2).
    """

    tenant: int
    id: str
    document: dict[str, Any]
    context: Any
    status: dict[str, Any]
    created_at: datetime
    modified_at: datetime


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription whose oldest notification is due."""

    tenant: int
    subscription_id: str


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the outbox."""

    id: int
    entities: list[dict[str, Any]]
    created_at: datetime
    attempts: int


_COLUMNS = (
    subscription.c.tenant,
    subscription.c.id,
    subscription.c.document,
    subscription.c.context,
    subscription.c.status,
    subscription.c.created_at,
    subscription.c.modified_at,
)


def insert_subscription(
    connection: Connection, number: int, identifier: str, document: dict[str, Any], context: Any
) -> None:
    """Keep a new subscription; the id must be free."""
    row = {"tenant": number, "id": identifier, "document": document, "context": context}
    connection.execute(insert(subscription).values(**row))


def update_subscription(
    connection: Connection, number: int, identifier: str, document: dict[str, Any], context: Any
) -> None:
    """Replace a subscription's document."""
    changed = {"document": document, "context": context, "modified_at": func.clock_timestamp()}
    connection.execute(update(subscription).where(*_key(number, identifier)).values(**changed))


def delete_subscription(connection: Connection, number: int, identifier: str) -> bool:
    """Remove a subscription and what is still due to it. Whether there was one."""
    mine = (outbox.c.tenant == number, outbox.c.subscription_id == identifier)
    connection.execute(delete(outbox).where(*mine))
    return connection.execute(delete(subscription).where(*_key(number, identifier))).rowcount > 0


def fetch_subscription(
    connection: Connection, number: int, identifier: str, *, lock: bool = False
) -> StoredSubscription | None:
    """One subscription; with lock nobody else changes it until the transaction ends."""
    query = select(*_COLUMNS).where(*_key(number, identifier))
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return _stored(row) if row else None


def fetch_subscriptions(
    connection: Connection, number: int, *, limit: int, offset: int
) -> list[StoredSubscription]:
    """Subscriptions of a tenant in the order of their ids."""
    query = select(*_COLUMNS).where(subscription.c.tenant == number).order_by(subscription.c.id)
    return [_stored(row) for row in connection.execute(query.limit(limit).offset(offset))]


def count_subscriptions(connection: Connection, number: int) -> int:
    """How many subscriptions a tenant has."""
    query = select(func.count()).select_from(subscription).where(subscription.c.tenant == number)
    return connection.execute(query).scalar_one()


def fetch_all_subscriptions(connection: Connection) -> list[StoredSubscription]:
    """Subscriptions of all tenants."""
    return [_stored(row) for row in connection.execute(select(*_COLUMNS))]


def fingerprint(connection: Connection) -> tuple[int, int]:
    """Changes when a subscription is added, changed or removed: their number and the sum of their times."""
    row = connection.execute(_FINGERPRINT).one()
    return row[0], int(row[1])


def insert_notifications(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add to the outbox: tenant, subscription_id, entities."""
    connection.execute(insert(outbox), list(rows))


def fetch_due(connection: Connection) -> list[Due]:
    """Subscriptions whose oldest notification is due; a later one never overtakes it."""
    oldest = (
        select(outbox.c.due_at)
        .where(*_waiting(subscription.c.tenant, subscription.c.id))
        .order_by(outbox.c.id)
        .limit(1)
        .lateral("oldest")
    )
    query = (
        select(subscription.c.tenant, subscription.c.id)
        .select_from(subscription.join(oldest, true()))
        .where(oldest.c.due_at <= func.now())
    )
    return [Due(tenant=row[0], subscription_id=row[1]) for row in connection.execute(query)]


def fetch_notifications(connection: Connection, due: Due, *, limit: int) -> list[Notification]:
    """The oldest notifications of a subscription, oldest first."""
    query = (
        select(outbox.c.id, outbox.c.entities, outbox.c.created_at, outbox.c.attempts)
        .where(*_waiting(literal(due.tenant), literal(due.subscription_id)))
        .order_by(outbox.c.id)
        .limit(limit)
    )
    return [
        Notification(id=row[0], entities=row[1], created_at=row[2], attempts=row[3])
        for row in connection.execute(query)
    ]


def tenant_name(connection: Connection, number: int) -> str:
    """Name of a tenant by its number."""
    return connection.execute(select(tenant.c.name).where(tenant.c.tenant == number)).scalar_one()


def delete_notification(connection: Connection, identifier: int) -> None:
    """It has been delivered."""
    connection.execute(delete(outbox).where(outbox.c.id == identifier))


def postpone_notification(connection: Connection, identifier: int, error: str, seconds: float | None) -> None:
    """It could not be delivered: try again after so many seconds, or never (None): a dead letter."""
    changed: dict[str, Any] = {"attempts": outbox.c.attempts + 1, "last_error": error}
    if seconds is None:
        changed["dead_at"] = func.now()
    else:
        changed["due_at"] = func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    connection.execute(update(outbox).where(outbox.c.id == identifier).values(**changed))


def write_status(
    connection: Connection, due: Due, *, counters: Sequence[str], members: Mapping[str, Any]
) -> None:
    """Write what became of a delivery into the subscription: count up some members, set others."""
    status = subscription.c.status.op("||")(cast(dict(members), JSONB))
    for counter in counters:
        counted = func.coalesce(cast(subscription.c.status[counter].astext, BigInteger), 0) + 1
        status = status.op("||")(func.jsonb_build_object(counter, counted))
    query = update(subscription).where(*_key(due.tenant, due.subscription_id))
    connection.execute(query.values(status=status))


def try_lead(connection: Connection, key: int) -> bool:
    """Take an advisory lock that lasts as long as the connection; whether it was free."""
    return connection.execute(select(func.pg_try_advisory_lock(key))).scalar_one()


def deliver_later(connection: Connection) -> None:
    """A power cut may undo this transaction: a delivery is then repeated, never lost."""
    connection.exec_driver_sql("SET LOCAL synchronous_commit = off")


def _key(number: int, identifier: str) -> tuple[Any, Any]:
    return subscription.c.tenant == number, subscription.c.id == identifier


def _waiting(number: Any, identifier: Any) -> tuple[Any, ...]:
    return outbox.c.tenant == number, outbox.c.subscription_id == identifier, outbox.c.dead_at.is_(None)


def _stored(row: Any) -> StoredSubscription:
    return StoredSubscription(
        tenant=row.tenant,
        id=row.id,
        document=row.document,
        context=row.context,
        status=row.status,
        created_at=row.created_at,
        modified_at=row.modified_at,
    )
