"""Subscriptions as they are asked for: create, change, remove, look up (clauses 5.8.1 to 5.8.5)."""

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine

from machinami.errors import AlreadyExists, NotFound
from machinami.linkage.read import Page, tenant_of
from machinami.store import queries_subscription as queries
from machinami.store.engine import transaction
from machinami.store.queries_subscription import StoredSubscription
from machinami.store.reading import reading
from machinami.store.tenants import tenant_number

__all__ = ["FoundSubscriptions", "StoredSubscription"]


class FoundSubscriptions(msgspec.Struct, frozen=True, kw_only=True):
    """One page of subscriptions; see `machinami.linkage.read.Found`."""

    subscriptions: list[StoredSubscription]
    more: bool
    total: int | None = None


def create_subscription(
    engine: Engine, tenant: str, identifier: str, document: dict[str, Any], context: Any
) -> None:
    """Create Subscription, clause 5.8.1.

    Args:
        document: members with their names expanded.
        context: source of the @context for its notifications.

    Raises:
        AlreadyExists: the id is taken.
    """
    with transaction(engine) as connection:
        number = tenant_number(connection, tenant, create=True)
        if queries.fetch_subscription(connection, number, identifier, lock=True):
            raise AlreadyExists(
                f"subscription {identifier} exists already", field="id", value=identifier, cure="Leave out id"
            )
        queries.insert_subscription(connection, number, identifier, document, context)


def update_subscription(
    engine: Engine,
    tenant: str,
    identifier: str,
    change: Callable[[StoredSubscription], tuple[dict[str, Any], Any]],
) -> None:
    """Update Subscription, clause 5.8.2.

    Args:
        change: gives the new document and context for the old subscription; nobody else changes it meanwhile.

    Raises:
        NotFound: no subscription has this id.
    """
    number = tenant_of(engine, tenant)
    with transaction(engine) as connection:
        document, context = change(_existing(connection, number, identifier))
        queries.update_subscription(connection, number, identifier, document, context)


def retrieve_subscription(engine: Engine, tenant: str, identifier: str) -> StoredSubscription:
    """Retrieve Subscription, clause 5.8.3.

    Raises:
        NotFound: no subscription has this id.
    """
    number = tenant_of(engine, tenant)
    with reading(engine) as connection:
        stored = queries.fetch_subscription(connection, number, identifier)
    if stored is None:
        raise _not_found(identifier)
    return stored


def query_subscriptions(engine: Engine, tenant: str, page: Page) -> FoundSubscriptions:
    """Query Subscriptions, clause 5.8.4; ordered by id."""
    number = tenant_of(engine, tenant)
    with reading(engine) as connection:
        total = queries.count_subscriptions(connection, number) if page.count else None
        found = queries.fetch_subscriptions(connection, number, limit=page.limit + 1, offset=page.offset)
    more = len(found) > page.limit > 0
    return FoundSubscriptions(subscriptions=found[: page.limit], more=more, total=total)


def delete_subscription(engine: Engine, tenant: str, identifier: str) -> None:
    """Delete Subscription, clause 5.8.5; notifications still due to it go too.

    Raises:
        NotFound: no subscription has this id.
    """
    number = tenant_of(engine, tenant)
    with transaction(engine) as connection:
        if not queries.delete_subscription(connection, number, identifier):
            raise _not_found(identifier)


def _existing(connection: Connection, number: int, identifier: str) -> StoredSubscription:
    stored = queries.fetch_subscription(connection, number, identifier, lock=True)
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
