"""@contexts from the network: bounded in time and size, and never from inside the city's own network.

A name is resolved once and the connection goes to the address that was looked at: a name that means another
address a moment later (DNS rebinding) gains nothing. Redirects are looked at like first addresses.
"""

import ipaddress
import json
import socket
import time
from collections.abc import Iterable
from typing import Any, cast

import httpx
import orjson

from machinami.errors import BadRequestData, ContextUnavailable

MAX_BYTES = 2 * 2**20
"""Bytes of a document."""

_MAX_REDIRECTS = 3
_ACCEPT = "application/ld+json, application/json"


def fetch_document(url: str, timeout: float, *, private: bool = False) -> dict[str, Any]:
    """The JSON object behind an address, at most three redirects away.

    Args:
        timeout: seconds for all of it.
        private: addresses that are not public are allowed too: loopback, private networks, link-local.

    Raises:
        ContextUnavailable: it cannot be had, or may not be asked.
        BadRequestData: what is there is no JSON object (clause 5.5.6).
    """
    deadline = time.monotonic() + timeout
    place = url
    for _ in range(_MAX_REDIRECTS + 1):
        try:
            content, place = _get(httpx.URL(place), deadline, private=private)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            raise unavailable(url, f"could not be fetched: {error or type(error).__name__}") from error
        if not place:
            return _parsed(url, content)
    raise unavailable(url, f"is more than {_MAX_REDIRECTS} redirects away")


def unavailable(url: str, why: str) -> ContextUnavailable:
    """The error for a @context that cannot be had."""
    return ContextUnavailable(
        f"the @context {url} {why}",
        field="@context",
        value=url,
        cure="Pin it: machinami context add URL --file F; or POST it to /ngsi-ld/v1/jsonldContexts",
    )


def invalid(url: str, why: str) -> BadRequestData:
    """The error for an address behind which there is something, but no @context (clause 5.5.6)."""
    return BadRequestData(
        f"the @context {url} {why}", field="@context", value=url, cure="Name the address of a @context"
    )


def _get(url: httpx.URL, deadline: float, *, private: bool) -> tuple[bytes, str]:
    """The content behind an address; or where it leads to."""
    if url.scheme not in ("http", "https") or not url.host:
        raise unavailable(str(url), "is no http(s) address")
    pinned = url.copy_with(host=_resolve(url, private=private))
    headers = {"Accept": _ACCEPT, "Host": url.netloc.decode()}
    left = max(0.1, deadline - time.monotonic())
    # No proxy of the environment: it would resolve the name again.
    with (
        httpx.Client(timeout=left, trust_env=False) as client,
        client.stream("GET", pinned, headers=headers, extensions={"sni_hostname": url.host}) as response,
    ):
        if response.is_redirect:
            return b"", str(url.join(response.headers["Location"]))
        response.raise_for_status()
        return _bounded(str(url), response.iter_bytes(), deadline), ""


def _resolve(url: httpx.URL, *, private: bool) -> str:
    """An address of the host that may be asked; all of them have to be public, unless private ones may be."""
    port = url.port or (443 if url.scheme == "https" else 80)
    found = [str(each[4][0]) for each in socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)]
    if not private and not all(is_public(address) for address in found):
        raise unavailable(
            str(url),
            f"is at {found[0]}, which is no public address; MACHINAMI_CONTEXT_PRIVATE_ADDRESSES allows such",
        )
    return found[0]


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, also when it is wrapped into an IPv6 address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip.sixtofour or ip
    return ip.is_global and not ip.is_multicast


def _bounded(url: str, chunks: Iterable[bytes], deadline: float) -> bytes:
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > MAX_BYTES:
            raise unavailable(url, f"is larger than {MAX_BYTES} bytes")
        if time.monotonic() > deadline:
            raise unavailable(url, "takes too long")
    return bytes(content)


def _parsed(url: str, content: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(content)
    except json.JSONDecodeError as error:
        raise invalid(url, f"is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise invalid(url, "is not a JSON object")
    return cast("dict[str, Any]", document)
