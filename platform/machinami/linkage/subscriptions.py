"""Which subscriptions a change concerns (clause 5.8.6), found inside the transaction that writes it."""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import convert
from sqlalchemy import Connection

from machinami.errors import MachinamiError, TooComplexQuery
from machinami.linkage.types import selects
from machinami.model import Entity, format_time
from machinami.ngsild.context import Context, Term
from machinami.ngsild.geo import GeoQuery, parse_geo
from machinami.ngsild.matching import matches
from machinami.ngsild.patterns import check_pattern
from machinami.ngsild.q import parse_q
from machinami.ngsild.query import Node
from machinami.ngsild.times import parse_time
from machinami.store.queries import EntitySelector
from machinami.store.queries_subscription import (
    Due,
    StoredSubscription,
    fetch_all_subscriptions,
    fingerprint,
    insert_notifications,
    write_status,
)

log = logging.getLogger(__name__)

DEFAULT_TRIGGERS = frozenset({"attributeCreated", "attributeUpdated"})
_ATTRIBUTE_TRIGGERS = frozenset({"attributeCreated", "attributeUpdated", "attributeDeleted"})
TRIGGERS = {
    **{name: frozenset({name}) for name in ("entityCreated", "entityDeleted", *sorted(_ATTRIBUTE_TRIGGERS))},
    "entityUpdated": _ATTRIBUTE_TRIGGERS,
}
"""Values of notificationTrigger (clause 5.2.12), and what each stands for."""

ENTITIES_A_NOTIFICATION = 100
"""Entities changed by one transaction that share a notification; an entity's next change has its own."""


MATCH_SECONDS = 1.0
"""Processor time that one subscription may take of one transaction."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What a transaction did to one entity.

    Attributes:
        before: None when it was created.
        after: None when it was deleted.
        changed: expanded names of the attributes written or removed.
    """

    tenant: int
    before: Entity | None
    after: Entity | None
    changed: tuple[str, ...]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription, compiled for matching. Empty members ask for nothing."""

    subscription_id: str
    selectors: tuple[EntitySelector, ...]
    watched: frozenset[str]
    triggers: frozenset[str]
    q: Node | None
    geo: GeoQuery | None
    expires_at: datetime | None
    attributes: tuple[str, ...]

    def concerns(self, written: Written, entity: Entity, now: datetime) -> bool:
        """Whether the change is to be notified."""
        return (
            (self.expires_at is None or self.expires_at > now)
            and (not self.selectors or any(selects(selector, entity) for selector in self.selectors))
            and not self.triggers.isdisjoint(_events(written, self.watched))
            and (self.q is None or matches(self.q, entity))
            and (self.geo is None or _lies(self.geo, entity))
        )


class Index:
    """All active subscriptions in memory, read again only when one of them has changed."""

    def __init__(self) -> None:
        # One reference, so that another thread never sees a fingerprint with the rules of another.
        self._state: tuple[tuple[int, int], dict[int, list[Rule]]] = ((0, 0), {})

    def rules(self, connection: Connection) -> dict[int, list[Rule]]:
        """Rules by tenant, as the transaction sees them."""
        current = fingerprint(connection)
        known, rules = self._state
        if current == known:
            return rules
        rules = dict[int, list[Rule]]()
        for stored in fetch_all_subscriptions(connection):
            if stored.document.get("isActive", True):
                self._add(rules, stored)
        self._state = (current, rules)
        return rules

    def _add(self, rules: dict[int, list[Rule]], stored: StoredSubscription) -> None:
        try:
            rules.setdefault(stored.tenant, []).append(compile_rule(stored))
        except MachinamiError as error:  # written by another version; the others, and all writes, go on
            log.error("subscription %s is passed over: %s", stored.id, error)

    def pause(self, tenant: int, rule: Rule) -> None:
        """Match this rule no more, until a subscription is changed."""
        known, rules = self._state
        self._state = (known, {**rules, tenant: [each for each in rules[tenant] if each is not rule]})


_index = Index()


def match(connection: Connection, written: Sequence[Written]) -> None:
    """Put the notifications that these changes cause into the outbox."""
    if not written:
        return
    rules = _index.rules(connection)
    rows = [
        {"tenant": tenant, "subscription_id": rule.subscription_id, "entities": part}
        for tenant in {item.tenant for item in written} & rules.keys()
        for rule in rules[tenant]
        for part in _parts(_matched(connection, rule, [item for item in written if item.tenant == tenant]))
    ]
    if rows:
        insert_notifications(connection, rows)


def _matched(connection: Connection, rule: Rule, written: Sequence[Written]) -> Sequence[dict[str, Any]]:
    """What is to be notified. A rule that costs too much is paused: it must hold up no writer."""
    now = datetime.now(UTC)
    try:
        return list(_concerned(rule, written, now))
    except TooComplexQuery as error:
        tenant = written[0].tenant
        log.warning("subscription %s is paused until one is changed: %s", rule.subscription_id, error)
        _index.pause(tenant, rule)
        due = Due(tenant=tenant, subscription_id=rule.subscription_id)
        failure = {"status": "failed", "lastFailure": format_time(now)}
        write_status(connection, due, counters=("timesFailed",), members=failure)
        return ()


def compile_rule(stored: StoredSubscription) -> Rule:
    """A stored subscription, ready for matching.

    Raises:
        MachinamiError: it cannot be read, because a version with other rules has stored it.
    """
    document = stored.document
    for selector in document.get("entities", ()):
        if selector["id_pattern"]:
            check_pattern(selector["id_pattern"], "idPattern")
    triggers = [TRIGGERS[name] for name in document.get("notificationTrigger", ())]
    return Rule(
        subscription_id=stored.id,
        selectors=tuple(convert(item, EntitySelector) for item in document.get("entities", ())),
        watched=frozenset(document.get("watchedAttributes", ())),
        triggers=frozenset[str]().union(*triggers) or DEFAULT_TRIGGERS,
        q=parse_q(document["q"], expanding(document["terms"])) if "q" in document else None,
        geo=parse_geo(**document["geoQ"], context=expanding({})) if "geoQ" in document else None,
        expires_at=parse_time(document["expiresAt"]) if "expiresAt" in document else None,
        attributes=tuple(document["notification"].get("attributes", ())),
    )


def expanding(terms: dict[str, str]) -> Context:
    """A @context of just these terms: what a stored query was written with, without asking for it again."""
    return Context({}, {term: Term(iri=iri) for term, iri in terms.items()})


def entity_document(entity: Entity, attributes: Iterable[str] = ()) -> dict[str, Any]:
    """An entity as the outbox keeps it; only these attributes, if there are some."""
    wanted = set(attributes) or entity.attributes.keys()
    return {
        "id": entity.id,
        "types": list(entity.types),
        "scope": list(entity.scope),
        "attributes": {name: value for name, value in entity.attributes.items() if name in wanted},
        "createdAt": format_time(entity.created_at) if entity.created_at else None,
        "modifiedAt": format_time(entity.modified_at) if entity.modified_at else None,
    }


def _concerned(rule: Rule, written: Sequence[Written], now: datetime) -> Iterator[dict[str, Any]]:
    deadline, busy = time.perf_counter() + MATCH_SECONDS, time.thread_time() + MATCH_SECONDS
    for item in written:
        # The time of this thread's own work is what counts, but it is dearer to ask for.
        if time.perf_counter() > deadline and time.thread_time() > busy:
            raise TooComplexQuery("its query takes too long", cure="Narrow it by type, or simplify q")
        entity = item.after or item.before
        if entity is not None and rule.concerns(item, entity, now):
            yield _notified(item, entity, rule)


def _notified(item: Written, entity: Entity, rule: Rule) -> dict[str, Any]:
    if item.after is None:
        bare = entity_document(entity)
        return {**bare, "attributes": {}, "deletedAt": format_time(datetime.now(UTC))}
    return entity_document(entity, rule.attributes)


def _events(written: Written, watched: frozenset[str]) -> Iterator[str]:
    """What happened, in the words of notificationTrigger, as far as it is watched."""
    if written.before is None:
        yield "entityCreated"
    if written.after is None:
        yield "entityDeleted"
    old = written.before.attributes if written.before else {}
    new = written.after.attributes if written.after else {}
    for name in written.changed:
        if not watched or name in watched:
            yield _EVENTS[name in old, name in new]


_EVENTS = {
    (False, True): "attributeCreated",
    (True, True): "attributeUpdated",
    (True, False): "attributeDeleted",
    (False, False): "attributeDeleted",  # written and removed by one transaction
}


def _lies(geo: GeoQuery, entity: Entity) -> bool:
    instances = entity.attributes.get(geo.geoproperty, [])
    return any(
        geo.matches(item["value"]) for item in instances if "value" in item and "datasetId" not in item
    )


def _parts(entities: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    listed = list(entities)
    for start in range(0, len(listed), ENTITIES_A_NOTIFICATION):
        yield listed[start : start + ENTITIES_A_NOTIFICATION]
