"""Notifications on their way out: which are due, what became of each. The notifier's view of the store."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Engine

from machinami.linkage.leading import Lead, check_leading, leading
from machinami.linkage.notified import entity_of_document
from machinami.linkage.read import load_entities
from machinami.model import Entity, format_time
from machinami.store import queries_outbox as queries
from machinami.store.engine import transaction
from machinami.store.queries_outbox import Due, Notification
from machinami.store.queries_subscription import (
    StoredSubscription,
    Watched,
    fetch_subscription,
    write_status,
)
from machinami.store.reading import reading

__all__ = [
    "Due",
    "Lead",
    "Notification",
    "Outbox",
    "Queue",
    "StoredSubscription",
    "Watched",
    "entity_of_document",
]

_LEADER = 0x6D616368  # key of the advisory lock: only one notifier delivers, so that order holds


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """The oldest notifications of one subscription.

    Attributes:
        tenant_name: as in the header NGSILD-Tenant.
    """

    subscription: StoredSubscription
    tenant_name: str
    notifications: list[Notification]


class Outbox:
    """The outbox in the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def engine(self) -> Engine:
        """The database that it is in."""
        return self._engine

    def leading(self) -> AbstractContextManager[Lead | None]:
        """The right to deliver; see `machinami.linkage.leading`."""
        return leading(self._engine, _LEADER)

    def check_leading(self, connection: Lead) -> None:
        """Raise Unavailable if the right to deliver is gone with its connection."""
        check_leading(connection)

    def due(self) -> list[Due]:
        """Subscriptions whose oldest notification is due."""
        with reading(self._engine) as connection:
            return queries.fetch_due(connection)

    def queue(self, due: Due, limit: int) -> Queue | None:
        """Its oldest notifications, now in hand; None when the subscription is gone, and they with it."""
        with transaction(self._engine) as connection:
            queries.deliver_later(connection)
            stored = fetch_subscription(connection, due.tenant, due.subscription_id)
            if stored is None:
                queries.drop_waiting(connection, due)
                return None
            return Queue(
                subscription=stored,
                tenant_name=queries.tenant_name(connection, due.tenant),
                notifications=queries.take_notifications(connection, due, limit=limit),
            )

    def release(self, due: Due | None = None) -> Sequence[int]:
        """Put back what is in hand, for one subscription or all; the ids of what was."""
        with transaction(self._engine) as connection:
            return queries.release_taken(connection, due)

    def delivered(self, due: Due, notification: Notification) -> None:
        """It arrived: it leaves the outbox, and the subscription says so (clause 5.2.14.2)."""
        now = format_time(datetime.now(UTC))
        with transaction(self._engine) as connection:
            queries.deliver_later(connection)
            members = {"status": "ok", "lastNotification": now, "lastSuccess": now}
            # First the subscription: who removes it locks it before its notifications too.
            write_status(
                connection, due.tenant, due.subscription_id, counters=("timesSent",), members=members
            )
            queries.delete_notifications(connection, [notification.id])

    def unwanted(self, notification: Notification) -> None:
        """It came too soon after the one before it (throttling, clause 5.2.12): it is not sent."""
        with transaction(self._engine) as connection:
            queries.deliver_later(connection)
            queries.delete_notifications(connection, [notification.id])

    def failed(self, due: Due, notification: Notification, error: str, again: float | None) -> None:
        """It did not arrive.

        Args:
            again: seconds until it is tried again; None makes it a dead letter.
        """
        now = format_time(datetime.now(UTC))
        with transaction(self._engine) as connection:
            members = {"status": "failed", "lastNotification": now, "lastFailure": now}
            counters = ("timesSent", "timesFailed")
            write_status(connection, due.tenant, due.subscription_id, counters=counters, members=members)
            queries.postpone_notification(connection, notification.id, error, again)
            queries.release_taken(connection, due)

    def linked(self, tenant: int, ids: Sequence[str]) -> list[Entity]:
        """Entities that notified ones are linked to, as they are now (clause 4.5.23)."""
        return load_entities(self._engine, tenant, ids)

    def prune(self, days: float) -> int:
        """Remove dead letters older than this; how many."""
        with transaction(self._engine) as connection:
            return queries.prune_dead(connection, days)
