"""Notifications that were given up, for the operator; not of the standard (/machinami/v1/notifications)."""

from typing import Any

import msgspec
from starlette.responses import Response

from machinami.api import negotiation
from machinami.api.answers import no_content, page_headers, read_page
from machinami.api.call import Call
from machinami.api.city import ROOT
from machinami.api.endpoint import Resource
from machinami.api.parameters import PAGE, Arguments
from machinami.linkage import dead_letters
from machinami.linkage.dead_letters import Dead

resource = Resource("Notifications", ROOT)
_OURS: dict[str, Any] = {"clause": "", "offered": (negotiation.JSON,), "media": ()}
_CHOICE = ("subscription",)


@resource.endpoint(
    "GET",
    "/notifications",
    **_OURS,
    parameters=(*PAGE, *_CHOICE),
    answers={200: "Newest first"},
)
def query_dead_letters(call: Call) -> Response:
    """Notifications that were given up: subscription, when, how often tried, the last error."""
    page, choice = read_page(call), Dead(subscription_id=call.arguments.get("subscription"))
    found = dead_letters.query_dead(call.services.engine, call.tenant, choice, page)
    return _json(found.letters, page_headers(call, page, more=found.more, total=found.total))


@resource.endpoint(
    "DELETE", "/notifications", **_OURS, parameters=_CHOICE, answers={204: "Discarded for good"}
)
def discard_dead_letters(call: Call) -> Response:
    """Discard the dead letters of a subscription for good."""
    dead_letters.discard(call.services.engine, call.tenant, _chosen(call))
    return no_content()


@resource.endpoint("POST", "/notifications/replay", **_OURS, parameters=_CHOICE, answers={200: "How many"})
def replay_dead_letters(call: Call) -> Response:
    """Send the dead letters of a subscription again, oldest first."""
    return _replayed(call, _chosen(call))


@resource.endpoint("GET", "/notifications/{id}", **_OURS, answers={200: "The dead letter with its entities"})
def retrieve_dead_letter(call: Call) -> Response:
    """One dead letter, with the entities as they were when the subscription was concerned."""
    return _json(dead_letters.retrieve_dead(call.services.engine, call.tenant, _number(call)))


@resource.endpoint("DELETE", "/notifications/{id}", **_OURS, answers={204: "Discarded for good"})
def discard_dead_letter(call: Call) -> Response:
    """Discard a dead letter for good."""
    dead_letters.discard(call.services.engine, call.tenant, Dead(id=_number(call)))
    return no_content()


@resource.endpoint("POST", "/notifications/{id}/replay", **_OURS, answers={200: "Whether it was replayed"})
def replay_dead_letter(call: Call) -> Response:
    """Send a dead letter again."""
    return _replayed(call, Dead(id=_number(call)))


def _replayed(call: Call, choice: Dead) -> Response:
    return _json({"replayed": dead_letters.replay(call.services.engine, call.tenant, choice)})


def _chosen(call: Call) -> Dead:
    return dead_letters.chosen(call.arguments.get("subscription"))


def _number(call: Call) -> int:
    return Arguments(call.path).number("id")


def _json(payload: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(payload), headers=headers, media_type=negotiation.JSON)
