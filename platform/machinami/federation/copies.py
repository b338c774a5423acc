"""Which sources get a copy of a subscription, and what it says (clause 5.8.1.4)."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from machinami.federation.discovery import meets
from machinami.federation.exchange import JSON, Dialect
from machinami.federation.matching import Wanted, is_meant, matching_information
from machinami.federation.reading import narrow
from machinami.federation.registration import EntityInfo, Information, Mode, Registration
from machinami.linkage.rules import Rule, expanding
from machinami.linkage.showing import show_subscription
from machinami.linkage.types import format_types
from machinami.ngsild.context import Context
from machinami.ngsild.q import parse_q
from machinami.ngsild.terms import NGSI_NULL
from machinami.store.queries import EntitySelector
from machinami.store.queries_subscription import StoredSubscription

CREATE, UPDATE, DELETE = "createSubscription", "updateSubscription", "deleteSubscription"

_FILTERS = ("q", "geoQ", "scopeQ", "expandValues", "jsonKeys")
_OUR_OWN = frozenset({
    "csf", "id", "jsonldContext", "lang", "ngsildConformance", "notification", "status", "throttling",
})  # fmt: skip
"""Members that are for this broker: how its subscriber is told, and which sources take part."""
_ANY = EntityInfo()
_EVERYTHING = EntitySelector()


def matching(
    stored: StoredSubscription, rule: Rule, registrations: Iterable[Registration]
) -> Iterator[tuple[Registration, list[Information]]]:
    """Sources that are to have a copy, and what of their registration the subscription concerns.

    Auxiliary ones have none: they count only for what nobody else has. One that the subscription came from,
    or that is behind it, has it already.

    Raises:
        TooComplexQuery: a pattern takes too long.
    """
    document = stored.document
    if document.get("localOnly") or not rule.is_active(datetime.now(UTC)):
        return
    csf = parse_q(document["csf"], expanding(document["csfTerms"])) if "csf" in document else None
    wanted = Wanted(
        selectors=rule.selectors,
        attributes=rule.watched,
        datasets=frozenset(document.get("datasetId", ())),
    )
    for each in registrations:
        if each.intervals or each.mode is Mode.AUXILIARY or CREATE not in each.operations:
            continue
        if each.alias in document.get("via", ()) or not meets(csf, each):
            continue
        if found := matching_information(each, wanted):
            yield each, found


def reduced(
    stored: StoredSubscription,
    rule: Rule,
    dialect: Dialect,
    found: list[Information],
    *,
    endpoint: str,
    split: bool,
) -> dict[str, Any]:
    """A subscription as a source gets it: only what it is registered for.

    Args:
        found: what of the registration the subscription concerns.
        endpoint: where the source is to send notifications.
        split: an entity may be spread over several places, so that filters are for this broker.
    """
    shown = show_subscription(stored, dialect.context)
    # Filters are written in the subscriber's words, which a source with a @context of its own does not know.
    left = _OUR_OWN if dialect.is_own and not split else _OUR_OWN.union(_FILTERS)
    copy = {name: value for name, value in shown.items() if name not in left}
    copy |= _entities(rule, found, dialect.context)
    if rule.interval is None and (names := _watched(rule, found)):
        copy["watchedAttributes"] = dialect.terms(sorted(names))
    notification: dict[str, Any] = {"endpoint": {"uri": endpoint, "accept": JSON}}
    if rule.sys_attrs:
        notification["sysAttrs"] = True
    return {**copy, "notification": notification}


def difference(sent: Mapping[str, Any], copy: Mapping[str, Any]) -> dict[str, Any]:
    """The fragment that makes one copy of another (clause 5.8.2)."""
    changed = {name: value for name, value in copy.items() if sent.get(name) != value}
    return {**changed, **dict.fromkeys(sent.keys() - copy.keys(), NGSI_NULL)}


def _entities(rule: Rule, found: list[Information], context: Context) -> dict[str, Any]:
    """The selectors of the copy; those of watched attributes alone need none."""
    selectors = [
        narrow(selector, info)
        for item in found
        for info in item.entities or (_ANY,)
        for selector in rule.selectors or (_EVERYTHING,)
        if is_meant(info, selector)
    ]
    if not selectors or _EVERYTHING in selectors:
        return {}
    shown = [_selector(each, context) for each in selectors]
    return {"entities": [each for place, each in enumerate(shown) if each not in shown[:place]]}


def _selector(selector: EntitySelector, context: Context) -> dict[str, Any]:
    shown: dict[str, Any] = {"type": format_types(selector.types, context.compact) if selector.types else "*"}
    if selector.ids:
        shown["id"] = selector.ids[0] if len(selector.ids) == 1 else list(selector.ids)
    elif selector.id_pattern:
        shown["idPattern"] = selector.id_pattern
    return shown


def _watched(rule: Rule, found: list[Information]) -> frozenset[str]:
    """Attributes whose changes count; none means all."""
    if not all(item.attributes for item in found):
        return rule.watched
    registered = frozenset[str]().union(*(item.attributes for item in found))
    return registered & rule.watched if rule.watched else registered
