"""Notifications on their way out: which are due, what became of each. The notifier's view of the store."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import Connection, Engine

from machinami.model import Entity, format_time
from machinami.ngsild.times import parse_time
from machinami.store import queries_subscription as queries
from machinami.store.engine import transaction
from machinami.store.queries_subscription import Due, Notification, StoredSubscription
from machinami.store.reading import reading

__all__ = ["Due", "Lead", "Notification", "Outbox", "Queue", "StoredSubscription", "entity_of_document"]

Lead: TypeAlias = Connection
"""The connection that holds the right to deliver."""

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

    @contextmanager
    def leading(self) -> Generator[Lead | None]:
        """A connection that holds the right to deliver; None while another notifier has it.

        The right ends with the connection, so a killed notifier gives it up.
        """
        with reading(self._engine) as connection:
            try:
                yield connection if queries.try_lead(connection, _LEADER) else None
            finally:
                connection.invalidate()  # close it: back in the pool it would still have the right

    def check_leading(self, connection: Lead) -> None:
        """Raise Unavailable if the right to deliver is gone with its connection."""
        connection.exec_driver_sql("SELECT 1")

    def due(self) -> list[Due]:
        """Subscriptions whose oldest notification is due."""
        with reading(self._engine) as connection:
            return queries.fetch_due(connection)

    def queue(self, due: Due, limit: int) -> Queue | None:
        """Its oldest notifications; None when the subscription is gone."""
        with reading(self._engine) as connection:
            stored = queries.fetch_subscription(connection, due.tenant, due.subscription_id)
            if stored is None:
                return None
            return Queue(
                subscription=stored,
                tenant_name=queries.tenant_name(connection, due.tenant),
                notifications=queries.fetch_notifications(connection, due, limit=limit),
            )

    def delivered(self, due: Due, notification: Notification) -> None:
        """It arrived: it leaves the outbox, and the subscription says so (clause 5.2.14.2)."""
        now = format_time(datetime.now(UTC))
        with transaction(self._engine) as connection:
            queries.deliver_later(connection)
            queries.delete_notification(connection, notification.id)
            members = {"status": "ok", "lastNotification": now, "lastSuccess": now}
            queries.write_status(connection, due, counters=("timesSent",), members=members)

    def failed(self, due: Due, notification: Notification, error: str, again: float | None) -> None:
        """It did not arrive.

        Args:
            again: seconds until it is tried again; None makes it a dead letter.
        """
        now = format_time(datetime.now(UTC))
        with transaction(self._engine) as connection:
            queries.postpone_notification(connection, notification.id, error, again)
            members = {"status": "failed", "lastNotification": now, "lastFailure": now}
            queries.write_status(connection, due, counters=("timesSent", "timesFailed"), members=members)


def entity_of_document(document: dict[str, Any]) -> Entity:
    """An entity as the outbox keeps it, see `machinami.linkage.subscriptions.entity_document`."""
    created, modified = document["createdAt"], document["modifiedAt"]
    return Entity(
        id=document["id"],
        types=tuple(document["types"]),
        attributes=document["attributes"],
        scope=tuple(document["scope"]),
        created_at=parse_time(created) if created else None,
        modified_at=parse_time(modified) if modified else None,
    )
