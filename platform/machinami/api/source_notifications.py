"""Where sources send notifications of copied subscriptions (clauses 5.8.1.4 and 5.8.6); not of the standard.

Who knows the address may tell: its last part is a secret between this city and one source.
"""

from starlette.responses import Response

from machinami.api.answers import no_content
from machinami.api.call import Call
from machinami.api.city import ROOT
from machinami.api.endpoint import Resource
from machinami.api.negotiation import JSON, JSON_LD
from machinami.api.source_parts import is_split, read_notification
from machinami.federation import inbound
from machinami.federation.received import Remote

resource = Resource("Notifications of sources", ROOT)


@resource.endpoint(
    "POST",
    "/sources/notifications/{key}",
    clause="",
    media=(JSON, JSON_LD),
    offered=(JSON,),
    answers={204: "Taken", 404: "The subscription that it is for is gone"},
)
def take_notification(call: Call) -> Response:
    """Take a Notification of a context source."""
    leg, told = read_notification(call)
    remote = (call.remote or Remote()) if is_split(call, leg) else None
    inbound.pass_on(call.services.engine, leg, told, remote)
    return no_content()
