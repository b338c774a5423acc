"""What subscribers to context source registrations are told, and when (clauses 5.11.2, 5.11.3 and 5.11.7).

Registrations change rarely: what a change means to the subscriptions of its tenant is worked out from the
database, in the transaction that makes it, so that no change is untold and none is told that did not happen.
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine

from machinami.errors import MachinamiError
from machinami.federation.discovery import SourceSelection, narrowed, selects
from machinami.federation.matching import Wanted
from machinami.linkage.periodic import Periodic
from machinami.linkage.rules import Rule, compile_rule, expanding
from machinami.ngsild.projection import ENTITY_MEMBERS
from machinami.ngsild.q import parse_q
from machinami.ngsild.temporal import parse_temporal
from machinami.store.queries_outbox import insert_notifications
from machinami.store.queries_registration import StoredRegistration, fetch_registrations, lock_registrations
from machinami.store.queries_subscription import (
    StoredSubscription,
    Watched,
    fetch_all_subscriptions,
    fetch_subscription,
)
from machinami.store.reading import reading

log = logging.getLogger(__name__)

REGISTRATIONS_A_NOTIFICATION = 100
"""Registrations that one notification tells at most; the others come in further ones."""


class Trigger(StrEnum):
    """TriggerReasonEnumeration (clause 5.3.3)."""

    NEWLY_MATCHING = "newlyMatching"
    UPDATED = "updated"
    NO_LONGER_MATCHING = "noLongerMatching"


_TRIGGERS = {
    (False, True): Trigger.NEWLY_MATCHING,
    (True, True): Trigger.UPDATED,
    (True, False): Trigger.NO_LONGER_MATCHING,
}
"""Whether it matched before, and does so now."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One registration of a notification, as the outbox keeps it."""

    trigger: Trigger
    registration: StoredRegistration


def tell_change(
    connection: Connection, before: StoredRegistration | None, after: StoredRegistration | None
) -> None:
    """Put what this change of a registration means to subscribers into the outbox.

    Args:
        before: None where it is new.
        after: None where it is gone.
    """
    either = after or before
    if either is None:
        return
    rows = [
        _row(stored, [notice])
        for stored in fetch_all_subscriptions(connection, Watched.SOURCES, either.tenant)
        if (rule := _active(stored)) and rule.interval is None
        for notice in _noticed(stored, rule, before, after)
    ]
    if rows:
        insert_notifications(connection, rows)


def tell_all(connection: Connection, stored: StoredSubscription) -> None:
    """Tell a new or changed subscription all registrations that match (clauses 5.11.2.4 and 5.11.3.4)."""
    rule = _active(stored)
    if rule is None:
        return
    lock_registrations(connection)  # none may be written beside this: it would be told by neither
    rows = [_row(stored, told) for told in _all(connection, stored, rule)]
    if rows:
        insert_notifications(connection, rows)


def periodic(engine: Engine) -> Periodic:
    """Subscriptions that are told all registrations that match, at intervals."""
    return Periodic(engine, Watched.SOURCES, _find)


def read_notice(document: dict[str, Any]) -> Notice:
    """A notice as it was put into the outbox."""
    return msgspec.convert(document, Notice)


def source_selection(stored: StoredSubscription, rule: Rule) -> SourceSelection:
    """Which registrations a subscription is about (clause 5.11.2.4)."""
    document = stored.document
    return SourceSelection(
        wanted=Wanted(
            selectors=rule.selectors,
            attributes=_attributes(rule, document["notification"]),
            datasets=frozenset(document.get("datasetId", ())),
        ),
        geo=rule.geo,
        scopes=rule.scopes,
        temporal=_temporal(document.get("temporalQ")),
        csf=parse_q(document["csf"], expanding(document["csfTerms"])) if "csf" in document else None,
    )


def _temporal(given: dict[str, str] | None) -> Any:
    if given is None:
        return None
    return parse_temporal(*(given.get(name) for name in ("timerel", "timeAt", "endTimeAt", "timeproperty")))


def _attributes(rule: Rule, notification: dict[str, Any]) -> frozenset[str]:
    """Those watched and those told. Where either is open sources of any attribute are meant."""
    told = rule.attributes or notification.get("pick", {}).keys() - ENTITY_MEMBERS
    return rule.watched.union(told) if rule.watched and told else frozenset()


def _active(stored: StoredSubscription) -> Rule | None:
    if not stored.document.get("isActive", True):
        return None
    try:
        rule = compile_rule(stored)
    except MachinamiError as error:  # written by another version; the others are told all the same
        log.error("subscription %s is passed over: %s", stored.id, error)
        return None
    return rule if rule.is_active(datetime.now(UTC)) else None


def _noticed(
    stored: StoredSubscription,
    rule: Rule,
    before: StoredRegistration | None,
    after: StoredRegistration | None,
) -> Iterator[Notice]:
    try:
        selection = source_selection(stored, rule)
        matched = before is not None and selects(selection, before)
        matches = after is not None and selects(selection, after)
        trigger, told = _TRIGGERS.get((matched, matches)), after or before
        if trigger and told:
            yield Notice(trigger=trigger, registration=narrowed(selection, told))
    except MachinamiError as error:  # such as a pattern that takes too long: registering goes on
        log.warning("subscription %s is not told of a registration: %s", stored.id, error)


def _all(connection: Connection, stored: StoredSubscription, rule: Rule) -> list[list[Notice]]:
    """All registrations that match, by notification.

    There is one at intervals even if nothing matches, none otherwise (clause 5.11.7).
    """
    selection = source_selection(stored, rule)
    found = [
        Notice(trigger=Trigger.NEWLY_MATCHING, registration=narrowed(selection, each))
        for each in fetch_registrations(connection, stored.tenant)
        if selects(selection, each)
    ]
    most = REGISTRATIONS_A_NOTIFICATION
    parts = [found[start : start + most] for start in range(0, len(found), most)]
    return parts or ([[]] if rule.interval is not None else [])


def _find(engine: Engine, rule: Rule) -> list[list[dict[str, Any]]]:
    with reading(engine) as connection:
        stored = fetch_subscription(connection, rule.tenant, rule.subscription_id, kind=Watched.SOURCES)
        return [_documents(told) for told in _all(connection, stored, rule)] if stored else []


def _row(stored: StoredSubscription, notices: Sequence[Notice]) -> dict[str, Any]:
    return {"tenant": stored.tenant, "subscription_id": stored.id, "entities": _documents(notices)}


def _documents(notices: Sequence[Notice]) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(notice) for notice in notices]
