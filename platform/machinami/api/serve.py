"""The API's process: uvicorn on loopback, quick to stop while pages look on. Several may share a port."""

import gc
import socket
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from machinami.api.app import create_app
from machinami.api.header_names import HeaderNames
from machinami.api.services import POOL_SIZE, Services
from machinami.errors import SetupError
from machinami.metrics import serving
from machinami.settings import Settings, database_address
from machinami.store.engine import open_engine

_GARBAGE = 50_000  # objects made and not freed, before cycles are looked for: more than a large batch's
_GRACE = 2  # seconds for requests under way when the process is told to stop


class _Server(uvicorn.Server):
    """Ends the streams of changes first: a request that never ends would hold up the others' farewell."""

    def __init__(self, config: uvicorn.Config, services: Services) -> None:
        super().__init__(config)
        self._services = services

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._services.changes.close()
        super().handle_exit(sig, frame)


def serve(settings: Settings, *, share_port: bool = False) -> None:
    """Serve the API until SIGTERM or SIGINT.

    Args:
        share_port: take the port together with others of this user that share it; the kernel gives each new
            connection to one of them. ``/metrics`` of this one is then on ``metrics_port``.

    Raises:
        Unavailable: no city runs on the data folder, and the settings name no database.
        SetupError: the port is in use by somebody who does not share it.
    """
    if not share_port:
        _serve(settings, None)
        return
    with (
        _shared_port(settings.api_host, settings.api_port) as listener,
        serving(settings.metrics_host, settings.metrics_port),
    ):
        _serve(settings, [listener])


def _serve(settings: Settings, sockets: list[socket.socket] | None) -> None:
    url = database_address(settings)
    engine = open_engine(url, pool_size=POOL_SIZE, statement_timeout=settings.query_timeout)
    app = create_app(settings, engine)
    gc.freeze()  # what is there by now stays, and need not be looked through
    gc.set_threshold(_GARBAGE)
    config = uvicorn.Config(
        HeaderNames(app),
        host=settings.api_host,
        port=settings.api_port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )
    try:
        _Server(config, app.state.services).run(sockets)
    finally:
        engine.dispose()


@contextmanager
def _shared_port(host: str, port: int) -> Generator[socket.socket]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise SetupError(
                f"{host}:{port} cannot be shared: {error.strerror}",
                field="--port",
                value=port,
                cure="Start all who listen there with --share-port, or choose another port",
            ) from error
        yield listener
