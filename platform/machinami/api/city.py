"""What the city's own pages and its operator ask for; not of the standard (/machinami/v1/…)."""

from base64 import b64encode
from typing import Any

import orjson
from starlette.responses import Response

from machinami.api import negotiation
from machinami.api.answers import page_headers, read_page
from machinami.api.call import Call
from machinami.api.endpoint import Resource
from machinami.api.parameters import PAGE
from machinami.linkage import read
from machinami.model import format_time

ROOT = "/machinami/v1"
resource = Resource("City", ROOT)
_JSON = (negotiation.JSON,)


@resource.endpoint(
    "GET", "/health", clause="none", offered=_JSON, answers={200: "The API and its database answer"}
)
def health(call: Call) -> Response:
    """Whether this server and its database answer."""
    read.check(call.services.engine)
    return _json({"status": "ok"})


@resource.endpoint("GET", "/settings", clause="none", offered=_JSON, answers={200: "Settings for pages"})
def settings(call: Call) -> Response:
    """Settings that the city's pages need."""
    return _json({"tileUrl": call.services.settings.tile_url})


@resource.endpoint(
    "GET", "/quarantine", clause="none", parameters=PAGE[:2], offered=_JSON, answers={200: "Newest first"}
)
def quarantine(call: Call) -> Response:
    """What could not be read: the original bytes (base64), field, value, reason and cure."""
    page = read_page(call)
    found = read.quarantine(call.services.engine, call.tenant, page)
    headers = page_headers(call, page, more=len(found) > page.limit, total=None)
    return _json([_rejection(row) for row in found[: page.limit]], headers)


def _rejection(row: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in row.items() if name != "tenant"}
    payload, received = b64encode(row["payload"]).decode(), format_time(row["received_at"])
    return {**shown, "payload": payload, "received_at": received}


def _json(payload: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(payload), headers=headers, media_type=negotiation.JSON)
