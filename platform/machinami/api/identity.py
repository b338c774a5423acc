"""Resource info/sourceIdentity (clause 6.33): who this broker is, so that registrations of it can say so."""

from datetime import UTC, datetime

from starlette.responses import Response

from machinami.api.answers import respond
from machinami.api.call import Call
from machinami.api.endpoint import Resource
from machinami.model import format_time
from machinami.ngsild.durations import format_duration

resource = Resource("Context source identity")

_STARTED = datetime.now(UTC)


@resource.endpoint(
    "GET",
    "/info/sourceIdentity",
    clause="5.15.1, 6.33.3.1",
    answers={200: "The pseudonym of this broker and tenant, by which loops are found"},
)
def retrieve_identity(call: Call) -> Response:
    """Retrieve Context Source Identity Information."""
    alias, now = call.services.sources.alias(call.tenant), datetime.now(UTC)
    identity = {
        "id": f"urn:ngsi-ld:ContextSourceIdentity:{alias}",
        "type": "ContextSourceIdentity",
        "contextSourceAlias": alias,
        "contextSourceUptime": format_duration(now - _STARTED),
        "contextSourceTimeAt": format_time(now),
    }
    return respond(call, identity)
