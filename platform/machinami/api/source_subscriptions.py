"""Resources csourceSubscriptions/ and csourceSubscriptions/{subscriptionId} (clauses 6.12 and 6.13)."""

from starlette.responses import Response

from machinami.api.call import Call
from machinami.api.endpoint import Resource
from machinami.api.parameters import PAGE
from machinami.api.subscribing import Kind
from machinami.federation.notices import tell_all
from machinami.linkage.subscribing import Watched

resource = Resource("Context source registration subscriptions")
_KIND = Kind("/csourceSubscriptions", Watched.SOURCES, tell_all)
_NONE = {404: "No such subscription"}


@resource.endpoint(
    "POST",
    "/csourceSubscriptions",
    clause="5.11.2, 6.12.3.1",
    parameters=("local",),
    answers={201: "Created; Location says where", 409: "The id is taken"},
)
def create_source_subscription(call: Call) -> Response:
    """Create Context Source Registration Subscription."""
    return _KIND.create(call)


@resource.endpoint(
    "GET",
    "/csourceSubscriptions",
    clause="5.11.5, 6.12.3.2",
    parameters=(*PAGE, "options", "local"),
    answers={200: "Subscriptions, a page of them, the oldest first"},
)
def query_source_subscriptions(call: Call) -> Response:
    """Query Context Source Registration Subscriptions."""
    return _KIND.query(call)


@resource.endpoint(
    "GET",
    "/csourceSubscriptions/{subscriptionId:path}",
    clause="5.11.4, 6.13.3.1",
    parameters=("options", "local"),
    answers={200: "The subscription", **_NONE},
)
def retrieve_source_subscription(call: Call) -> Response:
    """Retrieve Context Source Registration Subscription."""
    return _KIND.retrieve(call)


@resource.endpoint(
    "PATCH",
    "/csourceSubscriptions/{subscriptionId:path}",
    clause="5.11.3, 6.13.3.2",
    parameters=("local",),
    answers={204: "Updated", **_NONE},
)
def update_source_subscription(call: Call) -> Response:
    """Update Context Source Registration Subscription.

    The members given replace those that are there; urn:ngsi-ld:null removes one.
    """
    return _KIND.update(call)


@resource.endpoint(
    "DELETE",
    "/csourceSubscriptions/{subscriptionId:path}",
    clause="5.11.6, 6.13.3.3",
    parameters=("local",),
    answers={204: "Deleted", **_NONE},
)
def delete_source_subscription(call: Call) -> Response:
    """Delete Context Source Registration Subscription."""
    return _KIND.delete(call)
