"""Notifications of sources, for subscriptions here (clause 5.8.6)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import msgspec
from sqlalchemy import Engine

from machinami.errors import BadRequestData, NotFound
from machinami.federation.copying import PREFIX
from machinami.federation.matching import covers
from machinami.federation.reading import retrieve
from machinami.federation.received import Remote, with_times
from machinami.federation.registration import Registration, compile_registration
from machinami.linkage.notified import entity_document, wanted
from machinami.linkage.read import load_entities
from machinami.linkage.rules import Rule, compile_rule
from machinami.model import Entity
from machinami.ngsild.context import Context
from machinami.ngsild.documents import read_fragment
from machinami.ngsild.matching import Lookup
from machinami.ngsild.times import is_time
from machinami.store.engine import transaction
from machinami.store.queries_copy import fetch_copy
from machinami.store.queries_outbox import insert_notifications, tenant_name
from machinami.store.queries_registration import fetch_registration
from machinami.store.queries_subscription import StoredSubscription, Watched, fetch_subscription
from machinami.store.reading import reading

_DELETED = "deletedAt"


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """A copy of a subscription, with both its ends.

    Attributes:
        tenant: name of the subscription's.
        copy_id: of the subscription at the source.
    """

    tenant: str
    copy_id: str
    subscription: StoredSubscription
    registration: Registration


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An entity that a source tells of.

    Attributes:
        deleted: when it was, if it was.
    """

    entity: Entity
    deleted: str | None = None


def find_leg(engine: Engine, key: str) -> Leg:
    """What a source's notification is for.

    Args:
        key: the part of the copy's id that only its source knows.

    Raises:
        NotFound: nothing here; its subscription, or its registration, is gone.
    """
    with reading(engine) as connection:
        copy = fetch_copy(connection, PREFIX + key)
        stored = copy and fetch_subscription(
            connection, copy.tenant, copy.subscription_id, kind=Watched.ENTITIES
        )
        registration = copy and fetch_registration(connection, copy.tenant, copy.registration_id)
        if copy is None or stored is None or registration is None:
            raise _unknown(key)
        return Leg(
            tenant=tenant_name(connection, copy.tenant),
            copy_id=copy.id,
            subscription=stored,
            registration=compile_registration(registration),
        )


def read_told(document: dict[str, Any], leg: Leg, context: Context) -> list[Told]:
    """The entities of a notification that its source is registered for.

    Raises:
        BadRequestData: it is no Notification (clause 5.3.1).
        NotFound: it is for another subscription.
    """
    if document.get("subscriptionId") != leg.copy_id:
        raise _unknown(str(document.get("subscriptionId")))
    data = document.get("data")
    if document.get("type") != "Notification" or not isinstance(data, list):
        raise BadRequestData("this is no Notification", field="data", cure="See clause 5.3.1")
    every = [_told(each, context) for each in cast("list[Any]", data)]
    return [narrowed for told in every if (narrowed := _registered(told, leg.registration))]


def pass_on(engine: Engine, leg: Leg, told: Sequence[Told], remote: Remote | None) -> None:
    """Put what the subscriber is to be told into the outbox.

    Args:
        remote: what others say of these entities, where they are to be put together; else None.
    """
    stored = leg.subscription
    rule = compile_rule(stored)
    if not (stored.document.get("isActive", True) and rule.is_active(datetime.now(UTC))):
        return
    whole = [_whole(engine, leg.tenant, each, remote) if remote else each for each in told]
    lookup = partial(load_entities, engine, stored.tenant)
    entities = [_document(each, rule) for each in whole if _is_wanted(each, rule, lookup)]
    if entities:
        row = {"tenant": stored.tenant, "subscription_id": stored.id, "entities": entities}
        with transaction(engine) as connection:
            insert_notifications(connection, [row])


def _told(given: Any, context: Context) -> Told:
    fragment = read_fragment(given, context)
    if not (isinstance(given.get("id"), str) and fragment.types):
        raise BadRequestData("an entity has no id or no type", field="data", value=given, cure="Add both")
    entity = Entity(
        id=given["id"],
        types=fragment.types,
        scope=fragment.scope or (),
        attributes=fragment.attributes,
    )
    deleted = given[_DELETED] if is_time(given.get(_DELETED)) else None
    return Told(entity=with_times(entity, given, context), deleted=deleted)


def _registered(told: Told, registration: Registration) -> Told | None:
    """What of an entity its source is registered for: all constraints are respected (clause 4.3.6.1)."""
    entity = told.entity
    items = [item for item in registration.information if covers(item, entity.id, entity.types)]
    if not items:
        return None
    if not all(item.attributes for item in items):
        return told
    names = frozenset[str]().union(*(item.attributes for item in items))
    kept = {name: value for name, value in entity.attributes.items() if name in names}
    return Told(entity=msgspec.structs.replace(entity, attributes=kept), deleted=told.deleted)


def _whole(engine: Engine, tenant: str, told: Told, remote: Remote) -> Told:
    """The entity with what is said of it here and elsewhere; one that is deleted stays as it is."""
    if told.deleted:
        return told
    every = Remote(
        equals={told.entity.id: [told.entity, *remote.equals.get(told.entity.id, [])]},
        supplements=remote.supplements,
    )
    return Told(entity=retrieve(engine, tenant, told.entity.id, every))


def _is_wanted(told: Told, rule: Rule, lookup: Lookup) -> bool:
    """Whether it meets the subscription; of a deleted entity nothing is left that a filter could ask."""
    return (msgspec.structs.replace(rule, q=None, geo=None) if told.deleted else rule).wants(
        told.entity, lookup
    )


def _document(told: Told, rule: Rule) -> dict[str, Any]:
    document = wanted(entity_document(told.entity), rule)
    return {**document, _DELETED: told.deleted} if told.deleted else document


def _unknown(key: str) -> NotFound:
    return NotFound(
        "no subscription of this city waits for this",
        field="subscriptionId",
        value=key,
        cure="Delete that subscription: the one that it was for is gone",
    )
