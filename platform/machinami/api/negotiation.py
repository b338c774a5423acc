"""HTTP headers of the standard: media types (clause 6.3.4), @context link (6.3.5), tenant (6.3.14)."""

import re
from collections.abc import Mapping, Sequence

from starlette.datastructures import Headers

from machinami.errors import BadRequestData, InvalidRequest, NotAcceptable, UnsupportedMediaType
from machinami.model import DEFAULT_TENANT
from machinami.ngsild.conformance import NEWEST, Version, format_version, parse_version

JSON = "application/json"
JSON_LD = "application/ld+json"
GEO_JSON = "application/geo+json"
MERGE_PATCH = "application/merge-patch+json"

CONTEXT_RELATION = "http://www.w3.org/ns/json-ld#context"
_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[\w!#$&+.^`|~*-]+(?:=(?:\"[^\"]*\"|[^\s;,\"]+))?)*)")
_VERSION = re.compile(r"(?:^|[,;])\s*ngsi-ld\s*=\s*\"?(\d{1,3}\.\d{1,3})\"?\s*(?:$|[,;])", re.IGNORECASE)
_TENANT = re.compile(r"[\x21-\x7e]{1,200}")
_TENANT_HEADERS = ("ngsild-tenant", "fiware-service")


def accepted(headers: Headers, offered: Sequence[str]) -> str:
    """The media type to answer with: the client's weights first, then our order.

    Raises:
        NotAcceptable: none of those offered is wanted.
    """
    text = ", ".join(headers.getlist("accept")).strip()
    if not text:
        return offered[0]
    weights = dict(_ranges(text))
    best = max(offered, key=lambda offer: _weight(offer, weights))  # the first of equals
    if _weight(best, weights) <= 0:
        raise NotAcceptable(
            "none of the media types asked for can be given",
            field="Accept",
            value=text,
            cure=f"Available: {', '.join(offered)}",
        )
    return best


def content_type(headers: Headers, known: Sequence[str]) -> str:
    """The body's media type, without its parameters.

    Raises:
        InvalidRequest: it is not said (clause 6.3.4).
        UnsupportedMediaType: it is none of those known here.
    """
    text = headers.get("content-type")
    if text is None:
        raise InvalidRequest(
            "the type of the body is not said",
            field="Content-Type",
            value=None,
            cure=f"Send {' or '.join(known)}",
        )
    found = text.partition(";")[0].strip().lower()
    if found not in known:
        raise UnsupportedMediaType(
            f"a body of type {found or '(none)'} cannot be read",
            field="Content-Type",
            value=text,
            cure=f"Send {' or '.join(known)}",
        )
    return found


def linked_context(headers: Headers) -> str | None:
    """Address of the @context in the Link header, if there is one.

    Raises:
        BadRequestData: there are two of them.
    """
    links = _LINK.finditer(", ".join(headers.getlist("link")))
    found = [link[1] for link in links if CONTEXT_RELATION in link[2]]
    if len(found) > 1:
        raise BadRequestData(
            "two @context links", field="Link", value=", ".join(found), cure="Link to one @context"
        )
    return found[0] if found else None


def context_link(url: str) -> str:
    """A Link header that points to a @context."""
    return f'<{url}>; rel="{CONTEXT_RELATION}"; type="{JSON_LD}"'


def tenant(headers: Headers) -> str:
    """Name of the tenant: NGSILD-Tenant, or Fiware-Service as older clients send it.

    Raises:
        BadRequestData: the two differ, or it is no name.
    """
    given = {name: headers[name] for name in _TENANT_HEADERS if headers.get(name)}
    names = set(given.values())
    if not names:
        return DEFAULT_TENANT
    if len(names) > 1:
        raise BadRequestData(
            "NGSILD-Tenant and Fiware-Service name different tenants",
            field="NGSILD-Tenant",
            value=given["ngsild-tenant"],
            cure="Send one of the two headers",
        )
    name = names.pop()
    if not _TENANT.fullmatch(name):
        raise BadRequestData(
            "not the name of a tenant",
            field="NGSILD-Tenant",
            value=name,
            cure="Up to 200 printable ASCII characters",
        )
    return name


def preferred_body(headers: Headers) -> str:
    """How a GeoJSON answer carries its @context (clause 6.3.6): ``json`` by link, ``ld+json`` in the body."""
    return "json" if "body=json" in headers.get("prefer", "").replace(" ", "") else "ld+json"


def preferred_version(headers: Headers) -> Version | None:
    """The version of the standard that an answer is to be of (clause 6.3.6): ``Prefer: ngsi-ld=1.6``.

    What is no version is passed over, as RFC 7240 has it of any preference; of later ones the newest known.
    """
    found = _VERSION.search(", ".join(headers.getlist("prefer")))
    return min(parse_version(found[1]), NEWEST) if found else None


def preference_applied(version: Version | None) -> dict[str, str]:
    """The header that says which version an answer is of; none where none was preferred."""
    return {"Preference-Applied": f"ngsi-ld={format_version(version)}"} if version else {}


def _ranges(text: str) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for part in text.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
        found.append((media, _number(weight)))
    return found


def _number(text: str) -> float:
    """A weight (RFC 9110, 12.4.2); one that is none is passed over, and the range counts in full."""
    return float(text) if re.fullmatch(r"\d(\.\d{0,3})?", text, re.ASCII) else 1.0


def _weight(offer: str, weights: Mapping[str, float]) -> float:
    for media in (offer, offer.partition("/")[0] + "/*", "*/*"):
        if media in weights:
            return weights[media]
    return 0.0
