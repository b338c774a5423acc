"""The city under test: `machinami up` as a process, its roles found, killed and waited for from outside."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec
import psutil
import psycopg
from machinami.errors import MachinamiError, SetupError, Unavailable
from machinami.local.city import worker_roles
from machinami.local.ports import LOOPBACK, free_port
from machinami.local.process import last_lines, log_size
from machinami.local.state import CityStatus, State, process_of, read_state
from machinami.settings import read_city
from machinami.store.engine import open_engine, transaction
from sqlalchemy import Engine, text

from machinami_loadtests.meters import CONNECTOR_FOLDER
from machinami_loadtests.soak.quota import Quota

PATIENCE = 180.0
"""Seconds in which a city must have come back, whatever befell it."""

_LOOK_EVERY = 0.05
_DIED = re.compile(r"PANIC: .*pg_wal.*No space left on device").search
_STOP_SECONDS = 20.0
_OTHERS = "FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid()"

_T = TypeVar("_T")


class Town:
    """A city in a folder of its own; devices always find it on the same port.

    Args:
        workers: processes that read the stream side by side.
    """

    def __init__(self, folder: Path, workers: int = 1) -> None:
        self.workers = workers
        self.data_dir = folder / "city"
        self.mqtt = (LOOPBACK, free_port())
        self.quota: Quota | None = None
        self.wal_quota: Quota | None = None
        self._output = folder / "up.out"
        self._process: subprocess.Popen[bytes] | None = None
        self._engine: tuple[str, Engine] | None = None
        self.data_dir.mkdir()
        toml = f'connector_folders = ["{CONNECTOR_FOLDER}"]\n'
        (self.data_dir / "machinami.toml").write_text(toml, encoding="utf-8")

    def start(self) -> None:
        """`machinami up`; returns at once."""
        options = ["--api-port", "0", "--mqtt-port", str(self.mqtt[1]), "--no-simulator"]
        options += ["--workers", str(self.workers)]
        command = [sys.executable, "-m", "machinami", "up", "--data-dir", str(self.data_dir), *options]
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)

    def stop(self) -> None:
        """Stop it politely."""
        self._end(signal.SIGTERM)

    def kill_supervisor(self) -> None:
        """As roughly as can be; the kernel ends the roles."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(_STOP_SECONDS)

    def limit_disks(self, size: int, wal_size: int) -> None:
        """Give the database a disk of so many bytes, and its log another; the city must be stopped.

        Raises:
            SetupError: nothing can be mounted here.
        """
        self.quota = Quota(self.data_dir / "database", size)
        self.wal_quota = Quota(self.data_dir / "database/pg_wal", wal_size)

    def wait_until_running(self) -> None:
        """Until all roles run."""
        wait_for("all roles run", lambda: all(r.state is State.RUNNING for r in self._status().roles) or None)

    def _status(self) -> CityStatus:
        """What this run's supervisor wrote; read without its lock, which a starting one needs."""
        if self._process is None or read_city(self.data_dir).supervisor != self._process.pid:
            raise Unavailable("the city is not there yet")
        try:
            content = (self.data_dir / "state.json").read_bytes()
        except FileNotFoundError as error:
            raise Unavailable("the city has not said yet what runs") from error
        status = msgspec.json.decode(content, type=CityStatus)
        wanted = {"database", "broker", "api", "notify", *self.ingest_roles()}
        if wanted - {role.role for role in status.roles}:
            raise Unavailable("roles are missing yet")
        return status

    def ingest_roles(self) -> Sequence[str]:
        """Names of the workers' roles."""
        return worker_roles("ingest", self.workers)

    def role(self, name: str) -> psutil.Process:
        """A role's process; waited for while there is none."""
        return wait_for(name, lambda: self._role(name))

    def _role(self, name: str) -> psutil.Process | None:
        return next((process_of(role) for role in self._status().roles if role.role == name), None)

    def backends(self) -> list[psutil.Process]:
        """The database's processes that serve the city's roles."""
        with transaction(self.engine()) as connection:
            pids = list(connection.execute(text(f"SELECT pid {_OTHERS} ORDER BY pid")).scalars())
        return [psutil.Process(pid) for pid in pids]

    def cut_connections(self) -> None:
        """Have the database end them all but ours."""
        with transaction(self.engine()) as connection:
            connection.execute(text(f"SELECT pg_terminate_backend(pid) {_OTHERS}"))

    def fill_log_disk(self) -> None:
        """Leave no byte for the write-ahead log; returns when the database has died of it.

        Raises:
            SetupError: the log has no disk of its own.
        """
        if self.wal_quota is None:
            raise SetupError("the write-ahead log has no disk of its own", cure="Call limit_disks")
        log = self.data_dir / "logs/database.log"
        began = log_size(log)
        self.wal_quota.fill()
        self._use_up_log()
        wait_for("the log cannot grow", lambda: any(map(_DIED, last_lines(log, 1_000, since=began))) or None)

    def _use_up_log(self) -> None:
        """Begin segment after segment until the connection breaks.

        Files kept for reuse, which need no room, are used up by that; a replication slot, which lives as long
        as the connection, keeps checkpoints from adding any.
        """
        url = read_city(self.data_dir).database
        with (
            suppress(psycopg.OperationalError),
            psycopg.connect(url, user="postgres", dbname="postgres", autocommit=True) as connection,
        ):
            connection.execute("SELECT pg_create_physical_replication_slot('soak', true, true)")
            while True:
                connection.execute("SELECT pg_logical_emit_message(false, 'soak', ''), pg_switch_wal()")

    def wait_until_said_full(self) -> None:
        """Until `machinami status` tells it."""
        wait_for("status says it", lambda: any(disk.full for disk in read_state(self.data_dir).disks) or None)

    def engine(self) -> Engine:
        """Connections to the database as it is reached now.

        Raises:
            Unavailable: the city is not there yet.
        """
        url = read_city(self.data_dir).database
        if self._engine is None or self._engine[0] != url:
            self._forget_engine()
            self._engine = (url, open_engine(url, pool_size=2))
        return self._engine[1]

    def _forget_engine(self) -> None:
        if self._engine is not None:
            self._engine[1].dispose()

    def close(self) -> None:
        """Stop it, and give the disk back."""
        self._forget_engine()
        self.stop()
        for quota in (self.wal_quota, self.quota):
            if quota is not None:
                quota.close()


def wait_for(what: str, look: Callable[[], _T | None]) -> _T:
    """The first answer that is not None; a part of the city that does not answer is asked again.

    Raises:
        TimeoutError: the city's patience is at its end.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            found = look()
        except MachinamiError:
            found = None
        if found is not None:
            return found
        time.sleep(_LOOK_EVERY)
    raise TimeoutError(f"waited {PATIENCE:.0f} s in vain: {what}")
