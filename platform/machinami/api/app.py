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
from starlette.types import ASGIApp, Receive, Scope, Send

from machinami.api import (
    attributes,
    batches,
    city,
    contexts,
    dead_letters,
    entities,
    entity_maps,
    events,
    evolution,
    identity,
    registrations,
    snapshots,
    source_notifications,
    source_subscriptions,
    subscriptions,
    temporal,
    types,
)
from machinami.api.changes import Changes
from machinami.api.documentation import DESCRIPTION, DOCS_PAGE, SCHEMAS, STATIC, describe
from machinami.api.endpoint import Endpoint, Handler, handler
from machinami.api.metrics import PATH as METRICS
from machinami.api.metrics import metered, metrics
from machinami.api.problems import http_response, problem_response, unexpected_response
from machinami.api.services import Services
from machinami.errors import BadRequestData
from machinami.settings import Settings
from machinami.store.engine import Engine

logger = logging.getLogger(__name__)

RESOURCES = (
    entities.resource,
    attributes.resource,
    batches.resource,
    temporal.resource,
    evolution.resource,
    entity_maps.resource,
    snapshots.resource,
    types.resource,
    subscriptions.resource,
    registrations.resource,
    source_subscriptions.resource,
    source_notifications.resource,
    identity.resource,
    contexts.resource,
    city.resource,
    dead_letters.resource,
)
ENDPOINTS: tuple[Endpoint, ...] = tuple(each for resource in RESOURCES for each in resource.endpoints)
APPS = "machinami.apps"
_ROOT = "/ngsi-ld/v1/"
_OF_ONE_ENTITY = {("PUT", f"{_ROOT}entities"), ("PATCH", f"{_ROOT}entities")}
"""What needs an entity: an absent id is bad data there (clauses 5.6.17 and 5.6.18), not a wrong method."""
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


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
        openapi_tags=[{"name": resource.tag} for resource in RESOURCES],
        lifespan=_lifespan,
    )
    app.add_exception_handler(HTTPException, http_response)
    app.add_exception_handler(Exception, unexpected_response)
    app.add_middleware(_TrailingSlash)
    app.state.services = services
    for path, endpoints in by_path(ENDPOINTS).items():
        for endpoint in endpoints:
            _add(app, endpoint, metered(endpoint, handler(endpoint, services)))
        _refuse_other_methods(app, path, [endpoint.method for endpoint in endpoints])
    app.router.add_route(events.PATH, events.changes, methods=["GET"], include_in_schema=False)
    _refuse_other_methods(app, events.PATH, ["GET"])
    app.router.add_route(METRICS, metrics, methods=["GET"], include_in_schema=False)
    app.router.add_route("/docs", _docs, methods=["GET"], include_in_schema=False)
    app.mount("/docs/static", StaticFiles(directory=STATIC), name="documentation")
    app.mount("/", _Apps(app_folders()), name="apps")
    _add_schemas(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    services: Services = app.state.services
    task = asyncio.create_task(services.changes.run(), name="changes")
    async with services.sources.opened():
        yield
    services.changes.close()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


class _TrailingSlash:
    """Takes the slash off the standard's own paths (``/entities/``), never off an id that ends in ``%2F``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["raw_path"].endswith(b"/") and scope["path"].startswith(_ROOT):
            scope = {**scope, "path": scope["path"][:-1]}
        await self._app(scope, receive, send)


def _add(app: FastAPI, endpoint: Endpoint, handle: Handler) -> None:
    app.router.add_api_route(
        endpoint.path,
        handle,
        methods=[endpoint.method],
        summary=endpoint.summary,
        tags=[endpoint.tag],
        operation_id=endpoint.function.__name__,
        openapi_extra=describe(endpoint),
        response_model=None,
        route_class_override=_Route,
    )


def by_path(endpoints: Iterable[Endpoint]) -> dict[str, list[Endpoint]]:
    """Endpoints by path, longest first: an id may hold slashes, but what comes after it is meant."""
    found: dict[str, list[Endpoint]] = {}
    for endpoint in sorted(endpoints, key=lambda each: (-each.path.count("/"), each.path.count("{"))):
        found.setdefault(endpoint.path, []).append(endpoint)
    return found


def _refuse_other_methods(app: FastAPI, path: str, allowed: list[str]) -> None:
    """The path itself says 405, before another one that fits, or the pages below ``/``, are looked at."""

    async def refuse(request: Request) -> Response:
        if (request.method, path) in _OF_ONE_ENTITY:
            return problem_response(BadRequestData("the path names no entity", field="entityId"))
        raise HTTPException(405, headers={"Allow": ", ".join(allowed)})

    app.router.add_route(path, refuse, methods=_METHODS, include_in_schema=False)


async def _docs(_: Request) -> Response:
    return HTMLResponse(DOCS_PAGE)


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
