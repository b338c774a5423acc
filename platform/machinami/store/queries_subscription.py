"""Subscriptions: what is wanted, and by which changes to them an index in memory stays right."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, LiteralString

import msgspec
from sqlalchemy import BigInteger, Connection, cast, delete, func, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import JSONB

from machinami.store.engine import driver_connection
from machinami.store.tables import outbox, subscription, subscription_change

_CHANGES_KEPT = 10_000
_CHANGES_READ = 1_000
_LOCK = 0x73756273  # "subs": changes to subscriptions commit one after another, in the order of revisions


class Watched(StrEnum):
    """What a subscription watches: entities (clause 5.8), or context source registrations (5.11)."""

    ENTITIES = "entities"
    SOURCES = "sources"


class StoredSubscription(msgspec.Struct, frozen=True, kw_only=True):
    """One subscription as it is kept.

    Attributes:
        document: members with their names expanded; see `machinami.api.subscription_documents`.
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
    kind: Watched = Watched.ENTITIES


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What an index has to catch up with.

    Attributes:
        whole: it has to begin anew: `keys` mean nothing.
        keys: tenant and id of the subscriptions made, changed or removed.
    """

    whole: bool
    keys: Sequence[tuple[int, str]] = ()


_COLUMNS = (
    subscription.c.tenant,
    subscription.c.id,
    subscription.c.document,
    subscription.c.context,
    subscription.c.status,
    subscription.c.created_at,
    subscription.c.modified_at,
    subscription.c.kind,
)
_REVISION: LiteralString = "SELECT coalesce(max(revision), 0) FROM subscription_change"


def insert_subscription(
    connection: Connection,
    number: int,
    identifier: str,
    document: dict[str, Any],
    context: Any,
    kind: Watched = Watched.ENTITIES,
) -> None:
    """Keep a new subscription; the id must be free."""
    row = {"tenant": number, "id": identifier, "document": document, "context": context, "kind": kind}
    connection.execute(insert(subscription).values(**row))
    _tell(connection, number, identifier)


def update_subscription(
    connection: Connection, number: int, identifier: str, document: dict[str, Any], context: Any
) -> None:
    """Replace a subscription's document."""
    changed = {"document": document, "context": context, "modified_at": func.clock_timestamp()}
    connection.execute(update(subscription).where(*_key(number, identifier)).values(**changed))
    _tell(connection, number, identifier)


def delete_subscription(
    connection: Connection, number: int, identifier: str, kind: Watched = Watched.ENTITIES
) -> bool:
    """Remove a subscription and what is still due to it. Whether there was one."""
    key = (*_key(number, identifier), subscription.c.kind == kind)
    if not connection.execute(delete(subscription).where(*key)).rowcount:
        return False
    mine = (outbox.c.tenant == number, outbox.c.subscription_id == identifier)
    connection.execute(delete(outbox).where(*mine))
    _tell(connection, number, identifier)
    return True


def fetch_subscription(
    connection: Connection,
    number: int,
    identifier: str,
    *,
    kind: Watched | None = None,
    lock: bool = False,
) -> StoredSubscription | None:
    """One subscription.

    Args:
        kind: None takes any.
        lock: nobody else changes it until the transaction ends.
    """
    query = select(*_COLUMNS).where(*_key(number, identifier))
    query = query if kind is None else query.where(subscription.c.kind == kind)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return _stored(row) if row else None


def fetch_subscriptions(
    connection: Connection, number: int, *, limit: int, offset: int, kind: Watched = Watched.ENTITIES
) -> list[StoredSubscription]:
    """Subscriptions of a tenant, the oldest first."""
    mine = (subscription.c.tenant == number, subscription.c.kind == kind)
    query = select(*_COLUMNS).where(*mine).order_by(subscription.c.created_at, subscription.c.id)
    return [_stored(row) for row in connection.execute(query.limit(limit).offset(offset))]


def count_subscriptions(connection: Connection, number: int, kind: Watched = Watched.ENTITIES) -> int:
    """How many subscriptions a tenant has."""
    mine = (subscription.c.tenant == number, subscription.c.kind == kind)
    return connection.execute(select(func.count()).select_from(subscription).where(*mine)).scalar_one()


def fetch_all_subscriptions(
    connection: Connection, kind: Watched, number: int | None = None
) -> list[StoredSubscription]:
    """Subscriptions of a tenant, or of all."""
    query = select(*_COLUMNS).where(subscription.c.kind == kind)
    rows = connection.execute(query if number is None else query.where(subscription.c.tenant == number))
    return [_stored(row) for row in rows]


def fetch_these_subscriptions(
    connection: Connection, keys: Sequence[tuple[int, str]], kind: Watched
) -> list[StoredSubscription]:
    """Those of this kind among these tenants and ids."""
    these = tuple_(subscription.c.tenant, subscription.c.id).in_(keys)
    return [
        _stored(row)
        for row in connection.execute(select(*_COLUMNS).where(these, subscription.c.kind == kind))
    ]


def fetch_revision(connection: Connection) -> int:
    """Grows with every change to a subscription; 0 where there never was one.

    Every write asks for it, so it goes to the driver itself: a third of the time.
    """
    ((revision,),) = driver_connection(connection).execute(_REVISION).fetchall()
    return revision


def fetch_changes(connection: Connection, since: int) -> Changes:
    """What happened after a revision."""
    table = subscription_change.c
    oldest = connection.execute(select(func.min(table.revision))).scalar_one()
    if oldest is None or since + 1 < oldest:  # too old, or of another database
        return Changes(whole=True)
    query = select(table.tenant, table.subscription_id).where(table.revision > since).distinct()
    keys = [(row[0], row[1]) for row in connection.execute(query.limit(_CHANGES_READ + 1))]
    return Changes(whole=True) if len(keys) > _CHANGES_READ else Changes(whole=False, keys=keys)


def write_status(
    connection: Connection,
    number: int,
    identifier: str,
    *,
    counters: Sequence[str],
    members: Mapping[str, Any],
) -> None:
    """Write what became of a delivery into the subscription: count up some members, set others."""
    status = subscription.c.status.op("||")(cast(dict(members), JSONB))
    for counter in counters:
        counted = func.coalesce(cast(subscription.c.status[counter].astext, BigInteger), 0) + 1
        status = status.op("||")(func.jsonb_build_object(counter, counted))
    connection.execute(update(subscription).where(*_key(number, identifier)).values(status=status))


def _tell(connection: Connection, number: int, identifier: str) -> None:
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    row = {"tenant": number, "subscription_id": identifier}
    made = insert(subscription_change).values(**row).returning(subscription_change.c.revision)
    revision = connection.execute(made).scalar_one()
    old = subscription_change.c.revision <= revision - _CHANGES_KEPT
    connection.execute(delete(subscription_change).where(old))


def _key(number: int, identifier: str) -> tuple[Any, Any]:
    return subscription.c.tenant == number, subscription.c.id == identifier


def _stored(row: Any) -> StoredSubscription:
    return StoredSubscription(
        tenant=row.tenant,
        id=row.id,
        document=row.document,
        context=row.context,
        status=row.status,
        created_at=row.created_at,
        modified_at=row.modified_at,
        kind=Watched(row.kind),
    )
