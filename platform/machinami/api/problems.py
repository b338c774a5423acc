"""Errors on the way out: one shape everywhere, problem details of RFC 7807 as clause 5.5.3 wants them."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from machinami.errors import MachinamiError

logger = logging.getLogger(__name__)

ERROR_TYPES = "https://uri.etsi.org/ngsi-ld/errors/"
MEDIA_TYPE = "application/json"
"""Of errors: clause 6.3.3 wants this, not the ``application/problem+json`` of RFC 7807."""

_CURES = {
    404: "See /docs for what there is",
    405: "Use one of the methods in the Allow header; see /docs",
    413: "Split the request",
}
_BARE = frozenset({HTTPStatus.LENGTH_REQUIRED, HTTPStatus.UNSUPPORTED_MEDIA_TYPE})
"""Told by the status alone: clause 6.3.4 wants no body with these two."""


def problem(error: MachinamiError) -> dict[str, Any]:
    """Problem details of one of our errors; field, value and cure only where they say something."""
    more = {"field": error.field, "value": _shown(error.value), "cure": error.cure}
    return {
        "type": ERROR_TYPES + error.kind,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        **{name: text for name, text in more.items() if text},
    }


def problem_response(error: MachinamiError) -> Response:
    """The answer to a request that failed on purpose."""
    return _response(problem(error), error.status)


def http_response(_: Request, error: Exception) -> Response:
    """The answer where HTTP itself says no: no such path, method not allowed, too large."""
    if not isinstance(error, HTTPException):
        raise TypeError(f"registered for HTTPException, got {type(error).__name__}")
    status = HTTPStatus(error.status_code)
    detail = error.detail if error.detail != status.phrase else status.description or status.phrase
    body = {
        "type": ERROR_TYPES + ("ResourceNotFound" if status == HTTPStatus.NOT_FOUND else "InvalidRequest"),
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
    }
    if status in _CURES:
        body["cure"] = _CURES[status]
    return _response(body, status, error.headers)


def unexpected_response(request: Request, error: Exception) -> Response:
    """The answer to our own mistake: logged whole, told in one line."""
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem_response(
        MachinamiError("the server made a mistake", cure="It is in the server's log; please report it")
    )


def _response(body: Mapping[str, Any], status: int, headers: Mapping[str, str] | None = None) -> Response:
    kept = {name: value for name, value in (headers or {}).items() if name.lower() == "allow"}
    if status in _BARE:
        return Response(None, status, headers=kept)
    content = orjson.dumps(body, default=str, option=orjson.OPT_NON_STR_KEYS)
    return Response(content, status, headers=kept, media_type=MEDIA_TYPE)


def _shown(value: object) -> object:
    """A value as it came, unless it is long: an error must not send a whole document back."""
    text = str(value) if value is not None else ""
    return value if len(text) <= 200 and isinstance(value, str | int | float | bool) else text[:200]
