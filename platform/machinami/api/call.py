"""One request, read: what the function of an endpoint gets."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import unquote

import orjson
from msgspec.structs import replace
from starlette.datastructures import Headers
from starlette.requests import Request

from machinami.api import negotiation
from machinami.api.parameters import Arguments
from machinami.api.services import Services
from machinami.api.shapes import as_array, as_object, is_source
from machinami.errors import BadRequestData, InvalidRequest, MachinamiError
from machinami.federation.received import Remote
from machinami.linkage import entity_maps, snapshots
from machinami.linkage.entity_maps import EntityMap
from machinami.model import Change, Outcome
from machinami.ngsild.context import Context, Source
from machinami.ngsild.terms import check_uri

SNAPSHOT = "NGSILD-Snapshot"
"""Header that says on which snapshot an operation is."""

ENTITY_MAP = "NGSILD-EntityMap"
"""Header that says where an EntityMap is."""

MAX_BATCH = 10_000
"""Members that a batch operation may have."""


class Call:
    """One request.

    Attributes:
        services: what the endpoints work with.
        arguments: URL parameters, checked against the endpoint's table.
        body: empty where the request has none.
        media: the body's media type; empty where the endpoint takes none.
        accept: the media type to answer with.
        remote: what context sources have said; None where none was asked.
    """

    def __init__(
        self,
        services: Services,
        request: Request,
        arguments: Arguments,
        *,
        offered: Sequence[str] = (negotiation.JSON,),
        body: bytes = b"",
        media: str = "",
    ) -> None:
        self.services = services
        self.arguments = arguments
        self.body = body
        self.media = media
        self.headers: Headers = request.headers
        self.accept = negotiation.accepted(self.headers, offered)
        self.remote: Remote | None = None
        self._request = request
        self._offered = offered

    def with_body(self, body: bytes) -> "Call":
        """The same request with another body."""
        return Call(
            self.services, self._request, self.arguments, offered=self._offered, body=body, media=self.media
        )

    @cached_property
    def entity_map(self) -> EntityMap | None:
        """The EntityMap that the request names; None where it names none, or that has expired (5.5.14)."""
        place = self.headers.get(ENTITY_MAP)
        if not place:
            return None
        identifier = unquote(place.rpartition("/entityMaps/")[2])
        return entity_maps.find(self.services.engine, self.tenant, identifier)

    def asking(self, query: Mapping[str, Any]) -> "Call":
        """The same request with a Query in its body, and without parameters."""
        own = {"@context": self.context.source} if self.media == negotiation.JSON_LD else {}
        body = orjson.dumps({**query, **own})
        return Call(self.services, self._request, Arguments(), body=body, media=self.media)

    @cached_property
    def tenant(self) -> str:
        """Name of the tenant; on a snapshot, of the one that holds its data (clauses 6.3.14 and 6.3.22).

        Raises:
            BadRequestData: it is no name.
            NotFound: there is no such snapshot.
        """
        name, snapshot = negotiation.tenant(self.headers), self.headers.get(SNAPSHOT)
        return snapshots.enter(self.services.engine, name, snapshot) if snapshot else name

    @property
    def method(self) -> str:
        """HTTP method."""
        return self._request.method

    @property
    def path(self) -> Mapping[str, str]:
        """Variables of the path."""
        return self._request.path_params

    @property
    def given(self) -> Mapping[str, str]:
        """URL parameters as they came."""
        return self._request.query_params

    @property
    def base_url(self) -> str:
        """Scheme, host and port as the client knows this server."""
        return str(self._request.base_url).rstrip("/")

    @property
    def target(self) -> str:
        """Path of the request, as it came."""
        return self._request.url.path

    @cached_property
    def context(self) -> Context:
        """The @context (clause 6.3.5): from the Link header, or from the body if that is JSON-LD.

        Raises:
            BadRequestData: both, or not where it belongs.
            ContextUnavailable: it cannot be had.
        """
        if self.media != negotiation.JSON_LD:
            return self.services.contexts.resolve(negotiation.linked_context(self.headers))
        return self._own_context(self.json)

    def _own_context(self, document: Any) -> Context:
        """The @context of a JSON-LD body, or of a member of it."""
        self._refuse_link()
        return self.services.contexts.resolve(self._embedded(document))

    def _refuse_link(self) -> None:
        if link := negotiation.linked_context(self.headers):
            raise BadRequestData(
                "a JSON-LD body carries its own @context",
                field="Link",
                value=link,
                cure="Drop the Link header, or send application/json",
            )

    @cached_property
    def json(self) -> Any:
        """The body as JSON.

        Raises:
            InvalidRequest: it is not JSON.
        """
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise InvalidRequest(
                f"the body is not JSON: {error}", field="body", cure="Send JSON in UTF-8"
            ) from None

    def apply(self, changes: Sequence[Change]) -> Sequence[Outcome | MachinamiError]:
        """Apply changes in the tenant of the request, in one transaction; see `Linkage.commit`."""
        if not changes:
            return ()
        return self.services.linkage.apply([replace(change, tenant=self.tenant) for change in changes])

    def document(self) -> dict[str, Any]:
        """The body as a JSON object, without its @context.

        Raises:
            InvalidRequest, BadRequestData: it is none, or has a @context where it may not.
        """
        return self.plain(self.json, "body")

    def documents(self) -> list[Any]:
        """The body as a JSON array (batch operations).

        Raises:
            BadRequestData: none, empty, too long, with a null, or JSON-LD with a Link header.
        """
        if self.media == negotiation.JSON_LD:
            self._refuse_link()
        found = as_array(self.json)
        if not 0 < len(found) <= MAX_BATCH or None in found:
            raise BadRequestData(
                f"a batch is an array of 1 to {MAX_BATCH} members, none of them null",
                field="body",
                cure="Send a JSON array, in parts",
            )
        return found

    def context_of(self, document: Any) -> Context:
        """The @context of one member of a batch: its own if the body is JSON-LD, else that of the request."""
        if self.media != negotiation.JSON_LD:
            return self.context
        return self._own_context(document)

    def plain(self, document: Any, field: str) -> dict[str, Any]:
        """A JSON object without its @context."""
        if not isinstance(document, dict):
            raise InvalidRequest(f"{field} is not a JSON object", field=field, cure="Send a JSON object")
        found = as_object(document)
        if "@context" not in found:
            return found
        if self.media != negotiation.JSON_LD:
            raise BadRequestData(
                "an @context inside application/json",
                field="@context",
                cure="Send application/ld+json, or put the @context's address into a Link header",
            )
        return {name: value for name, value in found.items() if name != "@context"}

    def identifier(self, name: str) -> str:
        """A variable of the path that has to be a URI; what a Location header told may stand for it."""
        value = self.path[name]
        place = str(self._request.scope["path"]).removesuffix(value)
        return check_uri(value.removeprefix(place), name)

    def _embedded(self, document: Any) -> Source:
        source = as_object(document).get("@context")
        if not is_source(source):
            raise BadRequestData(
                "a JSON-LD body without @context",
                field="@context",
                value=source,
                cure="Add the member @context, or send application/json",
            )
        return source
