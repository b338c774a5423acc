"""Which subscriptions a change concerns (clause 5.8.6), found inside the transaction that writes it."""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection

from machinami.errors import TooComplexQuery
from machinami.linkage.notified import notified
from machinami.linkage.rule_index import Index, Rules
from machinami.linkage.rules import Happened, Rule, Written, happened
from machinami.model import format_time
from machinami.ngsild.matching import Lookup
from machinami.store.queries import fetch_by_ids
from machinami.store.queries_outbox import insert_notifications
from machinami.store.queries_subscription import write_status

log = logging.getLogger(__name__)

__all__ = ["Index", "Written", "match"]

ENTITIES_A_NOTIFICATION = 100
"""Entities changed by one transaction that share a notification; an entity's next change has its own."""

MATCH_SECONDS = 1.0
"""Processor time that one subscription may take of one transaction."""


def match(connection: Connection, index: Index, written: Sequence[Written]) -> None:
    """Put the notifications that these changes cause into the outbox."""
    if not written:
        return
    now = datetime.now(UTC)
    rows = [
        {"tenant": rule.tenant, "subscription_id": rule.subscription_id, "entities": part}
        for rule, changes in _candidates(index.rules(connection), written)
        for part in _parts(_matched(connection, index, rule, changes, now))
    ]
    if rows:
        insert_notifications(connection, rows)


def _candidates(
    rules: Mapping[int, Rules], written: Sequence[Written]
) -> Iterable[tuple[Rule, list[Happened]]]:
    found: dict[tuple[int, str], tuple[Rule, list[Happened]]] = {}
    for item in written:
        mine, entity = rules.get(item.tenant), item.after or item.before
        concerned = mine.candidates(entity, item.changed) if mine and entity else ()
        what = happened(item) if concerned else None
        for rule in concerned:
            if what and rule.interval is None:
                found.setdefault((item.tenant, rule.subscription_id), (rule, []))[1].append(what)
    return found.values()


def _matched(
    connection: Connection, index: Index, rule: Rule, changes: Sequence[Happened], now: datetime
) -> Sequence[dict[str, Any]]:
    """What is to be notified. A rule that costs too much is paused: it must hold up no writer."""
    try:
        return list(_concerned(rule, changes, now, partial(fetch_by_ids, connection, rule.tenant)))
    except TooComplexQuery as error:
        log.warning("subscription %s is paused until it is changed: %s", rule.subscription_id, error)
        index.pause(rule)
        failure = {"status": "failed", "lastFailure": format_time(now)}
        counters = ("timesFailed",)
        write_status(connection, rule.tenant, rule.subscription_id, counters=counters, members=failure)
        return ()


def _concerned(
    rule: Rule, changes: Sequence[Happened], now: datetime, lookup: Lookup
) -> Iterator[dict[str, Any]]:
    deadline, busy = time.perf_counter() + MATCH_SECONDS, time.thread_time() + MATCH_SECONDS
    for change in changes:
        # The time of this thread's own work is what counts, but it is dearer to ask for.
        if time.perf_counter() > deadline and time.thread_time() > busy:
            raise TooComplexQuery("its query takes too long", cure="Narrow it by type, or simplify q")
        if rule.concerns(change, now, lookup):
            yield notified(change, rule, now)


def _parts(entities: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(entities), ENTITIES_A_NOTIFICATION):
        yield list(entities[start : start + ENTITIES_A_NOTIFICATION])
