"""A broker to kill, a subscriber to compare with, and the ledger as the platform reads it."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion


class Broker:
    """A nats-server with an MQTT listener, which a test may kill and start again.

    Args:
        mqtt: more settings of the listener. more: and of the server.
    """

    def __init__(self, folder: Path, *, mqtt: str = "", more: str = "") -> None:
        self.port = _free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._config = folder / "nats.conf"
        self._config.write_text(
            f'listen: "127.0.0.1:{_free_port()}"\nserver_name: test\n'
            f'jetstream {{ store_dir: "{folder}/store" }}\n{more}\n'
            f'mqtt {{ listen: "127.0.0.1:{self.port}"\n{mqtt} }}\n'
        )

    def start(self) -> None:
        program = shutil.which(
            "nats-server", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        )
        assert program, "nats-server is not installed"
        with (self._folder / "nats.log").open("ab") as log:
            self._process = subprocess.Popen([program, "-c", str(self._config)], stdout=log, stderr=log)
        wait_for(self._answers, "the broker to listen")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for(condition, what: str, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def ledger_rows(folder: Path) -> list[tuple[str, str, bytes, float | None]]:
    """Kind, topic, payload, acknowledged_at of every message in the ledgers of a data folder, in order."""
    rows: list[tuple[str, str, bytes, float | None]] = []
    for path in sorted((folder / "ledger").glob("*.sqlite")):
        database = sqlite3.connect(path)
        rows += database.execute(
            "SELECT kind, topic, payload, acknowledged_at FROM message ORDER BY n"
        ).fetchall()
        database.close()
    return rows


@contextmanager
def running(*words: str | Path) -> Generator[subprocess.Popen[str]]:
    """A command of the simulators in a process of its own, killed at the end if it still runs."""
    command = [sys.executable, "-m", "machinami_simulators", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


class Subscriber:
    """Collects every message, on a thread of its own."""

    def __init__(self, port):
        self.payloads = []
        ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="subscriber")
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=0)
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.on_message = lambda _c, _u, message: self.payloads.append(
            (message.topic, message.payload)
        )
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert ready.wait(60)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()
