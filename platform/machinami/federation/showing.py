"""A registration as clients and subscribers read it (clause 5.2.9)."""

from collections.abc import Mapping
from typing import Any

from machinami.model import format_time
from machinami.ngsild.context import Context
from machinami.store.queries_registration import StoredRegistration

TYPE = "ContextSourceRegistration"
NAMES = ("propertyNames", "relationshipNames")
"""Members of a RegistrationInfo that list attributes (clause 5.2.10)."""


def show_registration(
    stored: StoredRegistration, context: Context, *, sys_attrs: bool = False, listed: bool = False
) -> dict[str, Any]:
    """A registration as JSON.

    Args:
        listed: an entity type that stands alone is in a list too.
    """
    document = {**stored.document}
    own: Mapping[str, Any] = document.pop("properties", {})
    document["information"] = [_information(item, context, listed) for item in document["information"]]
    if "scope" in document:
        document["scope"] = document["scope"][0] if len(document["scope"]) == 1 else document["scope"]
    shown = {"id": stored.id, "type": TYPE, **document, **stored.status}
    shown |= {context.compact(name): value for name, value in own.items()}
    if sys_attrs:
        shown |= {"createdAt": format_time(stored.created_at), "modifiedAt": format_time(stored.modified_at)}
    return shown


def _information(item: Mapping[str, Any], context: Context, listed: bool) -> dict[str, Any]:
    shown = {name: [context.compact(iri) for iri in item[name]] for name in NAMES if name in item}
    if "entities" not in item:
        return shown
    return {"entities": [_entity(info, context, listed) for info in item["entities"]], **shown}


def _entity(info: Mapping[str, Any], context: Context, listed: bool) -> dict[str, Any]:
    types = [context.compact(iri) for iri in info.get("type", ())]
    if not types:
        return {**info}
    return {**info, "type": types if listed or len(types) > 1 else types[0]}
