"""A running API on a database of the test's own, reached over HTTP."""

import socket
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from machinami.api.app import create_app
from machinami.api.header_names import HeaderNames
from machinami.api.services import POOL_SIZE
from machinami.settings import Settings
from machinami.store.engine import open_engine
from sqlalchemy import Engine


@pytest.fixture
def settings() -> Settings:
    return Settings(context_fetch=False)


@pytest.fixture
def app(settings: Settings, engine: Engine) -> FastAPI:
    return create_app(settings, engine)


@contextmanager
def served(app: FastAPI) -> Generator[str]:
    """Base URL of an application that is served meanwhile, as the role serves it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # a request that comes before the application is up waits
        config = uvicorn.Config(HeaderNames(app), log_config=None, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="test server")
        thread.start()
        try:
            host, port = listener.getsockname()
            yield f"http://{host}:{port}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def server(app: FastAPI) -> Iterator[str]:
    """Base URL of the served application."""
    with served(app) as url:
        yield url


@pytest.fixture
def client(server: str) -> Iterator[httpx.Client]:
    """Client of the standard API."""
    with httpx.Client(base_url=f"{server}/ngsi-ld/v1", timeout=20) as client:
        yield client


@pytest.fixture
def brokers(more_databases: Callable[[], str]) -> Iterator[list[tuple[httpx.Client, Engine]]]:
    """Three brokers of neighbouring cities: a client of each, and the database that is its own."""
    settings = Settings(context_fetch=False, source_private=True, source_timeout=2)
    with ExitStack() as stack:
        found: list[tuple[httpx.Client, Engine]] = []
        for _ in range(3):
            engine = open_engine(more_databases(), pool_size=POOL_SIZE)
            stack.callback(engine.dispose)
            with engine.begin() as connection:  # databases of tests are copies, which cities are not
                connection.exec_driver_sql(
                    "UPDATE source_identity SET alias = 'machinami-' || gen_random_uuid()"
                )
            url = stack.enter_context(served(create_app(settings, engine)))
            client = stack.enter_context(httpx.Client(base_url=f"{url}/ngsi-ld/v1", timeout=20))
            found.append((client, engine))
        yield found


@pytest.fixture
def cities(brokers: list[tuple[httpx.Client, Engine]]) -> list[httpx.Client]:
    """Clients of three brokers of neighbouring cities."""
    return [client for client, _ in brokers]
