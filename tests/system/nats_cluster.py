"""Three NATS servers on loopback, configured by the very files of deploy/nats-cluster."""

import json
import secrets
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from machinami.local.broker import find_nats_server
from machinami.local.ports import LOOPBACK, free_ports
from machinami.local.process import Program, start, stop
from machinami.stream.client import STREAM
from system.conftest import wait_for

TEMPLATE = Path(__file__).parents[2] / "deploy/nats-cluster/nats.conf"
PASSWORD = secrets.token_hex(16)


class Server:
    """One server of the cluster."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.process: subprocess.Popen[bytes] | None = None
        self.client, self.monitor, self.cluster, self.mqtt = free_ports(4)
        self._folder = folder / name

    def configure(self, routes: Sequence[int]) -> None:
        self._folder.mkdir()
        shutil.copy(TEMPLATE, self._folder)
        names = ("CITY_PASSWORD", "DEVICE_PASSWORD", "CLUSTER_PASSWORD")
        (self._folder / "passwords.conf").write_text("".join(f"{name}: {PASSWORD}\n" for name in names))
        here = {
            "server_name": self.name,
            "listen": f"{LOOPBACK}:{self.client}",
            "http": f"{LOOPBACK}:{self.monitor}",
            "CLUSTER_LISTEN": f"{LOOPBACK}:{self.cluster}",
            "MQTT_HOST": LOOPBACK,
            "MQTT_PORT": self.mqtt,
            "LOG_FOLDER": str(self._folder / "store"),
            "CLUSTER_ROUTES": [f"nats-route://cluster:{PASSWORD}@{LOOPBACK}:{port}" for port in routes],
        }
        lines = [f"{name}: {json.dumps(value)}\n" for name, value in here.items()]
        (self._folder / "this-server.conf").write_text("".join(lines))

    def start(self) -> None:
        command = [find_nats_server(), "-c", str(self._folder / "nats.conf")]
        self.process = start(Program(command=command, log=self._folder / "server.log"))

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None:
            stop(self.process, signals=((signal.SIGTERM, 5.0),))

    def said(self) -> str:
        return (self._folder / "server.log").read_text()

    def ask(self, path: str) -> Any:
        """A page of its monitoring port; None while it is not in order."""
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self.monitor}{path}", timeout=5) as answer:
                return json.load(answer)
        except OSError:
            return None


class Cluster:
    """The three of them."""

    def __init__(self, folder: Path) -> None:
        self.servers = [Server(folder, f"nats-{number}") for number in (1, 2, 3)]
        for server in self.servers:
            server.configure([each.cluster for each in self.servers])

    @property
    def addresses(self) -> str:
        return ",".join(f"{LOOPBACK}:{server.client}" for server in self.servers)

    def start(self) -> None:
        for server in self.servers:
            server.start()
        for server in self.servers:
            wait_for(f"{server.name}: {server.said()}", lambda server=server: self._in_order(server))

    def _in_order(self, server: Server) -> bool:
        assert server.process is not None
        assert server.process.poll() is None, server.said()
        return bool(server.ask("/healthz")) and bool(
            (server.ask("/jsz") or {}).get("meta_cluster", {}).get("leader")
        )

    def stream(self, server: Server) -> dict[str, Any]:
        """The stream of messages as this server sees it; empty while it does not know it."""
        answer = server.ask("/jsz?streams=1&accounts=1") or {}
        for account in answer.get("account_details", ()):
            for detail in account.get("stream_detail", ()):
                if detail["name"] == STREAM:
                    return detail
        return {}

    def leader(self) -> Server:
        """The server that leads the stream of messages."""

        def find() -> Server | None:
            told = {self.stream(server).get("cluster", {}).get("leader") for server in self.servers}
            return next((server for server in self.servers if told == {server.name}), None)

        return wait_for("a leader of the stream", find)


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        for server in cluster.servers:
            server.stop()
