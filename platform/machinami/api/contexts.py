"""Resources jsonldContexts/ and jsonldContexts/{contextId} (clauses 6.29 and 6.30)."""

from typing import Any
from urllib.parse import quote

import orjson
from starlette.responses import Response

from machinami.api.answers import ROOT, created, no_content
from machinami.api.call import Call
from machinami.api.endpoint import Resource
from machinami.api.shapes import as_object
from machinami.errors import InvalidRequest, NotServed
from machinami.linkage.contexts import ContextKind, StoredContext
from machinami.model import format_time

resource = Resource("@contexts")

_KINDS = {kind.value: kind for kind in ContextKind}


@resource.endpoint(
    "POST",
    "/jsonldContexts",
    clause="5.13.2, 6.29.3.1",
    answers={201: "Added; Location says where it is served"},
)
def add_context(call: Call) -> Response:
    """Add @context; all but the member @context is left out."""
    source = as_object(call.json).get("@context")
    if source is None:
        raise InvalidRequest(
            "there is no @context in the body", field="@context", value=source, cure='Send {"@context": …}'
        )
    return created(f"/jsonldContexts/{call.services.contexts.add(source)}")


@resource.endpoint(
    "GET",
    "/jsonldContexts",
    clause="5.13.3, 6.29.3.2",
    parameters=("details", "kind"),
    answers={200: "Addresses, or with details=true what is known of each"},
)
def list_contexts(call: Call) -> Response:
    """List @contexts."""
    found = call.services.contexts.list(call.arguments.one_of("kind", _KINDS, None))
    if call.arguments.flag("details"):
        return _json(call, [_details(call, stored) for stored in found])
    return _json(call, [_address(call, stored) for stored in found])


@resource.endpoint(
    "GET",
    "/jsonldContexts/{contextId:path}",
    clause="5.13.4, 6.30.3.1",
    parameters=("details",),
    answers={
        200: "The @context, or with details=true what is known of it",
        404: "It is not stored here",
        422: "A cached one: it is served where it comes from",
    },
)
def serve_context(call: Call) -> Response:
    """Serve @context."""
    stored = call.services.contexts.serve(call.path["contextId"])
    details = _details(call, stored)
    call.services.contexts.count(stored.url)
    if call.arguments.flag("details"):
        return _json(call, details)
    if stored.kind is ContextKind.CACHED:
        raise NotServed(
            "a cached @context is not served",
            field="contextId",
            value=stored.url,
            cure="Ask its own address, or add details=true",
        )
    return _json(call, stored.document)


@resource.endpoint(
    "DELETE",
    "/jsonldContexts/{contextId:path}",
    clause="5.13.5, 6.30.3.2",
    parameters=("reload",),
    answers={204: "Deleted, or fetched again", 404: "It is not stored here"},
)
def delete_context(call: Call) -> Response:
    """Delete and Reload @context."""
    contexts, url = call.services.contexts, call.path["contextId"]
    if call.arguments.flag("reload"):
        contexts.reload(url)
    else:
        contexts.delete(url)
    return no_content()


def _address(call: Call, stored: StoredContext) -> str:
    if stored.kind is ContextKind.CACHED:
        return stored.url
    return f"{call.base_url}{ROOT}/jsonldContexts/{quote(stored.url, safe=':')}"


def _details(call: Call, stored: StoredContext) -> dict[str, Any]:
    usage = call.services.contexts.usage(stored.url)
    return {
        "URL": _address(call, stored),
        "localId": stored.url,
        "kind": stored.kind.value,
        "createdAt": format_time(stored.created_at),
        **({"lastUsage": format_time(usage.last)} if usage.last else {}),
        "numberOfHits": usage.hits,
    }


def _json(call: Call, payload: Any) -> Response:
    return Response(orjson.dumps(payload), media_type=call.accept)
