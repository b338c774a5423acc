"""Notifications at intervals (timeInterval, clauses 5.2.12, 5.8.6 and 5.11.7)."""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeAlias

from sqlalchemy import Engine

from machinami.errors import TooComplexQuery
from machinami.linkage.notified import entity_document, wanted
from machinami.linkage.read import Page, Selection, load_entities, query_entities
from machinami.linkage.rule_index import Index
from machinami.linkage.rules import Rule
from machinami.store import queries_outbox as queries
from machinami.store.engine import transaction
from machinami.store.queries_outbox import Due
from machinami.store.queries_subscription import Watched
from machinami.store.reading import reading

log = logging.getLogger(__name__)

ENTITIES_A_PERIOD = 1000
"""Entities that one periodic notification tells at most."""

Find: TypeAlias = Callable[[Engine, Rule], Sequence[Sequence[dict[str, Any]]]]
"""The notifications that are due to a subscription now: what each tells, as the outbox keeps it."""


def find_entities(engine: Engine, rule: Rule) -> Sequence[Sequence[dict[str, Any]]]:
    """All entities that meet a subscription, in one notification, if there are any (clause 5.8.6)."""
    with reading(engine) as connection:
        name = queries.tenant_name(connection, rule.tenant)
    selection = Selection(selectors=rule.selectors, q=rule.q, geo=rule.geo)
    found = query_entities(engine, name, selection, Page(limit=ENTITIES_A_PERIOD))
    lookup = partial(load_entities, engine, rule.tenant)
    told = [wanted(entity_document(each), rule) for each in found.entities if rule.wants(each, lookup)]
    return [told] if told else []


class Periodic:
    """Subscriptions of a kind that want notifications at intervals, and what is told to them."""

    def __init__(self, engine: Engine, kind: Watched = Watched.ENTITIES, find: Find = find_entities) -> None:
        self._engine = engine
        self._index = Index(kind)
        self._find = find

    def rules(self) -> list[Rule]:
        """Those that are active."""
        now = datetime.now(UTC)
        with reading(self._engine) as connection:
            rules = self._index.rules(connection)
        return [
            rule
            for mine in rules.values()
            for rule in mine
            if rule.interval is not None and rule.is_active(now)
        ]

    def tell(self, rule: Rule) -> bool:
        """Put what is due into the outbox; whether there is something to tell.

        None is added while one still waits: an endpoint that is away must not find hours of them.
        """
        due = Due(tenant=rule.tenant, subscription_id=rule.subscription_id)
        with reading(self._engine) as connection:
            if queries.has_waiting(connection, due):
                return False
        key = {"tenant": rule.tenant, "subscription_id": rule.subscription_id}
        try:
            rows = [{**key, "entities": told} for told in self._find(self._engine, rule)]
        except TooComplexQuery as error:  # the others are told all the same
            log.warning("subscription %s is not told: %s", rule.subscription_id, error)
            return False
        if rows:
            with transaction(self._engine) as connection:
                queries.insert_notifications(connection, rows)
        return bool(rows)
