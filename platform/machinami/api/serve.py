"""The API's process: uvicorn on loopback, quick to stop even while pages look on."""

import gc
from types import FrameType

import uvicorn

from machinami.api.app import create_app
from machinami.api.services import POOL_SIZE, Services
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


def serve(settings: Settings) -> None:
    """Serve the API until SIGTERM or SIGINT.

    Raises:
        Unavailable: no city runs on the data folder, and the settings name no database.
    """
    url = database_address(settings)
    engine = open_engine(url, pool_size=POOL_SIZE, statement_timeout=settings.query_timeout)
    app = create_app(settings, engine)
    gc.freeze()  # what is there by now stays, and need not be looked through
    gc.set_threshold(_GARBAGE)
    config = uvicorn.Config(
        app,
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
        _Server(config, app.state.services).run()
    finally:
        engine.dispose()
