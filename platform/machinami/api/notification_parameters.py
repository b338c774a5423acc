"""NotificationParams and Endpoint (clauses 5.2.14 and 5.2.15): how, and where, a notification is wanted.

Used for subscriptions to context source registrations too.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from machinami.api.forms import REPRESENTATIONS
from machinami.api.members import (
    Reader,
    flag,
    header_pairs,
    names,
    number,
    pairs,
    record,
    word,
    wrong,
)
from machinami.api.negotiation import GEO_JSON, JSON, JSON_LD
from machinami.api.shapes import as_array, as_object, is_texts
from machinami.ngsild.context import Context
from machinami.ngsild.projection import ENTITY_MEMBERS, Projection, parse_projection
from machinami.ngsild.render import Representation

_SCHEMES = ("http", "https", "mqtt", "mqtts")
_COUNTED = frozenset({"lastFailure", "lastNotification", "lastSuccess", "timesFailed", "timesSent", "status"})
_DEEPEST = 10
_NOTIFIER = {"MQTT-Version": ("mqtt3.1.1", "mqtt5.0"), "MQTT-QoS": ("0", "1", "2")}
_LONGEST = 60_000  # milliseconds


def read_notification(value: Any, context: Context) -> Mapping[str, Any]:
    """NotificationParams as they are stored.

    Raises:
        BadRequestData: they break clause 5.2.14.
    """
    stored = _NOTIFICATION(value, context)["notification"]
    simplified = REPRESENTATIONS[stored.get("format", "normalized")] is Representation.SIMPLIFIED
    if stored.get("showChanges") and simplified:
        raise wrong("showChanges", True, "does not go with simplified values", "Ask for another format")
    if "attributes" in stored and "pick" in stored:
        raise wrong("attributes", None, "is pick by another name", "Give one of the two")
    picked = set(stored.get("pick", stored.get("attributes", ())))
    for name in picked & stored.get("omit", {}).keys():
        if not stored["omit"][name]:
            raise wrong("omit", name, "is picked too", "Give it in one of the two")
    if not ENTITY_MEMBERS.isdisjoint(as_array(as_object(value).get("attributes"))):
        raise wrong("attributes", None, "has id, type or scope, which are none", "Use pick")
    return {"notification": stored}


def _projection(name: str) -> Reader:
    def read(value: Any, context: Context) -> Mapping[str, Any]:
        if not is_texts(value):
            raise wrong(name, value, "is not a list of members", "Write a JSON array of member names")
        members: Projection = {}
        for each in value:
            members |= parse_projection(each, name, context)
        return {name: members}

    return read


def _uri(value: Any, _: Context) -> Mapping[str, Any]:
    if not isinstance(value, str) or not _is_address(value):
        raise wrong("uri", value, "is not an address", "Write such as http://127.0.0.1:3000/notify")
    scheme = urlsplit(value).scheme
    if scheme not in _SCHEMES:
        raise wrong("uri", value, "is of no way known", f"One of {', '.join(_SCHEMES)}")
    if scheme.startswith("mqtt") and not urlsplit(value).path.strip("/"):
        raise wrong("uri", value, "has no topic", "Write such as mqtt://127.0.0.1:1883/city/notifications")
    return {"uri": value}


def _is_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return bool(parts.scheme and parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # a port, or an IPv6 address, that is none
        return False


def _is_known(key: str, value: str) -> bool:
    return key not in _NOTIFIER or value in _NOTIFIER[key]


_ENDPOINT: Mapping[str, Reader] = {
    "accept": word("accept", (JSON, JSON_LD, GEO_JSON)),
    "cooldown": number("cooldown"),
    "notifierInfo": pairs("notifierInfo", _is_known),
    "receiverInfo": header_pairs("receiverInfo"),
    "timeout": number("timeout", most=_LONGEST),
    "uri": _uri,
}
_PARAMETERS: Mapping[str, Reader] = {
    "attributes": names("attributes"),
    "endpoint": record("endpoint", _ENDPOINT, needed=("uri",)),
    "format": word("format", REPRESENTATIONS),
    "join": word("join", ("flat", "inline", "@none")),
    "joinLevel": number("joinLevel", most=_DEEPEST, whole=True),
    "omit": _projection("omit"),
    "pick": _projection("pick"),
    "showChanges": flag("showChanges"),
    "sysAttrs": flag("sysAttrs"),
}
_NOTIFICATION = record("notification", _PARAMETERS, needed=("endpoint",), ignored=_COUNTED)
