"""Resources subscriptions/ and subscriptions/{subscriptionId} (clauses 6.10 and 6.11)."""

from typing import Any
from uuid import uuid4

from starlette.responses import Response

from machinami.api.answers import created, link_to, no_content, page_headers, read_page, respond
from machinami.api.call import Call
from machinami.api.endpoint import Resource
from machinami.api.forms import read_options
from machinami.api.parameters import PAGE
from machinami.api.subscription_documents import checked, read_members, read_subscription, show_subscription
from machinami.linkage import subscribing
from machinami.linkage.subscribing import StoredSubscription
from machinami.ngsild.context import Source
from machinami.ngsild.terms import NGSI_NULL, check_uri

resource = Resource("Subscriptions")


@resource.endpoint(
    "POST",
    "/subscriptions",
    clause="5.8.1, 6.10.3.1",
    parameters=("local",),
    answers={201: "Created; Location says where", 409: "The id is taken"},
)
def create_subscription(call: Call) -> Response:
    """Create Subscription."""
    document = call.document()
    stored = read_subscription(document, call.context)
    if not isinstance(_source(call), str):  # notifications link to it, so it is served (5.13.1)
        stored.setdefault("jsonldContext", link_to(call, call.context))
    given = document.get("id")
    identifier = f"urn:ngsi-ld:Subscription:{uuid4()}" if given is None else check_uri(given, "id")
    subscribing.create_subscription(
        call.services.engine, call.tenant, identifier, stored, _notification_context(call, stored)
    )
    return created(f"/subscriptions/{identifier}")


@resource.endpoint(
    "GET",
    "/subscriptions",
    clause="5.8.4, 6.10.3.2",
    parameters=(*PAGE, "options", "local"),
    answers={200: "Subscriptions, a page of them, ordered by id"},
)
def query_subscriptions(call: Call) -> Response:
    """Retrieve list of Subscriptions."""
    page, sys_attrs = read_page(call), _sys_attrs(call)
    found = subscribing.query_subscriptions(call.services.engine, call.tenant, page)
    shown = [show_subscription(each, call.context, sys_attrs=sys_attrs) for each in found.subscriptions]
    return respond(call, shown, headers=page_headers(call, page, more=found.more, total=found.total))


@resource.endpoint(
    "GET",
    "/subscriptions/{subscriptionId:path}",
    clause="5.8.3, 6.11.3.1",
    parameters=("options", "local"),
    answers={200: "The subscription", 404: "No such subscription"},
)
def retrieve_subscription(call: Call) -> Response:
    """Retrieve Subscription."""
    identifier = call.identifier("subscriptionId")
    stored = subscribing.retrieve_subscription(call.services.engine, call.tenant, identifier)
    return respond(call, show_subscription(stored, call.context, sys_attrs=_sys_attrs(call)))


@resource.endpoint(
    "PATCH",
    "/subscriptions/{subscriptionId:path}",
    clause="5.8.2, 6.11.3.2",
    parameters=("local",),
    answers={204: "Updated", 404: "No such subscription"},
)
def update_subscription(call: Call) -> Response:
    """Update Subscription: the members given replace those that are there; urn:ngsi-ld:null removes one."""
    fragment = call.document()
    removed = {name for name, value in fragment.items() if value == NGSI_NULL}
    given = {name: value for name, value in fragment.items() if name not in removed}
    members = read_members(given, call.context)

    def change(stored: StoredSubscription) -> tuple[dict[str, Any], Any]:
        kept = {name: value for name, value in stored.document.items() if name not in removed}
        document = checked({**kept, **members})
        return document, members.get("jsonldContext", stored.context)

    subscribing.update_subscription(
        call.services.engine, call.tenant, call.identifier("subscriptionId"), change
    )
    return no_content()


@resource.endpoint(
    "DELETE",
    "/subscriptions/{subscriptionId:path}",
    clause="5.8.5, 6.11.3.3",
    parameters=("local",),
    answers={204: "Deleted", 404: "No such subscription"},
)
def delete_subscription(call: Call) -> Response:
    """Delete Subscription."""
    subscribing.delete_subscription(call.services.engine, call.tenant, call.identifier("subscriptionId"))
    return no_content()


def _sys_attrs(call: Call) -> bool:
    return "sysAttrs" in read_options(call, ("sysAttrs",))


def _notification_context(call: Call, stored: dict[str, Any]) -> Any:
    """The @context for notifications: jsonldContext, else that of the request (clause 5.2.12)."""
    source = stored.get("jsonldContext", _source(call))
    if source is not None:
        call.services.contexts.build(source)  # no use of it yet: each notification is one
    return source


def _source(call: Call) -> Source:
    """The @context of the request; a list of one address is that address."""
    source = call.context.source
    return source[0] if isinstance(source, list) and len(source) == 1 else source
