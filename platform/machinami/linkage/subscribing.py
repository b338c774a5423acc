"""Subscriptions as they are asked for: create, change, remove, look up.

To entities (clauses 5.8.1 to 5.8.5), and to context source registrations (5.11.2 to 5.11.6).
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import Connection, Engine

from machinami.errors import AlreadyExists, NotFound
from machinami.linkage.read import Page, tenant_of
from machinami.store import queries_subscription as queries
from machinami.store.engine import transaction
from machinami.store.queries_subscription import StoredSubscription, Watched
from machinami.store.reading import reading
from machinami.store.tenants import tenant_number

__all__ = ["FoundSubscriptions", "Hook", "StoredSubscription", "Watched"]

Hook: TypeAlias = Callable[[Connection, StoredSubscription], object]
"""What else a transaction does for a subscription that it has written."""


class FoundSubscriptions(msgspec.Struct, frozen=True, kw_only=True):
    """One page of subscriptions; see `machinami.linkage.read.Found`."""

    subscriptions: list[StoredSubscription]
    more: bool
    total: int | None = None


def create_subscription(
    engine: Engine,
    tenant: str,
    identifier: str,
    document: dict[str, Any],
    context: Any,
    *,
    kind: Watched = Watched.ENTITIES,
    hooks: Sequence[Hook] = (),
) -> None:
    """Create Subscription, clauses 5.8.1 and 5.11.2.

    Args:
        document: members with their names expanded.
        context: source of the @context for its notifications.
        hooks: called in the transaction with what it has stored.

    Raises:
        AlreadyExists: the id is taken.
    """
    with transaction(engine) as connection:
        number = tenant_number(connection, tenant, create=True)
        if queries.fetch_subscription(connection, number, identifier, lock=True):
            raise AlreadyExists(
                f"subscription {identifier} exists already", field="id", value=identifier, cure="Leave out id"
            )
        queries.insert_subscription(connection, number, identifier, document, context, kind)
        _written(connection, number, identifier, kind, hooks)


def update_subscription(
    engine: Engine,
    tenant: str,
    identifier: str,
    change: Callable[[StoredSubscription], tuple[dict[str, Any], Any]],
    *,
    kind: Watched = Watched.ENTITIES,
    hooks: Sequence[Hook] = (),
) -> None:
    """Update Subscription, clauses 5.8.2 and 5.11.3.

    Args:
        change: gives the new document and context for the old subscription; nobody else changes it meanwhile.
        hooks: called in the transaction with what it has stored.

    Raises:
        NotFound: no subscription has this id.
    """
    number = tenant_of(engine, tenant)
    with transaction(engine) as connection:
        document, context = change(_existing(connection, number, identifier, kind, lock=True))
        queries.update_subscription(connection, number, identifier, document, context)
        _written(connection, number, identifier, kind, hooks)


def retrieve_subscription(
    engine: Engine, tenant: str, identifier: str, *, kind: Watched = Watched.ENTITIES
) -> StoredSubscription:
    """Retrieve Subscription, clauses 5.8.3 and 5.11.4.

    Raises:
        NotFound: no subscription has this id.
    """
    number = tenant_of(engine, tenant)
    with reading(engine) as connection:
        return _existing(connection, number, identifier, kind)


def query_subscriptions(
    engine: Engine, tenant: str, page: Page, *, kind: Watched = Watched.ENTITIES
) -> FoundSubscriptions:
    """Query Subscriptions, clauses 5.8.4 and 5.11.5; the oldest first."""
    number = tenant_of(engine, tenant)
    with reading(engine) as connection:
        total = queries.count_subscriptions(connection, number, kind) if page.count else None
        found = queries.fetch_subscriptions(
            connection, number, limit=page.limit + 1, offset=page.offset, kind=kind
        )
    more = len(found) > page.limit > 0
    return FoundSubscriptions(subscriptions=found[: page.limit], more=more, total=total)


def delete_subscription(
    engine: Engine, tenant: str, identifier: str, *, kind: Watched = Watched.ENTITIES
) -> None:
    """Delete Subscription, clauses 5.8.5 and 5.11.6; notifications still due to it go too.

    Raises:
        NotFound: no subscription has this id.
    """
    number = tenant_of(engine, tenant)
    with transaction(engine) as connection:
        if not queries.delete_subscription(connection, number, identifier, kind):
            raise _not_found(identifier)


def _written(
    connection: Connection, number: int, identifier: str, kind: Watched, hooks: Sequence[Hook]
) -> None:
    for hook in hooks:
        hook(connection, _existing(connection, number, identifier, kind))


def _existing(
    connection: Connection, number: int, identifier: str, kind: Watched, *, lock: bool = False
) -> StoredSubscription:
    stored = queries.fetch_subscription(connection, number, identifier, kind=kind, lock=lock)
    if stored is None:
        raise _not_found(identifier)
    return stored


def _not_found(identifier: str) -> NotFound:
    return NotFound(
        f"no subscription {identifier}",
        field="subscriptionId",
        value=identifier,
        cure="Check the id, and the tenant header: subscriptions of another tenant are not seen",
    )
