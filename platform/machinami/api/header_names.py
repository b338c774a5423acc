"""Names of response headers in their customary letters: ``Location``, ``NGSILD-Results-Count``.

RFC 9110 lets nobody look at the case of a name. Some clients do all the same.
"""

from functools import lru_cache

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_FRAMING = frozenset({b"connection", b"content-length", b"transfer-encoding"})
"""Those that the server itself looks for, in small letters."""
_OWN = {
    name.lower(): name
    for name in (b"ETag", b"NGSILD-EntityMap", b"NGSILD-Results-Count", b"NGSILD-Snapshot", b"NGSILD-Tenant")
}


class _Name(bytes):
    """A name that keeps its letters: uvicorn sends the small ones of all others."""

    def lower(self) -> bytes:
        """The name as it is."""
        return self


class HeaderNames:
    """Writes the names of an application's response headers as they are customary.

    It goes between uvicorn and the application: to ASGI itself names in other than small letters are unknown.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application, whose names are mended as it sends them."""

        async def send_renamed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", ())
                message = {**message, "headers": [(customary(name), value) for name, value in headers]}
            await send(message)

        await self._app(scope, receive, send_renamed)


@lru_cache(maxsize=256)
def customary(name: bytes) -> bytes:
    """The name as it is usually written; those that frame the message stay as they are."""
    if name in _FRAMING:
        return name
    return _Name(_OWN.get(name, name.title()))
