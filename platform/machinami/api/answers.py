"""Answers: status, headers, @context where it belongs (clause 6.3.6), pages (6.3.10), batches (5.2.16)."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from starlette.responses import Response

from machinami.api import negotiation
from machinami.api.call import Call
from machinami.api.parameters import DEFAULT_LIMIT, MAX_LIMIT
from machinami.api.problems import problem
from machinami.errors import BadRequestData, MachinamiError
from machinami.linkage.contexts import OWN_PATH
from machinami.linkage.read import Page
from machinami.model import Outcome
from machinami.ngsild.context import Context

ROOT = "/ngsi-ld/v1"
ALTERED = "So, in the words of the earlier version that Prefer: ngsi-ld=… asks for"
ENTITY_MEDIA = (negotiation.JSON, negotiation.JSON_LD, negotiation.GEO_JSON)


def respond(
    call: Call,
    payload: Any,
    *,
    context: Context | None = None,
    headers: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    """A JSON answer with its @context: in the body of JSON-LD, as a Link header of plain JSON."""
    context = context or call.context
    sent = dict(headers or {})
    if context_in_body(call):
        payload = embed(payload, context)
    else:
        sent["Link"] = ", ".join(
            filter(None, (negotiation.context_link(link_to(call, context)), sent.get("Link")))
        )
    return Response(orjson.dumps(payload), status, headers=sent, media_type=call.accept)


def context_in_body(call: Call) -> bool:
    """Whether the answer carries its @context itself."""
    if call.accept == negotiation.GEO_JSON:
        return negotiation.preferred_body(call.headers) == "ld+json"
    return call.accept == negotiation.JSON_LD


def embed(payload: Any, context: Context) -> Any:
    """Put the @context into an object, or into each object of an array."""
    member = context.member
    if isinstance(payload, list):
        return [{"@context": member, **each} for each in payload]  # pyright: ignore[reportUnknownVariableType] # JSON
    return {"@context": member, **payload}


def link_to(call: Call, context: Context) -> str:
    """Address of a @context; one that came in a body is served from here."""
    url = call.services.contexts.linkable(context)
    return url if "://" in url else f"{call.base_url}{OWN_PATH}{url}"


def created(path: str, body: Any = None) -> Response:
    """201 with the place of what was created (below the API's root)."""
    headers = {"Location": f"{ROOT}{path}"}
    if body is None:
        return Response(None, 201, headers=headers)
    return Response(orjson.dumps(body), 201, headers=headers, media_type=negotiation.JSON)


def no_content() -> Response:
    """204: done, nothing to say."""
    return Response(None, 204)


def place_of(entity_id: str) -> str:
    """Path of an entity below the API's root."""
    return f"/entities/{quote(entity_id, safe=':')}"


def raised(outcome: Outcome | MachinamiError) -> Outcome:
    """The outcome of a change; its error is raised."""
    if isinstance(outcome, MachinamiError):
        raise outcome
    return outcome


def update_result(outcome: Outcome) -> Response:
    """204, or 207 with what was left alone (UpdateResult, clause 5.2.18; names are expanded there)."""
    left = outcome.not_updated
    if not left:
        return no_content()
    reasons = [{"attributeName": name, "reason": reason} for name, reason in left.items()]
    body = {"updated": outcome.updated, "notUpdated": reasons}
    return Response(orjson.dumps(body), 207, media_type=negotiation.JSON)


def batch_result(succeeded: Sequence[str], failed: Sequence[tuple[str, MachinamiError]]) -> Response:
    """207 with the result of each member (BatchOperationResult, clause 5.2.16)."""
    errors = [{"entityId": identifier, "error": problem(error)} for identifier, error in failed]
    body = {"success": list(succeeded), "errors": errors}
    return Response(orjson.dumps(body, default=str), 207, media_type=negotiation.JSON)


def read_page(call: Call) -> Page:
    """Which page is wanted (clauses 6.3.10 and 6.3.13).

    Raises:
        BadRequestData: not a page, or limit=0 without count.
    """
    arguments = call.arguments
    limit = arguments.number("limit", DEFAULT_LIMIT, maximum=MAX_LIMIT)
    count = arguments.flag("count")
    if limit == 0 and not count:
        raise BadRequestData("limit=0 without count", field="limit", value="0", cure="Add count=true")
    return Page(limit=limit, offset=arguments.number("offset", 0), count=count)


def page_headers(call: Call, page: Page, *, more: bool, total: int | None) -> dict[str, str]:
    """Links to the next and the previous page, and the size of the whole result where it was asked for."""
    places = {"next": page.offset + page.limit if more else None, "prev": max(0, page.offset - page.limit)}
    if not page.offset or not page.limit:
        del places["prev"]
    links = [_page_link(call, page, name, offset) for name, offset in places.items() if offset is not None]
    headers = {"Link": ", ".join(links)} if links else {}
    return headers if total is None else {**headers, "NGSILD-Results-Count": str(total)}


def _page_link(call: Call, page: Page, relation: str, offset: int) -> str:
    wanted: dict[str, str | int] = {**call.given, "limit": page.limit, "offset": offset}
    query = urlencode(sorted(wanted.items()), safe=":*")
    return f'<{call.target}?{query}>;rel="{relation}";type="{call.accept}"'
