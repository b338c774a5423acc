"""What is sent to a source and what comes back (clauses 4.3.6.4 to 4.3.6.6, 6.3.18 and 6.3.19)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote, urlencode

import msgspec
import orjson

from machinami.errors import BadGateway, Conflict, GatewayTimeout, LoopDetected, MachinamiError, NotFound
from machinami.federation.registration import Registration
from machinami.ngsild.conformance import amended_document, parse_version
from machinami.ngsild.context import CORE, Context, Source, is_core

ROOT = "/ngsi-ld/v1"
JSON, JSON_LD = "application/json", "application/ld+json"
_REQUEST = "urn:ngsi-ld:request"
_CONTEXT_KEY = "jsonldContext"
_ENTITY_MEMBERS = ("id", "type", "scope")
_PICK_SINCE, _NEWEST = (1, 8), (1, 9)
_OWN = frozenset({"accept", "contenttype", "jsonldcontext", "ngsildconformance"})
_SET_BY_HTTP = frozenset({
    "connection", "content-length", "content-type", "host", "link", "ngsild-tenant", "te", "trailer",
    "transfer-encoding", "upgrade", "via",
})  # fmt: skip


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """The request that is distributed.

    Attributes:
        tenant: name of the tenant here.
        context: @context of the request.
        headers: as they came, names in small letters.
        via: pseudonyms of the brokers that it has passed, from its Via headers.
        alias: pseudonym of this broker and tenant.
        resolve: @context by its source.
    """

    tenant: str
    context: Context
    headers: Mapping[str, str]
    via: tuple[str, ...]
    alias: str
    resolve: Callable[[Source], Context]


class Forward(msgspec.Struct, frozen=True, kw_only=True):
    """One request to a source.

    Attributes:
        url: whole address without query.
        context: what names in it, and in the answer, are written with.
        body: empty where there is none.
        entity_ids: ids that it is about, for the result of each.
        names: attributes that it changes, expanded.
    """

    registration: Registration
    method: str
    url: str
    headers: Mapping[str, str]
    context: Context
    parameters: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    entity_ids: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()

    @property
    def target(self) -> str:
        """The whole address; only what has to be is percent-encoded, so that a source's log can be read."""
        query = urlencode(self.parameters, quote_via=quote, safe=":,;()/*")
        return f"{self.url}?{query}" if query else self.url


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came back.

    Attributes:
        status: 0 where nothing came.
        headers: names in small letters.
        problem: why nothing came, in a sentence; else empty.
        stale: it was kept from an earlier request.
    """

    forward: Forward
    status: int = 0
    headers: Mapping[str, str] = {}
    body: bytes = b""
    problem: str = ""
    stale: bool = False

    @property
    def is_success(self) -> bool:
        """Whether the source did all it was asked for."""
        return 200 <= self.status < 300 and self.status != 207

    def json(self) -> Any:
        """The body; None where it is empty or no JSON."""
        try:
            return orjson.loads(self.body) if self.body else None
        except orjson.JSONDecodeError:
            return None

    def error(self) -> MachinamiError:
        """What went wrong, for the one who asked (clause 6.3.17)."""
        kinds: dict[int, type[MachinamiError]] = {
            0: GatewayTimeout,
            404: NotFound,
            409: Conflict,
            508: LoopDetected,
        }
        kind = kinds.get(self.status, BadGateway)
        says = self.problem or f"answers {self.status}"
        source = self.forward.registration.id
        return kind(f"the source of {source} {says}", field="registrationId", value=source)


class Dialect:
    """How one source is spoken to: which @context, which headers.

    Args:
        registration: tells what the source wants.
        origin: the request that is distributed.
    """

    def __init__(self, registration: Registration, origin: Origin) -> None:
        self._registration = registration
        self._origin = origin
        self._info = {key.lower(): value for key, value in registration.info}
        version = self._info.get("ngsildconformance")
        self._version = parse_version(version) if version else _NEWEST
        named = self._info.get(_CONTEXT_KEY.lower())
        # A @context out of a body may have no address that a source could read: names are in full then.
        self._link = named or _address(origin.context.source)
        self.context = origin.resolve(named) if named else origin.context if self._link else CORE

    @property
    def is_own(self) -> bool:
        """Whether names are written as in the request."""
        return self.context is self._origin.context

    def terms(self, names: Iterable[str]) -> list[str]:
        """Names of attributes as the source knows them."""
        return [self.context.compact(name) for name in names]

    def projection(self, names: Sequence[str], *, posted: bool = False) -> dict[str, Any]:
        """The parameter, or the member of a Query, that asks for these attributes only; none asks for all.

        ``pick`` (clause 4.21); a source of an older version knows its forerunner ``attrs``.
        """
        if not names:
            return {}
        terms = self.terms(names)
        name, listed = (
            ("attrs", terms) if self._version < _PICK_SINCE else ("pick", [*_ENTITY_MEMBERS, *terms])
        )
        return {name: listed if posted else ",".join(listed)}

    def forward(
        self,
        method: str,
        path: str,
        parameters: tuple[tuple[str, str], ...] = (),
        document: Any = None,
        entity_ids: tuple[str, ...] = (),
        names: frozenset[str] = frozenset(),
    ) -> Forward:
        """A request in this dialect.

        Args:
            path: below the API's root, each part quoted.
            document: JSON, with names written as `context` has them, without @context.
        """
        if self._registration.local_only:
            parameters = (*parameters, ("local", "true"))
        headers, body = self._with_body(document)
        return Forward(
            registration=self._registration,
            method=method,
            url=base_of(self._registration.endpoint) + path,
            headers=headers,
            context=self.context,
            parameters=parameters,
            body=body,
            entity_ids=entity_ids,
            names=names,
        )

    def _with_body(self, document: Any) -> tuple[dict[str, str], bytes]:
        headers = self._headers()
        linked = {"Link": _link(self._link)} if self._link else {}
        if document is None:
            return {**headers, **linked}, b""
        document = amended_document(document, self._version)
        if self._info.get("contenttype") == JSON_LD and "jsonldcontext" not in self._info:
            return {**headers, "Content-Type": JSON_LD}, orjson.dumps(_embed(document, self.context.source))
        return {**headers, **linked, "Content-Type": JSON}, orjson.dumps(document)

    def _headers(self) -> dict[str, str]:
        given = {
            key: self._origin.headers.get(key.lower(), "") if value == _REQUEST else value
            for key, value in self._registration.info
            if key.lower() not in _OWN | _SET_BY_HTTP
        }
        own = {
            "Accept": self._info.get("accept", JSON),
            "Via": ", ".join(f"1.1 {name}" for name in (*self._origin.via, self._origin.alias)),
        }
        if self._registration.source_tenant:
            own["NGSILD-Tenant"] = self._registration.source_tenant
        return {**{key: value for key, value in given.items() if value}, **own}


def base_of(endpoint: str) -> str:
    """Address of a source's API; an endpoint may name its root or not."""
    bare = endpoint.rstrip("/")
    return bare if bare.endswith(ROOT) else bare + ROOT


def path_of(*parts: str) -> str:
    """A path out of its parts."""
    return "".join("/" + quote(part, safe=":") for part in parts)


def read_via(text: str) -> tuple[str, ...]:
    """Pseudonyms in Via headers (RFC 7230, 5.7.1)."""
    entries = (entry.split() for entry in text.split(","))
    return tuple(entry[1] for entry in entries if len(entry) > 1)


def _address(source: Source) -> str | None:
    """The one address that a Link header can carry; None where a @context is more than that."""
    every = cast("list[Any]", source if isinstance(source, list) else [source])
    users = [each for each in every if not (isinstance(each, str) and is_core(each) and len(every) > 1)]
    return users[0] if len(users) == 1 and isinstance(users[0], str) else None


def _link(url: str) -> str:
    return f'<{url}>; rel="http://www.w3.org/ns/json-ld#context"; type="{JSON_LD}"'


def _embed(document: Any, source: Source) -> Any:
    if isinstance(document, list):
        return [_embed(each, source) for each in cast("list[Any]", document)]
    return (
        {"@context": source, **cast("dict[str, Any]", document)} if isinstance(document, dict) else document
    )
