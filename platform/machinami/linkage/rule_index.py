"""All active subscriptions of a kind in memory, found by what an entity has; read again only where changed.

Used by the write path for entities, and by the notifier for what is periodic. Subscriptions to context source
registrations use it too: `Index(Watched.SOURCES)`.
"""

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import Connection

from machinami.errors import MachinamiError
from machinami.linkage.rules import Rule, compile_rule
from machinami.model import Entity
from machinami.store.queries_subscription import (
    StoredSubscription,
    Watched,
    fetch_all_subscriptions,
    fetch_changes,
    fetch_revision,
    fetch_these_subscriptions,
)

log = logging.getLogger(__name__)

_ANY = ""
_Place = tuple[str, str]


class Rules:
    """The rules of one tenant.

    Each lies where an entity looks that might concern it: under an id or a type that it asks for, or under
    any; and there under an attribute that it watches, or under any. What is found is a candidate, no more.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, Rule] = {}
        # Buckets are replaced, never changed: another thread may be reading one.
        self._places: dict[str, dict[str, tuple[Rule, ...]]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Rule]:
        return iter([*self._by_id.values()])

    def put(self, rule: Rule) -> None:
        """Add a rule, or take it for the one with its id."""
        self.remove(rule.subscription_id)
        self._by_id[rule.subscription_id] = rule
        for subject, attribute in _places(rule):
            buckets = self._places.setdefault(subject, {})
            buckets[attribute] = (*buckets.get(attribute, ()), rule)

    def remove(self, subscription_id: str) -> None:
        """Take a rule out, if it is there."""
        rule = self._by_id.pop(subscription_id, None)
        for subject, attribute in _places(rule) if rule else ():
            buckets = self._places[subject]
            buckets[attribute] = tuple(each for each in buckets[attribute] if each is not rule)
            if not buckets[attribute]:
                del buckets[attribute]
            if not buckets:
                del self._places[subject]

    def candidates(self, entity: Entity, changed: Iterable[str]) -> Iterable[Rule]:
        """Rules that a change of these attributes of the entity may concern, each once."""
        found: dict[str, Rule] = {}
        for subject in (entity.id, *entity.types, _ANY):
            if buckets := self._places.get(subject):
                names = [name for name in changed if name in buckets]
                for attribute in (*names, _ANY):
                    found |= {rule.subscription_id: rule for rule in buckets.get(attribute, ())}
        return found.values()


class Index:
    """The rules of all tenants, as they were at the last revision seen."""

    def __init__(self, kind: Watched = Watched.ENTITIES) -> None:
        self._kind = kind
        self._lock = threading.Lock()
        self._revision = -1
        self._rules: dict[int, Rules] = {}

    def rules(self, connection: Connection) -> Mapping[int, Rules]:
        """Rules by tenant, at least as new as the transaction sees them."""
        if fetch_revision(connection) != self._revision:
            with self._lock:
                self._catch_up(connection)
        return self._rules

    def pause(self, rule: Rule) -> None:
        """Match this rule no more, until its subscription is changed."""
        with self._lock:
            self._rules[rule.tenant].remove(rule.subscription_id)

    def _catch_up(self, connection: Connection) -> None:
        # Asked again: another thread may have done it. What commits after this is found the next time.
        revision, since = fetch_revision(connection), self._revision
        if revision == since:
            return
        if not 0 <= since < revision or (changes := fetch_changes(connection, since)).whole:
            self._rules = {}
            found = fetch_all_subscriptions(connection, self._kind)
        else:
            for tenant, identifier in changes.keys:
                if tenant in self._rules:
                    self._rules[tenant].remove(identifier)
            found = fetch_these_subscriptions(connection, changes.keys, self._kind)
        for stored in found:
            self._add(stored)
        self._revision = revision

    def _add(self, stored: StoredSubscription) -> None:
        if not stored.document.get("isActive", True):
            return
        try:
            rule = compile_rule(stored)
        except MachinamiError as error:  # written by another version; the others, and all writes, go on
            log.error("subscription %s is passed over: %s", stored.id, error)
            return
        self._rules.setdefault(stored.tenant, Rules()).put(rule)


def _places(rule: Rule) -> set[_Place]:
    """Where a rule lies. What is triggered by an entity's own fate watches any attribute."""
    whole = not rule.watched or not rule.triggers.isdisjoint({"entityCreated", "entityDeleted"})
    attributes = {_ANY} if whole else rule.watched
    return {(subject, attribute) for subject in _subjects(rule) for attribute in attributes}


def _subjects(rule: Rule) -> set[str]:
    found: set[str] = set()
    for selector in rule.selectors:
        if selector.ids:
            found.update(selector.ids)
        else:
            found.update((group[0] for group in selector.types) if selector.types else (_ANY,))
    return found or {_ANY}
