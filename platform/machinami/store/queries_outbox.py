"""The outbox: notifications due, those in a notifier's hand, and dead letters."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, text, update

from machinami.store.tables import outbox, tenant

# From one subscription's oldest notification to the next one's: as many steps in the index as subscriptions
# that have something waiting, however many there are and however much waits.
_DUE = text("""
WITH RECURSIVE head AS (
    (SELECT tenant, subscription_id, due_at FROM outbox WHERE dead_at IS NULL
     ORDER BY tenant, subscription_id, id LIMIT 1)
    UNION ALL
    SELECT next.* FROM head, LATERAL (
        SELECT o.tenant, o.subscription_id, o.due_at FROM outbox o
        WHERE o.dead_at IS NULL AND (o.tenant, o.subscription_id) > (head.tenant, head.subscription_id)
        ORDER BY o.tenant, o.subscription_id, o.id LIMIT 1
    ) next
)
SELECT tenant, subscription_id FROM head WHERE due_at <= now()
""")


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


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A notification that was given up.

    Attributes:
        entities: as they were when the subscription was concerned; None in a list.
        error: of the last attempt.
    """

    id: int
    subscription_id: str
    created_at: datetime
    dead_at: datetime
    attempts: int
    error: str
    entities: list[dict[str, Any]] | None = None


class Dead(msgspec.Struct, frozen=True, kw_only=True):
    """Which dead letters are meant; an empty member asks for nothing."""

    id: int | None = None
    subscription_id: str | None = None


_DEAD = (
    outbox.c.id,
    outbox.c.subscription_id,
    outbox.c.created_at,
    outbox.c.dead_at,
    outbox.c.attempts,
    outbox.c.last_error,
)


def insert_notifications(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add to the outbox: tenant, subscription_id, entities."""
    connection.execute(insert(outbox), list(rows))


def fetch_due(connection: Connection) -> list[Due]:
    """Subscriptions whose oldest notification is due; a later one never overtakes it."""
    return [Due(tenant=row[0], subscription_id=row[1]) for row in connection.execute(_DUE)]


def has_waiting(connection: Connection, due: Due) -> bool:
    """Whether anything waits for this subscription, due or not."""
    return connection.execute(select(select(outbox.c.id).where(*_waiting(due)).exists())).scalar_one()


def take_notifications(connection: Connection, due: Due, *, limit: int) -> list[Notification]:
    """The oldest notifications of a subscription, oldest first; they are marked as in hand."""
    oldest = select(outbox.c.id).where(*_waiting(due)).order_by(outbox.c.id).limit(limit)
    query = (
        update(outbox)
        .where(outbox.c.id.in_(oldest))
        .values(taken_at=func.now())
        .returning(outbox.c.id, outbox.c.entities, outbox.c.created_at, outbox.c.attempts)
    )
    return [
        Notification(id=row[0], entities=row[1], created_at=row[2], attempts=row[3])
        for row in sorted(connection.execute(query), key=lambda row: row[0])
    ]


def release_taken(connection: Connection, due: Due | None = None) -> list[int]:
    """Put back what is in hand for a subscription, or for all; ids of what was."""
    mine = _waiting(due) if due else ()
    query = update(outbox).where(outbox.c.taken_at.is_not(None), *mine).values(taken_at=None)
    return sorted(connection.execute(query.returning(outbox.c.id)).scalars())


def tenant_name(connection: Connection, number: int) -> str:
    """Name of a tenant by its number."""
    return connection.execute(select(tenant.c.name).where(tenant.c.tenant == number)).scalar_one()


def delete_notifications(connection: Connection, ids: Sequence[int]) -> None:
    """They have been delivered, or nobody wants them any more."""
    connection.execute(delete(outbox).where(outbox.c.id.in_(ids)))


def drop_waiting(connection: Connection, due: Due) -> None:
    """The subscription is gone: nobody wants what a transaction still wrote for it."""
    connection.execute(delete(outbox).where(*_waiting(due)))


def postpone_notification(connection: Connection, identifier: int, error: str, seconds: float | None) -> None:
    """It could not be delivered: try again after so many seconds, or never (None): a dead letter."""
    changed: dict[str, Any] = {"attempts": outbox.c.attempts + 1, "last_error": error, "taken_at": None}
    if seconds is None:
        changed["dead_at"] = func.now()
    else:
        changed["due_at"] = func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    connection.execute(update(outbox).where(outbox.c.id == identifier).values(**changed))


def fetch_dead(
    connection: Connection, number: int, choice: Dead, *, limit: int, offset: int
) -> list[DeadLetter]:
    """Dead letters of a tenant, newest first, without their entities."""
    query = select(*_DEAD).where(*_dead(number, choice)).order_by(outbox.c.id.desc())
    return [_letter(row) for row in connection.execute(query.limit(limit).offset(offset))]


def count_dead(connection: Connection, number: int, choice: Dead) -> int:
    """How many dead letters these are."""
    query = select(func.count()).select_from(outbox).where(*_dead(number, choice))
    return connection.execute(query).scalar_one()


def fetch_dead_letter(connection: Connection, number: int, identifier: int) -> DeadLetter | None:
    """One dead letter with its entities."""
    query = select(*_DEAD, outbox.c.entities).where(*_dead(number, Dead(id=identifier)))
    row = connection.execute(query).one_or_none()
    return _letter(row, row.entities) if row else None


def revive(connection: Connection, number: int, choice: Dead) -> int:
    """Make dead letters due again, at their old places in the order; how many."""
    again = {"dead_at": None, "attempts": 0, "due_at": func.now()}
    return connection.execute(update(outbox).where(*_dead(number, choice)).values(**again)).rowcount


def delete_dead(connection: Connection, number: int, choice: Dead) -> int:
    """Remove dead letters for good; how many."""
    return connection.execute(delete(outbox).where(*_dead(number, choice))).rowcount


def prune_dead(connection: Connection, days: float) -> int:
    """Remove what died longer ago than so many days; how many."""
    long_ago = outbox.c.dead_at < func.now() - func.make_interval(0, 0, 0, 0, 0, 0, days * 86_400)
    return connection.execute(delete(outbox).where(long_ago)).rowcount


def try_lead(connection: Connection, key: int) -> bool:
    """Take an advisory lock that lasts as long as the connection; whether it was free."""
    return connection.execute(select(func.pg_try_advisory_lock(key))).scalar_one()


def deliver_later(connection: Connection) -> None:
    """A power cut may undo this transaction: a delivery is then repeated, never lost."""
    connection.exec_driver_sql("SET LOCAL synchronous_commit = off")


def _waiting(due: Due) -> tuple[Any, ...]:
    return (
        outbox.c.tenant == due.tenant,
        outbox.c.subscription_id == due.subscription_id,
        outbox.c.dead_at.is_(None),
    )


def _dead(number: int, choice: Dead) -> tuple[Any, ...]:
    wanted: list[Any] = [outbox.c.tenant == number, outbox.c.dead_at.is_not(None)]
    if choice.id is not None:
        wanted.append(outbox.c.id == choice.id)
    if choice.subscription_id:
        wanted.append(outbox.c.subscription_id == choice.subscription_id)
    return tuple(wanted)


def _letter(row: Any, entities: list[dict[str, Any]] | None = None) -> DeadLetter:
    return DeadLetter(
        id=row.id,
        subscription_id=row.subscription_id,
        created_at=row.created_at,
        dead_at=row.dead_at,
        attempts=row.attempts,
        error=row.last_error or "",
        entities=entities,
    )
