"""The embedded PostgreSQL: a direct child that runs, and ends, with us.

It listens on no network at all, only on a Unix socket in a private folder; who may connect is told by the
kernel (peer authentication), so there is no password to lose. Started as root it runs under an existing
unprivileged account. The server gets its data folder as an open directory (``/proc/self/fd/N``): so it works
below folders that its account may not enter, such as /root, and the same descriptor carries the lock that
tells a live server from a stale pid file.
"""

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

from machinami.errors import SetupError, Unavailable
from machinami.local.binaries import Binaries, find_binaries, reachable, unprivileged_account
from machinami.local.disks import shortages, write_if_changed
from machinami.local.process import Account, Pause, Program, bound_log, last_lines, lock_folder, start, stop
from machinami.local.sockets import SocketFolder

ROLE = "machinami"
"""Owner of the city's database; not a superuser."""

_SUPERUSER = "postgres"
_PORT = 5432  # names the socket file; there is no network port
_START_SECONDS = 300.0  # recovery after a crash may read gigabytes
_LOCK_SECONDS = 5.0  # an orphan of a killed supervisor needs this long to end at most

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "128MB",
    "effective_cache_size": "1GB",
    "maintenance_work_mem": "128MB",
    "max_connections": "60",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "cluster_name": "machinami",
}
"""Sized for a laptop. Durability (fsync, synchronous_commit, full_page_writes) stays on, as by default."""

_STOP = ((signal.SIGINT, 1.5), (signal.SIGQUIT, 1.0))
"""Fast shutdown; then immediate, which loses nothing either but recovers at the next start."""


class EmbeddedDatabase:
    """A PostgreSQL server on ``<data-dir>/database``. A context manager: started on entry, stopped on exit.

    Args:
        data_dir: the city's data folder; ``logs/database.log`` in it takes the server's messages.
    """

    def __init__(self, data_dir: Path) -> None:
        self.name = "database"
        self.metrics = ""
        self.data_dir = data_dir.absolute()
        self.log = self.data_dir / "logs/database.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._folder = self.data_dir / "database"
        self._sockets = SocketFolder(self.data_dir / "socket", f".s.PGSQL.{_PORT}.lock")
        self._account: Account | None = None

    @property
    def url(self) -> str:
        """libpq URL of the city's database."""
        return self._url(ROLE, ROLE)

    @property
    def address(self) -> str:
        """The same; it holds no password."""
        return self.url

    def start(self, pause: Pause = time.sleep) -> str:
        """Start the server, making its folder first where there is none; returns when it takes connections.

        Raises:
            SetupError: no PostgreSQL to be had, or it does not start here.
            Unavailable: another server runs on this folder.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        bound_log(self.log)
        self._account = self._owner()
        binaries = reachable(find_binaries(self._version()), self._account)
        if not self._folder.exists():
            self._create(binaries)
        self._launch(binaries, pause)
        self._wait(pause)
        self._ensure_database()
        return self.url

    def stop(self) -> None:
        """Stop the server; its socket folder goes with it."""
        if self.process is not None:
            stop(self.process, signals=_STOP)
            self.process = None
        self._sockets.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _url(self, role: str, database: str) -> str:
        return f"postgresql://{role}@/{database}?host={self._sockets.path}&port={_PORT}"

    def _owner(self) -> Account | None:
        """The account of an earlier start where there was one, so that its files stay readable."""
        if os.geteuid() == 0 and self._folder.exists():
            return Account.of(pwd.getpwuid(self._folder.stat().st_uid))
        return unprivileged_account()

    def _version(self) -> int | None:
        if not self._folder.exists():
            return None
        if self._folder.stat().st_uid not in {os.geteuid(), self._account.uid if self._account else -1}:
            raise SetupError(
                f"{self._folder} belongs to another user",
                field="--data-dir",
                cure="Start as the user who made it, or choose another --data-dir",
            )
        return int((self._folder / "PG_VERSION").read_text())

    def _create(self, binaries: Binaries) -> None:
        """Run initdb aside and rename when it is whole: a killed first start leaves no half database."""
        part = self._folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700)
        if self._account:
            os.chown(part, self._account.uid, self._account.gid)
        descriptor = os.open(part, os.O_RDONLY | os.O_DIRECTORY)
        provider = ("--locale-provider=builtin",) if binaries.major >= 17 else ()
        code = start(
            self._program(
                [
                    *(binaries.program("initdb"), f"--pgdata=/proc/self/fd/{descriptor}"),
                    *(f"--username={_SUPERUSER}", "--auth=peer", "--data-checksums", "--no-instructions"),
                    *("--encoding=UTF8", "--locale=C.UTF-8", *provider),
                ],
                keep=[descriptor],
            )
        ).wait()
        os.close(descriptor)
        if code != 0:
            raise SetupError("initdb failed:\n" + "\n".join(last_lines(self.log)), cure=f"See {self.log}")
        part.rename(self._folder)

    def _launch(self, binaries: Binaries, pause: Pause) -> None:
        descriptor = lock_folder(self._folder, wait=_LOCK_SECONDS, pause=pause)
        if descriptor is None:
            raise Unavailable(
                f"another server runs on {self._folder}",
                field="--data-dir",
                cure="Stop the other machinami, or choose another --data-dir",
            )
        (self._folder / "postmaster.pid").unlink(missing_ok=True)  # stale: we hold the lock
        self._write_access_rules()
        sockets = self._sockets.open(self._account)
        settings = {**_SETTINGS, "unix_socket_directories": str(sockets), "port": str(_PORT)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [binaries.program("postgres"), "-D", f"/proc/self/fd/{descriptor}", *options]
        self.process = start(self._program(command, keep=[descriptor]))
        os.close(descriptor)  # from here on the server alone holds the lock

    def _program(self, command: Sequence[str], keep: Sequence[int]) -> Program:
        return Program(
            command=command,
            log=self.log,
            environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            account=self._account,
            keep=keep,
            orphan_signal=signal.SIGINT,
        )

    def _write_access_rules(self) -> None:
        """Only this user, and the account the server runs as, may connect, and only from this machine."""
        names = {pwd.getpwuid(os.geteuid()).pw_name, *([self._account.name] if self._account else [])}
        map_lines = [f'city "{name}" {role}' for name in sorted(names) for role in (ROLE, _SUPERUSER)]
        write_if_changed(self._folder / "pg_ident.conf", "\n".join(map_lines) + "\n")
        write_if_changed(self._folder / "pg_hba.conf", "local all all peer map=city\n")

    def _wait(self, pause: Pause) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self.ready():
            if self.process is None or self.process.poll() is not None or time.monotonic() > deadline:
                raise self._failure()
            pause(0.02)

    def _failure(self) -> SetupError:
        """Why it does not start; a full disk is clearer than what the server's log says of it."""
        for disk in shortages(self.data_dir):
            if disk.full:
                return SetupError(f"the database does not start: {disk.trouble}", cure=disk.cure)
        lines = "\n".join(last_lines(self.log))
        return SetupError(f"the database does not start:\n{lines}", cure=f"See {self.log}")

    def ready(self) -> bool:
        """Whether the server takes connections now."""
        try:
            psycopg.connect(self._url(_SUPERUSER, _SUPERUSER), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _ensure_database(self) -> None:
        """The city's role may create databases of its own (tests do), and nothing beyond."""
        with psycopg.connect(self._url(_SUPERUSER, _SUPERUSER), autocommit=True) as connection:
            name = sql.Identifier(ROLE)
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(name))
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [ROLE]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))
