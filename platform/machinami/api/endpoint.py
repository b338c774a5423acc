"""Endpoints as a table: what the standard says of each, and the function that does it.

A function takes a `Call` and gives a `Response`; it runs in a thread of a pool as large as the database's, so
that a slow query never keeps others from being read. Reading, negotiation and errors are the same for all.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from machinami.api import negotiation
from machinami.api.call import SNAPSHOT, Call
from machinami.api.distribution import STRATEGIES, answer
from machinami.api.parameters import read_arguments
from machinami.api.problems import problem_response, unexpected_response
from machinami.api.services import Services
from machinami.errors import MachinamiError


class _Name(Convertor[str]):
    """``{variable:name}``: a part of a path that may be empty, so that its endpoint can say what is wrong."""

    regex = "[^/]*"

    def convert(self, value: str) -> str:
        """What stands in the path."""
        return value

    def to_string(self, value: str) -> str:
        """As it is."""
        return value


register_url_convertor("name", _Name())

MAX_BODY = 16 * 2**20
"""Bytes of a request's body."""

Function: TypeAlias = Callable[[Call], Response]
Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one resource.

    Attributes:
        path: whole path, with ``{variables}``; ``{name:path}`` may hold slashes, as URIs do,
            ``{name:name}`` may be empty (and is refused).
        clause: of ETSI GS CIM 009 1.8.1.
        parameters: names from `machinami.api.parameters.PARAMETERS` that are accepted.
        media: media types that the body may have; empty where there is no body.
        offered: media types of the answer, best first.
        answers: status → meaning, for the documentation.
        function: does what is asked.
    """

    method: str
    path: str
    clause: str
    summary: str
    parameters: Sequence[str] = ()
    media: Sequence[str] = ()
    offered: Sequence[str] = (negotiation.JSON, negotiation.JSON_LD)
    answers: Mapping[int, str] = {}
    tag: str = ""
    body: Any = {}
    function: Function


class Resource:
    """The endpoints of one resource of the standard, collected by `endpoint`."""

    def __init__(self, tag: str, root: str = "/ngsi-ld/v1") -> None:
        self.tag = tag
        self.root = root
        self.endpoints: list[Endpoint] = []

    def endpoint(self, method: str, path: str, **facts: Any) -> Callable[[Function], Function]:
        """Register a function; its docstring's first line is the summary. See `Endpoint` for the facts."""

        def register(function: Function) -> Function:
            summary = (function.__doc__ or "").strip().splitlines()[0]
            self.endpoints.append(
                Endpoint(
                    method=method,
                    path=self.root + path,
                    summary=summary,
                    tag=self.tag,
                    function=function,
                    **_with_body(method, facts),
                )
            )
            return function

        return register


def handler(endpoint: Endpoint, services: Services) -> Handler:
    """The coroutine that serves an endpoint."""
    function = endpoint.function
    strategy = STRATEGIES.get((endpoint.method, endpoint.path))

    async def handle(request: Request) -> Response:
        try:
            body = await _read_body(request) if endpoint.media else b""
            call = _call(endpoint, services, request, body)
            response = await answer(call, function, strategy)
        except MachinamiError as error:
            response = problem_response(error)
        except HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 # told to the client in one shape, and logged whole
            response = unexpected_response(request, error)
        if tenant := request.headers.get("ngsild-tenant"):
            response.headers["NGSILD-Tenant"] = tenant  # clause 6.3.14
        if snapshot := request.headers.get(SNAPSHOT):
            response.headers[SNAPSHOT] = snapshot  # clause 6.3.22
        return response

    return handle


def _call(endpoint: Endpoint, services: Services, request: Request, body: bytes) -> Call:
    pairs = request.query_params.multi_items()
    arguments = read_arguments(pairs, endpoint.parameters)
    if SNAPSHOT in request.headers and "local" in endpoint.parameters:
        arguments["local"] = "true"  # clause 5.5.15
    media = negotiation.content_type(request.headers, endpoint.media) if endpoint.media else ""
    return Call(services, request, arguments, offered=endpoint.offered, body=body, media=media)


def _with_body(method: str, facts: dict[str, Any]) -> dict[str, Any]:
    if "media" in facts or method not in ("POST", "PATCH", "PUT"):
        return facts
    media = (negotiation.JSON, negotiation.JSON_LD, *([negotiation.MERGE_PATCH] if method == "PATCH" else []))
    return {**facts, "media": media}


async def _read_body(request: Request) -> bytes:
    length = request.headers.get("content-length")
    if length is None:
        raise HTTPException(411)  # clause 6.3.4
    if int(length) > MAX_BODY:
        raise HTTPException(413, f"a body may have {MAX_BODY} bytes")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise HTTPException(413, f"a body may have {MAX_BODY} bytes")
    return bytes(body)
