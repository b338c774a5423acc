"""A notification as its receiver gets it (clauses 5.3.1 and 6.3.8)."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson

from machinami.linkage.outbox import Notification, Queue, entity_of_document
from machinami.model import DEFAULT_TENANT, format_time
from machinami.ngsild.context import CORE_URL, Context
from machinami.ngsild.render import Representation, render_collection, render_entity, render_feature

_JSON, _JSON_LD, _GEO_JSON = "application/json", "application/ld+json", "application/geo+json"
_REPRESENTATIONS = {
    "normalized": Representation.NORMALIZED,
    "concise": Representation.CONCISE,
    "simplified": Representation.SIMPLIFIED,
    "keyValues": Representation.SIMPLIFIED,
}


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """What is posted, and where."""

    url: str
    headers: dict[str, str]
    body: bytes
    timeout: float | None


def compose(
    queue: Queue, notification: Notification, context: Context, link: Callable[[Context], str]
) -> Post:
    """The request for one notification. Its id stays the same when it is sent again, so that doubles show.

    Args:
        context: @context of the subscription.
        link: gives an address for it, where it has to go into a Link header.
    """
    parameters = queue.subscription.document["notification"]
    endpoint = parameters["endpoint"]
    accept = endpoint.get("accept", _JSON)
    headers = {pair["key"]: pair["value"] for pair in endpoint.get("receiverInfo", ())}
    if queue.tenant_name != DEFAULT_TENANT:
        headers["NGSILD-Tenant"] = queue.tenant_name
    body: dict[str, Any] = {
        "id": f"urn:ngsi-ld:Notification:{notification.id}",
        "type": "Notification",
        "subscriptionId": queue.subscription.id,
        "notifiedAt": format_time(datetime.now(UTC)),
        "data": _data(notification, parameters, context, accept),
    }
    if accept == _JSON or headers.get("Prefer") == "body=json":
        headers["Link"] = f'<{link(context)}>; rel="http://www.w3.org/ns/json-ld#context"; type="{_JSON_LD}"'
    else:
        body = {"@context": _member(context), **body}
    timeout = endpoint.get("timeout")
    return Post(
        url=endpoint["uri"],
        headers={**headers, "Content-Type": accept},
        body=orjson.dumps(body),
        timeout=timeout / 1000 if timeout else None,
    )


def _data(notification: Notification, parameters: dict[str, Any], context: Context, accept: str) -> Any:
    representation = _REPRESENTATIONS[parameters.get("format", "normalized")]
    sys_attrs = parameters.get("sysAttrs", False)
    rendered: list[dict[str, Any]] = []
    for document in notification.entities:
        entity = entity_of_document(document)
        if accept == _GEO_JSON:
            rendered.append(render_feature(entity, context, "location", representation, sys_attrs=sys_attrs))
            continue
        shown = render_entity(entity, context, representation, sys_attrs=sys_attrs)
        rendered.append({**shown, "deletedAt": document["deletedAt"]} if "deletedAt" in document else shown)
    return render_collection(rendered) if accept == _GEO_JSON else rendered


def _member(context: Context) -> Any:
    source = context.source
    if source == CORE_URL:
        return CORE_URL
    listed: list[Any] = [*source] if isinstance(source, list) else [source]
    return listed if CORE_URL in listed else [*listed, CORE_URL]
