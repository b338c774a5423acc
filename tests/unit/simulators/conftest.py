"""A real MQTT broker for the tests of sending, and the city built once."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from machinami_simulators import city, plan


class Broker:
    """A nats-server with an MQTT listener, which a test may kill and start again."""

    def __init__(self, folder: Path) -> None:
        self.port = _free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._config = folder / "nats.conf"
        self._config.write_text(
            f'listen: "127.0.0.1:{_free_port()}"\nserver_name: test\n'
            f'jetstream {{ store_dir: "{folder}/store" }}\nmqtt {{ listen: "127.0.0.1:{self.port}" }}\n'
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


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    folder = tmp_path / "broker"
    folder.mkdir()
    server = Broker(folder)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def namiki() -> city.City:
    return city.build(plan.namiki())


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = (
        Path(os.environ.get("MACHINAMI_SHARED_DATA") or Path(__file__).parents[3] / "../shared/data") / "real"
    )
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}; set MACHINAMI_SHARED_DATA")
    return folder
