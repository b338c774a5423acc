"""A notification as its receiver gets it (clauses 5.3.1, 5.3.2, 6.3.8 and 7.2)."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from machinami.federation.notices import Trigger, read_notice
from machinami.federation.showing import show_registration
from machinami.linkage.outbox import (
    Notification,
    Queue,
    StoredSubscription,
    Watched,
    entity_of_document,
)
from machinami.linkage.snapshots import read_home
from machinami.model import DEFAULT_TENANT, format_time
from machinami.ngsild.conformance import parse_version
from machinami.ngsild.context import Context
from machinami.ngsild.linked import JOINS, Join, Load, joined
from machinami.ngsild.render import Representation, render_collection
from machinami.notify.shape import Shape

_JSON, _JSON_LD, _GEO_JSON = "application/json", "application/ld+json", "application/geo+json"
_REPRESENTATIONS = {
    "normalized": Representation.NORMALIZED,
    "concise": Representation.CONCISE,
    "simplified": Representation.SIMPLIFIED,
    "keyValues": Representation.SIMPLIFIED,
}


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent, and where.

    Attributes:
        notifier: what the notifier is to know about the channel (notifierInfo).
        timeout: seconds; None where the subscription does not say.
    """

    url: str
    headers: dict[str, str]
    body: dict[str, Any]
    notifier: Mapping[str, str]
    timeout: float | None


def compose(
    queue: Queue,
    notification: Notification,
    context: Context,
    *,
    link: Callable[[Context], str],
    load: Load,
) -> Post:
    """The request for one notification.

    Args:
        context: @context of the subscription.
        link: gives an address for it, where it has to go into a Link header.
        load: gives linked entities.
    """
    if queue.subscription.kind is Watched.SOURCES:
        members = _of_sources(queue.subscription, notification, context)
    else:
        data = _data(queue.subscription, notification, context, load)
        members = {"type": "Notification", "data": data}
    return _envelope(queue, notification, context, link, members)


def _envelope(
    queue: Queue,
    notification: Notification,
    context: Context,
    link: Callable[[Context], str],
    members: Mapping[str, Any],
) -> Post:
    """The request around what is told. Its id stays the same when it is sent again, so that doubles show."""
    endpoint = queue.subscription.document["notification"]["endpoint"]
    accept = endpoint.get("accept", _JSON)
    headers = {pair["key"]: pair["value"] for pair in endpoint.get("receiverInfo", ())}
    home = read_home(queue.tenant_name)
    if home:
        headers["NGSILD-Snapshot"] = home.snapshot_id  # clause 6.3.22
    tenant = home.tenant if home else queue.tenant_name
    if tenant != DEFAULT_TENANT:
        headers["NGSILD-Tenant"] = tenant
    body: dict[str, Any] = {
        "id": f"urn:ngsi-ld:Notification:{notification.id}",
        "subscriptionId": queue.subscription.id,
        "notifiedAt": format_time(datetime.now(UTC)),
        **members,
    }
    if accept == _JSON or headers.get("Prefer") == "body=json":
        headers["Link"] = f'<{link(context)}>; rel="http://www.w3.org/ns/json-ld#context"; type="{_JSON_LD}"'
    else:
        body = {"@context": context.member, **body}
    timeout = endpoint.get("timeout")
    return Post(
        url=endpoint["uri"],
        headers={**headers, "Content-Type": accept},
        body=body,
        notifier={pair["key"]: pair["value"] for pair in endpoint.get("notifierInfo", ())},
        timeout=timeout / 1000 if timeout else None,
    )


def _of_sources(
    subscription: StoredSubscription, notification: Notification, context: Context
) -> Mapping[str, Any]:
    """Members of a CsourceNotification (clause 5.3.2); all its registrations have one reason."""
    sys_attrs = subscription.document["notification"].get("sysAttrs", False)
    notices = [read_notice(document) for document in notification.entities]
    shown = [
        show_registration(each.registration, context, sys_attrs=sys_attrs, listed=True) for each in notices
    ]
    reason = notices[0].trigger if notices else Trigger.NEWLY_MATCHING
    return {"type": "ContextSourceNotification", "data": shown, "triggerReason": reason}


def _data(subscription: StoredSubscription, notification: Notification, context: Context, load: Load) -> Any:
    parameters = subscription.document["notification"]
    shape = _shape(subscription.document, context)
    told = [(entity_of_document(document), shape) for document in notification.entities]
    deleted = {each["id"]: each["deletedAt"] for each in notification.entities if "deletedAt" in each}
    join = Join(how=JOINS[parameters.get("join", "@none")], level=int(parameters.get("joinLevel", 1)))
    viewed = joined(told, join, load)
    accept = parameters["endpoint"].get("accept", _JSON)
    if accept == _GEO_JSON:
        return render_collection(view.feature(entity, deleted.get(entity.id)) for entity, view in viewed)
    # Each entity is a JSON-LD document of its own, as in answers to queries (clause 6.3.5).
    own = {"@context": context.member} if accept == _JSON_LD else {}
    return [{**view.entity(entity, deleted.get(entity.id)), **own} for entity, view in viewed]


def _shape(document: Mapping[str, Any], context: Context) -> Shape:
    parameters = document["notification"]
    conformance = document.get("ngsildConformance")
    return Shape(
        context=context,
        representation=_REPRESENTATIONS[parameters.get("format", "normalized")],
        sys_attrs=parameters.get("sysAttrs", False),
        lang=document.get("lang"),
        datasets=frozenset(document["datasetId"]) if "datasetId" in document else None,
        pick=parameters.get("pick"),
        omit=parameters.get("omit", {}),
        version=parse_version(conformance) if conformance else None,
    )
