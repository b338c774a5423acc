"""A subscription as clients, and sources that get a copy of it, read it (clauses 5.2.12 and 5.2.14)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from machinami.linkage.rules import DEFAULT_TRIGGERS
from machinami.linkage.types import format_types
from machinami.model import format_time
from machinami.ngsild.context import Context
from machinami.ngsild.projection import ENTITY_MEMBERS, Projection
from machinami.ngsild.times import parse_time
from machinami.store.queries_subscription import StoredSubscription, Watched


def show_subscription(
    stored: StoredSubscription, context: Context, *, sys_attrs: bool = False
) -> dict[str, Any]:
    """A Subscription as a client reads it."""
    document = {**stored.document}
    shown: dict[str, Any] = {"id": stored.id, "type": "Subscription"}
    for name in ("terms", "csfTerms", "via"):
        document.pop(name, None)
    if "entities" in document:
        document["entities"] = [_show_selector(item, context) for item in document["entities"]]
    if "watchedAttributes" in document:
        document["watchedAttributes"] = [context.compact(name) for name in document["watchedAttributes"]]
    if "geoQ" in document:
        geoproperty = context.compact(document["geoQ"]["geoproperty"])
        document["geoQ"] = {**document["geoQ"], "geoproperty": geoproperty}
    notification = {**show_notification(document["notification"], context), **stored.status}
    if stored.kind is Watched.ENTITIES:
        document.setdefault("notificationTrigger", sorted(DEFAULT_TRIGGERS))
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


def show_notification(stored: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """NotificationParams as a client reads them."""
    shown = {**stored}
    if "attributes" in shown:
        shown["attributes"] = [context.compact(name) for name in shown["attributes"]]
    for name in ("pick", "omit"):
        if name in shown:
            shown[name] = _show_projection(shown[name], context)
    return shown


def _show_projection(members: Projection, context: Context) -> list[str]:
    shown: list[str] = []
    for iri, inner in members.items():
        name = iri if iri in ENTITY_MEMBERS else context.compact(iri)
        shown.append(f"{name}{{{','.join(_show_projection(inner, context))}}}" if inner else name)
    return shown
