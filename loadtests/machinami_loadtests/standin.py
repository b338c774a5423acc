"""A city for one bench: real broker and database in a folder, workers started and stopped at will."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
from machinami.linkage.write import Linkage
from machinami.local.broker import Broker
from machinami.local.database import EmbeddedDatabase
from machinami.local.prepare import prepare_city
from machinami.settings import City, Settings, read_city, write_city
from machinami.store.engine import open_engine
from machinami.stream.client import StreamState, open_stream

from machinami_loadtests.meters import CONNECTOR_FOLDER


class BenchCity:
    """Broker and database, without ingest, API or apps. Get one with `bench_city`."""

    def __init__(self, data_dir: Path, broker: Broker, database_url: str, database_pid: int | None) -> None:
        self.data_dir = data_dir
        self.engine = open_engine(database_url)
        self.linkage = Linkage(self.engine)
        self.mqtt = (str(broker.mqtt["host"]), int(broker.mqtt["port"]))
        self.roles = {"broker": psutil.Process(broker.process.pid)} if broker.process else {}
        if database_pid:
            self.roles["database"] = psutil.Process(database_pid)

    def stream(self) -> StreamState:
        """How far the stream reaches."""
        return asyncio.run(self._stream())

    async def _stream(self) -> StreamState:
        city = read_city(self.data_dir)
        async with open_stream(city.nats, city.nats_password) as stream:
            return await stream.state()

    @contextmanager
    def worker(self, *command: str, name: str = "worker") -> Generator[subprocess.Popen[str]]:
        """A Python process that reads the stream, counted as a role of this name; stopped at the end."""
        with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as process:
            self.roles[name] = psutil.Process(process.pid)
            try:
                yield process
            finally:
                del self.roles[name]
                process.terminate()

    @contextmanager
    def ingest(self, workers: int) -> Generator[None]:
        """So many processes of the real role, counted as ``worker``, or ``worker-1`` and so on."""
        command = ("-m", "machinami", "ingest", "--data-dir", str(self.data_dir))
        with ExitStack() as stack:
            for number in range(workers):
                name = "worker" if workers == 1 else f"worker-{number + 1}"
                stack.enter_context(self.worker(*command, name=name))
            yield

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU that each role has used so far, its children's among them."""
        own = os.times()
        used = {name: _seconds([process, *process.children(True)]) for name, process in self.roles.items()}
        return {**used, "swarm": own.user + own.system}


def _seconds(processes: Sequence[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:  # it ended just now; its parent counts it among its children
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


@contextmanager
def bench_city(data_dir: Path, database_url: str | None = None) -> Generator[BenchCity]:
    """Start broker and database in this folder.

    Args:
        database_url: measure this server instead of the embedded one.
    """
    toml = f'connector_folders = ["{CONNECTOR_FOLDER}"]\n'
    (data_dir / "machinami.toml").write_text(toml, encoding="utf-8")
    with ExitStack() as stack:
        database = None if database_url else stack.enter_context(EmbeddedDatabase(data_dir))
        broker = Broker(data_dir)
        broker.start(devices=False)
        stack.callback(broker.stop)
        url = database_url or (database.url if database else "")
        write_city(data_dir, _addresses(broker, url))
        prepare_city(Settings.load(data_dir))
        broker.stop()
        broker.start()
        write_city(data_dir, _addresses(broker, url))
        process = database.process if database else None
        city = BenchCity(data_dir, broker, url, process.pid if process else None)
        stack.callback(city.engine.dispose)
        yield city


def _addresses(broker: Broker, database_url: str) -> City:
    return City(
        api="",
        mqtt=broker.mqtt,
        nats=broker.nats,
        nats_password=broker.password,
        database=database_url,
        supervisor=os.getpid(),
    )
