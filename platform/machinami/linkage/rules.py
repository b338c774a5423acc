"""A subscription compiled for matching, and what a change means to it (clauses 5.2.12 and 5.8.6).

Shared with subscriptions to context source registrations (clause 5.11), which ask the same of what a
registration tells: `compile_rule` reads the stored document, `Rule.wants` is the test of one entity.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from msgspec import convert

from machinami.linkage.types import has_scopes, parse_scopes, selects
from machinami.model import Entity, Instance
from machinami.ngsild.context import Context, Term
from machinami.ngsild.geo import GeoQuery, parse_geo
from machinami.ngsild.matching import Lookup, matches
from machinami.ngsild.patterns import check_pattern
from machinami.ngsild.q import parse_q
from machinami.ngsild.query import Node
from machinami.ngsild.times import parse_time
from machinami.store.queries import EntitySelector, ScopeSelection
from machinami.store.queries_subscription import StoredSubscription

DEFAULT_TRIGGERS = frozenset({"attributeCreated", "attributeUpdated"})
ATTRIBUTE_TRIGGERS = frozenset({"attributeCreated", "attributeUpdated", "attributeDeleted"})
TRIGGERS = {
    **{name: frozenset({name}) for name in ("entityCreated", "entityDeleted", *sorted(ATTRIBUTE_TRIGGERS))},
    "entityUpdated": ATTRIBUTE_TRIGGERS,
}
"""Values of notificationTrigger (clause 5.2.12), and what each stands for."""

MAX_LINKS = 10
"""Relationships that a subscription's q may follow one after the other: as many as joinLevel may have."""

_STAMPS = frozenset({"createdAt", "modifiedAt"})


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


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """A change in the words of notificationTrigger, read once for all rules.

    Attributes:
        entity: as it is now; when it was deleted, as it was.
        to_entity: entityCreated, entityDeleted.
        to_attributes: expanded names, and what happened to each.
    """

    written: Written
    entity: Entity
    to_entity: frozenset[str]
    to_attributes: dict[str, frozenset[str]]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription, compiled for matching. Empty members ask for nothing.

    Attributes:
        interval: seconds between periodic notifications; changes mean nothing then.
        attributes: expanded names of those to be told; empty tells all.
        show_changes: with the values before.
        sys_attrs: with system times.
    """

    tenant: int
    subscription_id: str
    selectors: tuple[EntitySelector, ...]
    watched: frozenset[str]
    triggers: frozenset[str]
    q: Node | None
    geo: GeoQuery | None
    scopes: ScopeSelection
    expires_at: datetime | None
    interval: float | None
    attributes: frozenset[str]
    show_changes: bool
    sys_attrs: bool

    def concerns(self, happened: Happened, now: datetime, lookup: Lookup) -> bool:
        """Whether the change is to be notified; `lookup` as in `wants`."""
        return self.is_active(now) and self._triggered(happened) and self.wants(happened.entity, lookup)

    def is_active(self, now: datetime) -> bool:
        """Whether it has not expired; a paused one has no rule."""
        return self.expires_at is None or self.expires_at > now

    def wants(self, entity: Entity, lookup: Lookup) -> bool:
        """Whether the entity is subscribed and meets the query, geoquery and scope query.

        Args:
            lookup: entities of the tenant by their ids, for conditions on linked ones (clause 4.9).
        """
        return (
            (not self.selectors or any(selects(selector, entity) for selector in self.selectors))
            and (not self.scopes or has_scopes(entity.scope, self.scopes))
            and (self.q is None or matches(self.q, entity, lookup))
            and (self.geo is None or _lies(self.geo, entity))
        )

    def _triggered(self, happened: Happened) -> bool:
        if not self.triggers.isdisjoint(happened.to_entity):
            return not self.watched or self.selectors != () or self._has_watched(happened.entity)
        changes = happened.to_attributes
        names = self.watched & changes.keys() if self.watched else changes.keys()
        return any(not self.triggers.isdisjoint(changes[name]) for name in names)

    def _has_watched(self, entity: Entity) -> bool:
        return not self.watched.isdisjoint(entity.attributes)


def compile_rule(stored: StoredSubscription) -> Rule:
    """A stored subscription, ready for matching.

    Raises:
        MachinamiError: it cannot be read, because a version with other rules has stored it.
    """
    document, notification = stored.document, stored.document["notification"]
    for selector in document.get("entities", ()):
        if selector["id_pattern"]:
            check_pattern(selector["id_pattern"], "idPattern")
    triggers = [TRIGGERS[name] for name in document.get("notificationTrigger", ())]
    return Rule(
        tenant=stored.tenant,
        subscription_id=stored.id,
        selectors=tuple(convert(item, EntitySelector) for item in document.get("entities", ())),
        watched=frozenset(document.get("watchedAttributes", ())),
        triggers=frozenset[str]().union(*triggers) or DEFAULT_TRIGGERS,
        q=_q(document),
        geo=parse_geo(**document["geoQ"], context=expanding({})) if "geoQ" in document else None,
        scopes=parse_scopes(document["scopeQ"]) if "scopeQ" in document else (),
        expires_at=parse_time(document["expiresAt"]) if "expiresAt" in document else None,
        interval=document.get("timeInterval"),
        attributes=frozenset(notification.get("attributes", ())),
        show_changes=notification.get("showChanges", False),
        sys_attrs=notification.get("sysAttrs", False),
    )


def expanding(terms: dict[str, str]) -> Context:
    """A @context of just these terms: what a stored query was written with, without asking for it again."""
    return Context({}, {term: Term(iri=iri) for term, iri in terms.items()})


def happened(written: Written) -> Happened | None:
    """What a transaction did to an entity; None where it made and removed it."""
    entity = written.after or written.before
    if entity is None:
        return None
    to_entity = ("entityCreated",) * (written.before is None) + ("entityDeleted",) * (written.after is None)
    old = written.before.attributes if written.before else {}
    new = written.after.attributes if written.after else {}
    told = {name: frozenset(_events(old.get(name), new.get(name))) for name in written.changed}
    return Happened(
        written=written,
        entity=entity,
        to_entity=frozenset(to_entity),
        to_attributes={name: events for name, events in told.items() if events},
    )


def by_dataset(instances: list[Instance] | None) -> dict[str, Instance]:
    """Instances of an attribute by datasetId, the default one under nothing, without their stamps."""
    return {
        instance.get("datasetId", ""): {
            name: value for name, value in instance.items() if name not in _STAMPS
        }
        for instance in instances or ()
    }


def _events(old: list[Instance] | None, new: list[Instance] | None) -> Iterator[str]:
    """An attribute written with the value that it has already is not changed (clause 5.8.6)."""
    if not old:
        yield "attributeCreated" if new else "attributeDeleted"
        return
    before, after = by_dataset(old), by_dataset(new)
    if before.keys() - after.keys():
        yield "attributeDeleted"
    if any(before.get(dataset) != instance for dataset, instance in after.items()):
        yield "attributeUpdated"


def _q(document: dict[str, Any]) -> Node | None:
    if "q" not in document:
        return None
    names = [name.strip() for name in document.get("expandValues", "").split(",") if name.strip()]
    return parse_q(document["q"], expanding(document["terms"]), expand_values=names, depth=MAX_LINKS)


def _lies(geo: GeoQuery, entity: Entity) -> bool:
    """Of several instances of the GeoProperty any will do (clause 5.8.6)."""
    instances = entity.attributes.get(geo.geoproperty, [])
    return any("value" in instance and geo.matches(instance["value"]) for instance in instances)
