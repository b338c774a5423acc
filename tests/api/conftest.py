"""A running API on a database of the test's own, reached over HTTP."""

import socket
import threading
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from machinami.api.app import create_app
from machinami.settings import Settings
from sqlalchemy import Engine


@pytest.fixture
def settings() -> Settings:
    return Settings(context_fetch=False)


@pytest.fixture
def app(settings: Settings, engine: Engine) -> FastAPI:
    return create_app(settings, engine)


@pytest.fixture
def server(app: FastAPI) -> Iterator[str]:
    """Base URL of the served application."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1)
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
def client(server: str) -> Iterator[httpx.Client]:
    """Client of the standard API."""
    with httpx.Client(base_url=f"{server}/ngsi-ld/v1", timeout=20) as client:
        yield client
