"""The roles as processes: they serve, and SIGTERM ends them, whoever looks on."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import psutil
import pytest
from api_samples import GAUGE, gauge
from machinami.api.serve import serve
from machinami.errors import SetupError
from machinami.linkage.write import Linkage
from machinami.model import Change, Operation
from machinami.settings import Settings
from sqlalchemy import Engine

_PROGRAM = (
    "from machinami.{role}.serve import serve; from machinami.settings import Settings; "
    "serve(Settings(){options})"
)


@contextmanager
def _role(role: str, database_url: str, port: int, options: str = "") -> Generator[subprocess.Popen[bytes]]:
    environment = {
        "MACHINAMI_DATABASE_URL": database_url,
        "MACHINAMI_API_PORT": str(port),
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),  # the code under test, installed or not
    }
    command = [sys.executable, "-W", "error", "-c", _PROGRAM.format(role=role, options=options)]
    process = subprocess.Popen(command, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _wait(url: str) -> None:
    pause = threading.Event()
    for _ in range(600):
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pause.wait(0.05)
    raise AssertionError(f"{url} does not answer")


def test_the_api_ends_at_once_while_pages_look_on(database_url: str, port: int, engine: Engine) -> None:
    Linkage(engine).apply([Change(entity_id=GAUGE, operation=Operation.MERGE, types=("urn:x:T",))])
    base = f"http://127.0.0.1:{port}"
    with _role("api", database_url, port) as process:
        _wait(f"{base}/machinami/v1/health")
        with httpx.stream("GET", f"{base}/machinami/v1/changes") as stream:
            lines = stream.iter_lines()
            assert next(lines) == "retry: 2000"
            process.send_signal(signal.SIGTERM)
            assert ": cut off, come again" in list(lines)
        assert process.wait(timeout=60) in (0, -signal.SIGTERM)


def _answering(port: int) -> int | None:
    """The process that has taken a new connection; None as long as none has."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        own = connection.getsockname()
        threading.Event().wait(0.02)
        return next((each.pid for each in psutil.net_connections("tcp4") if each.raddr == own), None)


def test_several_share_a_port_and_one_may_die(database_url: str, port: int) -> None:
    health = f"http://127.0.0.1:{port}/machinami/v1/health"
    shared = ", share_port=True"
    with (
        _role("api", database_url, port, shared) as first,
        _role("api", database_url, port, shared) as second,
    ):
        _wait(health)
        seen: set[int | None] = set()
        while not {first.pid, second.pid} <= seen:  # the second may still be starting
            seen.add(_answering(port))
        first.kill()
        first.wait()
        assert all(httpx.get(health).status_code == 200 for _ in range(20))


def test_a_port_that_is_not_shared_is_refused(database_url: str, port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        settings = Settings(database_url=database_url, api_port=port)
        with pytest.raises(SetupError, match="cannot be shared"):
            serve(settings, share_port=True)


def test_the_notifier_delivers_and_ends(client: httpx.Client, database_url: str, port: int) -> None:
    got: list[bytes] = []
    arrived = threading.Event()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()
            arrived.set()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 # the base class says so
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as receiver:
        threading.Thread(target=receiver.serve_forever).start()
        uri = f"http://127.0.0.1:{receiver.server_port}/notify"
        subscription = {
            "type": "Subscription",
            "entities": [{"type": "FloodMonitoring"}],
            "notification": {"endpoint": {"uri": uri}},
        }
        assert client.post("/subscriptions", json=subscription).status_code == 201
        client.post("/entities", json=gauge())
        with _role("notify", database_url, port) as process:
            assert arrived.wait(timeout=60)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0
        receiver.shutdown()
    assert GAUGE.encode() in got[0]
