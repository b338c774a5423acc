"""/machinami/v1/changes: server-sent events for browsers (WHATWG HTML, 9.2)."""

import asyncio
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from machinami.api import negotiation
from machinami.api.call import Call
from machinami.api.changes import Page, Wish
from machinami.api.forms import REPRESENTATIONS, Form
from machinami.api.parameters import read_arguments
from machinami.api.problems import problem_response
from machinami.api.services import Services
from machinami.errors import MachinamiError
from machinami.linkage.read import tenant_of
from machinami.linkage.types import parse_types
from machinami.ngsild.render import Representation

PATH = "/machinami/v1/changes"
PARAMETERS = ("type", "attrs", "options")
_EVENT_STREAM = "text/event-stream"
_HEARTBEAT = 15.0
_SEND_TIMEOUT = 30.0
_OPENING = b"retry: 2000\n: entities as they are, four times a second, when they change\n\n"


async def changes(request: Request) -> Response:
    """Changes of entities as they happen, for browsers."""
    services: Services = request.app.state.services
    try:
        wish = await to_thread.run_sync(_read_wish, services, request, limiter=services.limiter)
    except MachinamiError as error:
        return problem_response(error)
    return EventStream(services, wish)


class EventStream(Response):
    """The stream to one page, until it goes or is cut off."""

    def __init__(self, services: Services, wish: Wish) -> None:
        super().__init__(
            media_type=_EVENT_STREAM, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        del self.headers["content-length"]
        self._services = services
        self._wish = wish

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 # ASGI
        """Serve the stream (ASGI)."""
        with self._services.changes.page(self._wish) as page:
            tasks = {
                asyncio.create_task(self._send(page, send), name="events: send"),
                asyncio.create_task(_gone(receive), name="events: wait for the page to go"),
            }
            done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            for task in done:
                task.result()

    async def _send(self, page: Page, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        part: bytes | None = _OPENING
        try:
            while part is not None:
                async with asyncio.timeout(_SEND_TIMEOUT):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
                part = await _next(page)
            await send(
                {"type": "http.response.body", "body": b": cut off, come again\n\n", "more_body": False}
            )
        except TimeoutError:  # nobody reads at the other end; the server closes the connection
            return


async def _next(page: Page) -> bytes | None:
    try:
        async with asyncio.timeout(_HEARTBEAT):
            return await page.events.get()
    except TimeoutError:
        return b": heartbeat\n\n"


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _read_wish(services: Services, request: Request) -> Wish:
    arguments = read_arguments(request.query_params.multi_items(), PARAMETERS)
    call = Call(services, request, arguments, offered=(_EVENT_STREAM,))
    names = frozenset(call.context.expand(name) for name in arguments.names("attrs"))
    form = Form(
        context=call.context,
        representation=arguments.one_of("options", REPRESENTATIONS, Representation.CONCISE),
        attributes=names or None,
    )
    link: Any = negotiation.linked_context(call.headers)
    return Wish(
        key=(call.tenant, str(link), *(arguments.get(name, "") for name in PARAMETERS)),
        tenant=tenant_of(services.engine, call.tenant),
        types=parse_types(arguments["type"], call.context.expand_type) if "type" in arguments else (),
        form=form,
    )
