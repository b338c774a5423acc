"""What the city's own pages and its operator ask for; not of the standard (/machinami/v1/…)."""

import asyncio
from typing import Any

import msgspec
from starlette.responses import Response

from machinami.api import negotiation
from machinami.api.answers import no_content, page_headers, read_page
from machinami.api.call import Call
from machinami.api.endpoint import Resource
from machinami.api.parameters import PAGE, Arguments
from machinami.connect.devices import Devices
from machinami.connect.discovery import discover
from machinami.linkage import quarantine, read
from machinami.linkage.quarantine import Choice, Replayed
from machinami.settings import Settings, stream_address
from machinami.stream.client import open_stream

ROOT = "/machinami/v1"
resource = Resource("City", ROOT)
_OURS: dict[str, Any] = {"clause": "", "offered": (negotiation.JSON,), "media": ()}
_CHOICE = ("connector", "topic")


@resource.endpoint("GET", "/health", **_OURS, answers={200: "The API and its database answer"})
def health(call: Call) -> Response:
    """Whether this server and its database answer."""
    read.check(call.services.engine)
    return _json({"status": "ok"})


@resource.endpoint("GET", "/settings", **_OURS, answers={200: "Settings for pages"})
def settings(call: Call) -> Response:
    """Settings that the city's pages need."""
    return _json({"tileUrl": call.services.settings.tile_url})


@resource.endpoint("GET", "/quarantine", **_OURS, parameters=(*PAGE, *_CHOICE), answers={200: "Newest first"})
def query_quarantine(call: Call) -> Response:
    """What could not be read: field, value, reason, cure, and the bytes (base64) where they are not long."""
    page = read_page(call)
    choice = Choice(connector=call.arguments.get("connector"), topic=call.arguments.get("topic"))
    found = quarantine.query_quarantine(call.services.engine, call.tenant, choice, page, _devices(call).of)
    headers = page_headers(call, page, more=found.more, total=found.total)
    return _json(found.rejections, headers)


@resource.endpoint("DELETE", "/quarantine", **_OURS, parameters=_CHOICE, answers={204: "Discarded for good"})
def discard_quarantine(call: Call) -> Response:
    """Discard the messages of a connector or topic for good."""
    quarantine.discard(call.services.engine, call.tenant, _chosen(call))
    return no_content()


@resource.endpoint("POST", "/quarantine/replay", **_OURS, parameters=_CHOICE, answers={200: "How many"})
def replay_quarantine(call: Call) -> Response:
    """Replay the messages of a connector or topic, at their own times."""
    return _json(_replay(call, _chosen(call)))


@resource.endpoint("GET", "/quarantine/{id}", **_OURS, answers={200: "The rejection with its whole payload"})
def retrieve_quarantined(call: Call) -> Response:
    """One rejection, with the original bytes (base64)."""
    number, engine = _number(call), call.services.engine
    return _json(quarantine.retrieve_quarantined(engine, call.tenant, number, _devices(call).of))


@resource.endpoint("DELETE", "/quarantine/{id}", **_OURS, answers={204: "Discarded for good"})
def discard_quarantined(call: Call) -> Response:
    """Discard the message of a rejection for good."""
    choice = Choice(id=_number(call))
    quarantine.discard(call.services.engine, call.tenant, choice)
    return no_content()


@resource.endpoint("POST", "/quarantine/{id}/replay", **_OURS, answers={200: "Whether it was replayed"})
def replay_quarantined(call: Call) -> Response:
    """Replay the message of a rejection, at its own time."""
    return _json(_replay(call, Choice(id=_number(call))))


def _chosen(call: Call) -> Choice:
    return quarantine.chosen(call.arguments.get("connector"), call.arguments.get("topic"))


def _number(call: Call) -> int:
    return Arguments(call.path).number("id")


def _devices(call: Call) -> Devices:
    """Read anew each time: connectors are mended while the city runs."""
    return Devices(discover(call.services.settings.connector_folders))


def _replay(call: Call, choice: Choice) -> Replayed:
    return asyncio.run(_into_stream(call, choice, call.services.settings))


async def _into_stream(call: Call, choice: Choice, settings: Settings) -> Replayed:
    async with open_stream(*stream_address(settings)) as stream:
        return await quarantine.replay(call.services.engine, call.tenant, choice, stream)


def _json(payload: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(payload), headers=headers, media_type=negotiation.JSON)
