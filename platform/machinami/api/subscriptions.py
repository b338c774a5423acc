"""Resources subscriptions/ and subscriptions/{subscriptionId} (clauses 6.10 and 6.11)."""

from starlette.responses import Response

from machinami.api.call import Call
from machinami.api.endpoint import Resource
from machinami.api.parameters import PAGE
from machinami.api.subscribing import Kind
from machinami.linkage.subscribing import Watched

resource = Resource("Subscriptions")
_KIND = Kind("/subscriptions", Watched.ENTITIES)
_NONE = {404: "No such subscription"}


@resource.endpoint(
    "POST",
    "/subscriptions",
    clause="5.8.1, 6.10.3.1",
    parameters=("local",),
    answers={201: "Created; Location says where", 409: "The id is taken"},
)
def create_subscription(call: Call) -> Response:
    """Create Subscription."""
    return _KIND.create(call)


@resource.endpoint(
    "GET",
    "/subscriptions",
    clause="5.8.4, 6.10.3.2",
    parameters=(*PAGE, "options", "local"),
    answers={200: "Subscriptions, a page of them, the oldest first"},
)
def query_subscriptions(call: Call) -> Response:
    """Retrieve list of Subscriptions."""
    return _KIND.query(call)


@resource.endpoint(
    "GET",
    "/subscriptions/{subscriptionId:path}",
    clause="5.8.3, 6.11.3.1",
    parameters=("options", "local"),
    answers={200: "The subscription", **_NONE},
)
def retrieve_subscription(call: Call) -> Response:
    """Retrieve Subscription."""
    return _KIND.retrieve(call)


@resource.endpoint(
    "PATCH",
    "/subscriptions/{subscriptionId:path}",
    clause="5.8.2, 6.11.3.2",
    parameters=("local",),
    answers={204: "Updated", **_NONE},
)
def update_subscription(call: Call) -> Response:
    """Update Subscription: the members given replace those that are there; urn:ngsi-ld:null removes one."""
    return _KIND.update(call)


@resource.endpoint(
    "DELETE",
    "/subscriptions/{subscriptionId:path}",
    clause="5.8.5, 6.11.3.3",
    parameters=("local",),
    answers={204: "Deleted", **_NONE},
)
def delete_subscription(call: Call) -> Response:
    """Delete Subscription."""
    return _KIND.delete(call)
