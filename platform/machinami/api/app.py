"""The application: every endpoint of every resource, the pages of the city, one shape of errors."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from machinami.api import batches, city, contexts, entities, events, subscriptions, temporal, types
from machinami.api.changes import Changes
from machinami.api.documentation import DESCRIPTION, DOCS_PAGE, SCHEMAS, STATIC, describe
from machinami.api.endpoint import Endpoint, Handler, handler
from machinami.api.pending import resource as pending
from machinami.api.problems import http_response, unexpected_response
from machinami.api.services import Services
from machinami.settings import Settings
from machinami.store.engine import Engine

logger = logging.getLogger(__name__)

RESOURCES = (
    entities.resource,
    batches.resource,
    temporal.resource,
    types.resource,
    subscriptions.resource,
    contexts.resource,
    city.resource,
    pending,
)
ENDPOINTS: tuple[Endpoint, ...] = tuple(each for resource in RESOURCES for each in resource.endpoints)
APPS = "machinami.apps"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class _Route(APIRoute):
    """A route whose function takes the request as it is: nothing of it is read twice."""

    def get_route_handler(self) -> Any:
        """The endpoint itself, which is a coroutine from request to response already."""
        return self.endpoint


def create_app(settings: Settings, engine: Engine) -> FastAPI:
    """The application on one database.

    Args:
        engine: with a pool of `machinami.api.services.POOL_SIZE`.
    """
    services = Services(settings, engine, Changes(engine))
    app = FastAPI(
        title="Machinami",
        description=DESCRIPTION,
        version=version("machinami"),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.add_exception_handler(HTTPException, http_response)
    app.add_exception_handler(Exception, unexpected_response)
    app.state.services = services
    for endpoint in ENDPOINTS:
        _add(app, endpoint, handler(endpoint, services))
    _add_events(app)
    _add_pages(app)
    _add_method_refusals(app)
    app.mount("/docs/static", StaticFiles(directory=STATIC), name="documentation")
    app.mount("/", _Apps(app_folders()), name="apps")
    _add_schemas(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    services: Services = app.state.services
    task = asyncio.create_task(services.changes.run(), name="changes")
    yield
    services.changes.close()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _add(app: FastAPI, endpoint: Endpoint, handle: Handler) -> None:
    for path in (endpoint.path, endpoint.path + "/"):  # the standard's own paths end in a slash
        app.router.add_api_route(
            path,
            handle,
            methods=[endpoint.method],
            summary=endpoint.summary,
            tags=[endpoint.tag],
            operation_id=_operation_id(endpoint) + ("/" if path != endpoint.path else ""),
            openapi_extra=describe(endpoint),
            response_model=None,
            include_in_schema=path == endpoint.path,
            route_class_override=_Route,
        )


def _operation_id(endpoint: Endpoint) -> str:
    return endpoint.function.__name__ if endpoint.function else endpoint.summary.replace(" ", "_").lower()


def _add_events(app: FastAPI) -> None:
    app.router.add_route(events.PATH, events.changes, methods=["GET"], include_in_schema=False)


def _add_pages(app: FastAPI) -> None:
    async def docs(_: Request) -> Response:
        return HTMLResponse(DOCS_PAGE)

    app.router.add_route("/docs", docs, methods=["GET"], include_in_schema=False)


def _add_method_refusals(app: FastAPI) -> None:
    """Paths of the API refuse other methods themselves, before the pages below ``/`` are looked at."""
    allowed: dict[str, set[str]] = {events.PATH: {"GET"}}
    for endpoint in ENDPOINTS:
        for path in (endpoint.path, endpoint.path + "/"):
            allowed.setdefault(path, set()).add(endpoint.method)
    for path, methods in allowed.items():
        app.router.add_route(path, _refusal(sorted(methods)), methods=None, include_in_schema=False)


def _refusal(methods: list[str]) -> Handler:
    async def refuse(_: Request) -> Response:
        raise HTTPException(405, headers={"Allow": ", ".join(methods)})

    return refuse


class _Apps(StaticFiles):
    """The city's pages: the first folder that has a file gives it."""

    def __init__(self, folders: Iterable[Path]) -> None:
        super().__init__(directory=STATIC, html=True)
        self.all_directories = [str(folder) for folder in folders]


def app_folders() -> list[Path]:
    """Folders of pages that installed packages offer. One that cannot be had is said and left out."""
    folders: list[Path] = []
    for entry in entry_points(group=APPS):
        try:
            folder: Any = entry.load()()
        except Exception:  # its fault must not stop the API
            logger.exception("the pages of %s cannot be had", entry.value)
            continue
        folders.append(Path(folder))
    return folders


def _add_schemas(app: FastAPI) -> None:
    schema = app.openapi()
    schema.setdefault("components", {}).setdefault("schemas", {}).update(SCHEMAS)
