"""Subscription documents (clauses 5.2.12 and 5.2.13): as clients write them, as stored, as clients read them.

Stored members have their names expanded, so that they mean the same whatever @context they are read with;
``q`` and ``csf`` stay as they were written, beside the IRIs of the names in them. Subscriptions to context
source registrations are of the same data type (clause 5.11.2).
"""

import re
from collections.abc import Mapping
from typing import Any

from machinami.api.members import (
    Reader,
    Readers,
    datasets,
    flag,
    future,
    names,
    number,
    parsed,
    record,
    text,
    words,
    wrong,
)
from machinami.api.negotiation import GEO_JSON, JSON, JSON_LD
from machinami.api.notification_parameters import read_notification
from machinami.api.selections import read_geo_document, read_selectors
from machinami.api.shapes import as_object, is_texts
from machinami.errors import BadRequestData
from machinami.linkage.rules import MAX_LINKS, TRIGGERS
from machinami.linkage.subscribing import Watched
from machinami.linkage.types import parse_scopes
from machinami.ngsild.conformance import parse_version
from machinami.ngsild.context import Context
from machinami.ngsild.geo import parse_geo
from machinami.ngsild.languages import parse_languages
from machinami.ngsild.patterns import check_pattern
from machinami.ngsild.q import parse_q
from machinami.ngsild.temporal import parse_temporal

_NAME = re.compile(r"(?=\b([^\W\d_]\w*(?::[^\W\d_]\w*)?))")
_TEMPORAL = ("timerel", "timeAt", "endTimeAt", "timeproperty")
_READ_ONLY = frozenset({"status", "createdAt", "modifiedAt", "type", "id"})
_IGNORED = {Watched.ENTITIES: _READ_ONLY, Watched.SOURCES: _READ_ONLY | {"notificationTrigger"}}
"""Members passed over: notificationTrigger is not for subscriptions to registrations (clause 5.2.12)."""


def read_subscription(
    document: Mapping[str, Any], context: Context, kind: Watched = Watched.ENTITIES
) -> dict[str, Any]:
    """A whole Subscription as it is stored.

    Raises:
        BadRequestData: it breaks clause 5.2.12.
    """
    if document.get("type") != "Subscription":
        raise wrong("type", document.get("type"), "is not Subscription", 'Add "type": "Subscription"')
    return checked(read_members(document, context, kind), kind)


def read_members(
    document: Mapping[str, Any], context: Context, kind: Watched = Watched.ENTITIES
) -> dict[str, Any]:
    """Some members of a Subscription as they are stored."""
    if document.get("type", "Subscription") != "Subscription":
        raise wrong("type", document["type"], "is not Subscription", 'Write "type": "Subscription"')
    if document.keys() <= (ignored := _IGNORED[kind]):
        return {}
    return {**record("subscription", MEMBERS[kind], ignored=ignored)(document, context)["subscription"]}


def checked(stored: dict[str, Any], kind: Watched = Watched.ENTITIES) -> dict[str, Any]:
    """The stored form of a whole Subscription, if its members go together."""
    if "notification" not in stored:
        raise wrong("notification", None, "is missing", "Say where to send notifications")
    accept = stored["notification"]["endpoint"].get("accept")
    if kind is Watched.SOURCES and accept == GEO_JSON:
        raise wrong("accept", accept, "is not for registrations", f"Write {JSON} or {JSON_LD}")
    is_periodic, is_local = "timeInterval" in stored, stored.get("localOnly", False)
    for name in ("watchedAttributes", "throttling") if is_periodic else ():
        if name in stored:
            raise wrong(name, stored[name], "does not go with timeInterval", "Give one of the two")
    needed = {"entities"} if is_periodic else {"entities", "watchedAttributes"}
    if not (is_local or needed & stored.keys()):
        raise wrong("entities", None, "is missing, and watchedAttributes too", "Give one of the two")
    return stored


def _entities(value: Any, context: Context) -> Mapping[str, Any]:
    selectors = read_selectors(value, context)
    for selector in selectors:
        if selector.id_pattern:
            check_pattern(selector.id_pattern, "idPattern")
    return {
        "entities": [
            {"types": selector.types, "ids": selector.ids, "id_pattern": selector.id_pattern}
            for selector in selectors
        ]
    }


def _query(name: str, terms: str, links: int = 0) -> Reader:
    """A query, and under another name what its names stand for.

    ``csf`` of a subscription to entities is for those who distribute it (clause 4.9): what is stored here has
    no registration as its origin, so it filters nothing of it.
    """

    def read(value: Any, context: Context) -> Mapping[str, Any]:
        if not isinstance(value, str):
            raise wrong(name, value, "is not a text", 'Write such as "temperature>20"')
        parse_q(value, context, depth=links)
        # Every word of it, also the ones inside texts: more than needed does no harm.
        known = {term: iri for term in _NAME.findall(value) if (iri := _known(term, context))}
        return {name: value, terms: known}

    return read


def _known(term: str, context: Context) -> str | None:
    try:
        return context.expand(term)
    except BadRequestData:  # a word inside a text that the @context maps to null
        return None


def _geo(value: Any, context: Context) -> Mapping[str, Any]:
    given = read_geo_document(value)
    geoproperty = context.expand(given.get("geoproperty", "location"))
    query = {**given, "geoproperty": geoproperty}
    parse_geo(query["georel"], query["geometry"], query["coordinates"], geoproperty, context)
    return {"geoQ": query}


def _no_temporal(value: Any, _: Context) -> Mapping[str, Any]:
    """For registration subscriptions only (clause 5.2.12)."""
    cure = "Leave it out, or subscribe at /csourceSubscriptions"
    raise wrong("temporalQ", value, "does not go with a subscription to entities", cure)


def _no_query(value: Any, _: Context) -> Mapping[str, Any]:
    """A query is about values of entities, which registrations do not tell: clause 5.11.2.4 knows of none."""
    raise wrong("q", value, "does not go with a subscription to registrations", "Use csf, or leave it out")


def _temporal(value: Any, _: Context) -> Mapping[str, Any]:
    """A TemporalQuery (clause 5.2.21)."""
    given = as_object(value)
    if not {"timerel"} <= given.keys() <= set(_TEMPORAL) or not is_texts([*given.values()]):
        raise wrong("temporalQ", value, "is not a temporal query", f"Members are {', '.join(_TEMPORAL)}")
    parse_temporal(*(given.get(name) for name in _TEMPORAL))
    return {"temporalQ": given}


_OF_BOTH: Readers = {
    "csf": _query("csf", "csfTerms"),
    "datasetId": datasets("datasetId"),
    "description": text("description"),
    "entities": _entities,
    "expandValues": text("expandValues"),
    "expiresAt": future("expiresAt"),
    "geoQ": _geo,
    "isActive": flag("isActive"),
    "jsonKeys": text("jsonKeys"),
    "jsonldContext": text("jsonldContext"),
    "lang": parsed("lang", parse_languages),
    "localOnly": flag("localOnly"),
    "ngsildConformance": parsed("ngsildConformance", parse_version),
    "notification": read_notification,
    "notificationTrigger": words("notificationTrigger", TRIGGERS),
    "q": _query("q", "terms", MAX_LINKS),
    "scopeQ": parsed("scopeQ", parse_scopes),
    "splitEntities": flag("splitEntities"),
    "subscriptionName": text("subscriptionName"),
    "throttling": number("throttling"),
    "timeInterval": number("timeInterval"),
    "watchedAttributes": names("watchedAttributes"),
}
MEMBERS: Mapping[Watched, Readers] = {
    Watched.ENTITIES: {**_OF_BOTH, "temporalQ": _no_temporal},
    Watched.SOURCES: {**_OF_BOTH, "q": _no_query, "temporalQ": _temporal},
}
"""Members of a Subscription and who reads them (clause 5.2.12)."""
