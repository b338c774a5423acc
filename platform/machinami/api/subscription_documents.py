"""Subscription documents (clauses 5.2.12 to 5.2.15): as clients write them, as stored, as clients read them.

Stored members have their names expanded, so that they mean the same whatever @context they are read with;
``q`` stays as it was written, beside the IRIs of the names in it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from machinami.api.forms import REPRESENTATIONS
from machinami.api.negotiation import GEO_JSON, JSON, JSON_LD
from machinami.api.selections import read_geo_document, read_selectors
from machinami.api.shapes import as_array, as_object, is_texts
from machinami.errors import BadRequestData, NotSupported
from machinami.linkage.subscribing import StoredSubscription
from machinami.linkage.subscriptions import TRIGGERS
from machinami.linkage.types import format_types
from machinami.model import format_time
from machinami.ngsild.context import Context
from machinami.ngsild.geo import parse_geo
from machinami.ngsild.patterns import check_pattern
from machinami.ngsild.q import parse_q
from machinami.ngsild.times import clean_time, parse_time

Reader = Callable[[Any, Context], Mapping[str, Any]]
"""A member's value → members as they are stored."""

_NAME = re.compile(r"[^\W\d_]\w*(?::[^\W\d_]\w*)?")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,200}")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]{0,4000}")
_SCHEMES = ("http", "https")
_READ_ONLY = frozenset({"status", "createdAt", "modifiedAt", "type", "id"})
_COUNTED = frozenset({"lastFailure", "lastNotification", "lastSuccess", "timesFailed", "timesSent", "status"})
PENDING = frozenset({
    "scopeQ", "temporalQ", "csf", "datasetId", "expandValues", "jsonKeys", "lang", "ngsildConformance",
    "splitEntities", "throttling", "timeInterval", "pick", "omit", "join", "joinLevel", "showChanges",
    "cooldown", "notifierInfo",
})  # fmt: skip
"""Members that are answered by 501."""


def read_subscription(document: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """A whole Subscription as it is stored.

    Raises:
        BadRequestData: it breaks clause 5.2.12.
        NotSupported: a member that is not implemented yet.
    """
    if document.get("type") != "Subscription":
        raise _wrong("type", document.get("type"), "is not Subscription", 'Add "type": "Subscription"')
    return checked(read_members(document, context))


def read_members(document: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Some members of a Subscription as they are stored."""
    stored: dict[str, Any] = {}
    for name, value in document.items():
        if name not in _READ_ONLY:
            stored.update(_reader(_MEMBERS, name)(value, context))
    return stored


def checked(stored: dict[str, Any]) -> dict[str, Any]:
    """The stored form of a whole Subscription, if its members go together."""
    if "notification" not in stored:
        raise _wrong("notification", None, "is missing", "Say where to send notifications")
    if not ({"entities", "watchedAttributes"} & stored.keys() or stored.get("localOnly")):
        raise _wrong("entities", None, "is missing, and watchedAttributes too", "Give one of the two")
    return stored


def show_subscription(
    stored: StoredSubscription, context: Context, *, sys_attrs: bool = False
) -> dict[str, Any]:
    """A Subscription as a client reads it."""
    document = {**stored.document}
    shown: dict[str, Any] = {"id": stored.id, "type": "Subscription"}
    document.pop("terms", None)
    if "entities" in document:
        document["entities"] = [_show_selector(item, context) for item in document["entities"]]
    if "watchedAttributes" in document:
        document["watchedAttributes"] = [context.compact(name) for name in document["watchedAttributes"]]
    if "geoQ" in document:
        geoproperty = context.compact(document["geoQ"]["geoproperty"])
        document["geoQ"] = {**document["geoQ"], "geoproperty": geoproperty}
    notification = {**document["notification"], **stored.status}
    if "attributes" in notification:
        notification["attributes"] = [context.compact(name) for name in notification["attributes"]]
    shown |= {**document, "notification": notification, "status": _status(document)}
    if sys_attrs:
        shown |= {"createdAt": format_time(stored.created_at), "modifiedAt": format_time(stored.modified_at)}
    return shown


def _status(document: Mapping[str, Any]) -> str:
    if "expiresAt" in document and parse_time(document["expiresAt"]) <= datetime.now(UTC):
        return "expired"
    return "active" if document.get("isActive", True) else "paused"


def _show_selector(item: Mapping[str, Any], context: Context) -> dict[str, Any]:
    shown: dict[str, Any] = {"type": format_types(item["types"], context.compact)}
    if item["ids"]:
        shown["id"] = item["ids"][0] if len(item["ids"]) == 1 else item["ids"]
    return {**shown, "idPattern": item["id_pattern"]} if item["id_pattern"] else shown


def _reader(readers: Mapping[str, Reader], name: str) -> Reader:
    if name in readers:
        return readers[name]
    if name in PENDING:
        raise NotSupported(
            f"{name} of a subscription is not implemented yet", field=name, cure=f"Leave out {name}"
        )
    raise _wrong(name, None, "is no member of a subscription", "See ETSI GS CIM 009 clause 5.2.12")


def _text(name: str) -> Reader:
    def read(value: Any, _: Context) -> Mapping[str, Any]:
        if not isinstance(value, str) or not value:
            raise _wrong(name, value, "is not a text", "Write a string")
        return {name: value}

    return read


def _flag(name: str) -> Reader:
    def read(value: Any, _: Context) -> Mapping[str, Any]:
        if not isinstance(value, bool):
            raise _wrong(name, value, "is not a boolean", "Write true or false")
        return {name: value}

    return read


def _word(name: str, known: Iterable[str]) -> Reader:
    words = tuple(known)

    def read(value: Any, _: Context) -> Mapping[str, Any]:
        if value not in words:
            raise _wrong(name, value, "is none of those known", f"One of {', '.join(words)}")
        return {name: value}

    return read


def _names(name: str) -> Reader:
    def read(value: Any, context: Context) -> Mapping[str, Any]:
        if not is_texts(value):
            raise _wrong(name, value, "is not a list of names", "Write a JSON array of attribute names")
        return {name: [context.expand(term) for term in value]}

    return read


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


def _q(value: Any, context: Context) -> Mapping[str, Any]:
    if not isinstance(value, str):
        raise _wrong("q", value, "is not a text", 'Write such as "temperature>20"')
    parse_q(value, context)
    # Every word of it, also the ones inside texts: more than needed does no harm.
    return {
        "q": value,
        "terms": {term: iri for term in _NAME.findall(value) if (iri := _known(term, context))},
    }


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


def _triggers(value: Any, _: Context) -> Mapping[str, Any]:
    if not is_texts(value) or not set(value) <= TRIGGERS.keys():
        raise _wrong("notificationTrigger", value, "has an unknown trigger", f"Of {', '.join(TRIGGERS)}")
    return {"notificationTrigger": value}


def _expiry(value: Any, _: Context) -> Mapping[str, Any]:
    if parse_time(value, "expiresAt") <= datetime.now(UTC):
        raise _wrong("expiresAt", value, "is past", "Write a moment to come, or leave it out")
    return {"expiresAt": clean_time(value, "expiresAt")}


def _notification(value: Any, context: Context) -> Mapping[str, Any]:
    return {"notification": _object("notification", value, context, _NOTIFICATION, ("endpoint",), _COUNTED)}


def _endpoint(value: Any, context: Context) -> Mapping[str, Any]:
    return {"endpoint": _object("endpoint", value, context, _ENDPOINT, ("uri",))}


def _object(
    field: str,
    value: Any,
    context: Context,
    readers: Mapping[str, Reader],
    needed: Iterable[str],
    ignored: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    given = as_object(value)
    stored: dict[str, Any] = {}
    for name, each in given.items():
        if name not in ignored:
            stored.update(_reader(readers, name)(each, context))
    for name in needed:
        if name not in stored:
            raise _wrong(f"{field}.{name}", None, "is missing", f"Give {name}")
    return stored


def _uri(value: Any, _: Context) -> Mapping[str, Any]:
    scheme = urlsplit(value).scheme if isinstance(value, str) else ""
    if scheme in ("mqtt", "mqtts"):
        raise NotSupported("MQTT endpoints (clause 7) are not implemented yet", field="uri", value=value)
    if scheme not in _SCHEMES or not urlsplit(value).hostname:
        raise _wrong("uri", value, "is not an http(s) address", "Write such as http://127.0.0.1:3000/notify")
    return {"uri": value}


def _receiver_info(value: Any, _: Context) -> Mapping[str, Any]:
    pairs = as_array(value)
    headers = [as_object(pair) for pair in pairs]
    if not pairs or not all(set(pair) == {"key", "value"} and _is_header(**pair) for pair in headers):
        raise _wrong("receiverInfo", value, "is not a list of headers", 'Write [{"key": "…", "value": "…"}]')
    return {"receiverInfo": headers}


def _is_header(key: Any, value: Any) -> bool:
    is_key = isinstance(key, str) and _HEADER_NAME.fullmatch(key) is not None
    return is_key and isinstance(value, str) and _HEADER_VALUE.fullmatch(value) is not None


def _milliseconds(value: Any, _: Context) -> Mapping[str, Any]:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 60_000:
        raise _wrong("timeout", value, "is not a time", "Milliseconds, up to 60000")
    return {"timeout": value}


def _wrong(field: str, value: Any, problem: str, cure: str) -> BadRequestData:
    return BadRequestData(f"{field} {problem}", field=field, value=value, cure=cure)


_MEMBERS: Mapping[str, Reader] = {
    "description": _text("description"),
    "entities": _entities,
    "expiresAt": _expiry,
    "geoQ": _geo,
    "isActive": _flag("isActive"),
    "jsonldContext": _text("jsonldContext"),
    "localOnly": _flag("localOnly"),
    "notification": _notification,
    "notificationTrigger": _triggers,
    "q": _q,
    "subscriptionName": _text("subscriptionName"),
    "watchedAttributes": _names("watchedAttributes"),
}
_NOTIFICATION: Mapping[str, Reader] = {
    "attributes": _names("attributes"),
    "endpoint": _endpoint,
    "format": _word("format", REPRESENTATIONS),
    "sysAttrs": _flag("sysAttrs"),
}
_ENDPOINT: Mapping[str, Reader] = {
    "accept": _word("accept", (JSON, JSON_LD, GEO_JSON)),
    "receiverInfo": _receiver_info,
    "timeout": _milliseconds,
    "uri": _uri,
}
