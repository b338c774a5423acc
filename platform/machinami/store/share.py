"""Which partitions of a stream a worker reads: its fair share, taken and given back by advisory locks.

A lock lives as long as the database session that holds it, and a worker keeps one session for its locks
alone. A process that dies takes it along, so that its partitions are free at once. One that is stopped, or
whose machine is out of reach, lets it idle for longer than the server allows, which ends it as well. Locks
only say who reads; that all is stored once and in order is the work of the positions, see `intake`.
"""

import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any
from zlib import crc32

import psycopg
from sqlalchemy import Engine

from machinami.store.engine import translate
from machinami.store.intake import read_positions, split_positions

LEASE = 5.0
"""Seconds after which the locks of a worker that shows no sign of life are free."""

_MEMBER = 2**20  # number of the lock that all workers share, beside those of the partitions
_CONNECT_SECONDS = 5
_HOLDERS = (
    "SELECT CAST(objid AS int8), pid FROM pg_locks"
    " WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND CAST(classid AS int8) = %s"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
# A process that was stopped amid COPY: no timeout of the server ends it, and its rows stay locked.
_END_STOPPED = (
    "SELECT DISTINCT pg_terminate_backend(holder.pid) FROM pg_stat_activity AS waiting"
    " CROSS JOIN LATERAL unnest(pg_blocking_pids(waiting.pid)) AS blocking(pid)"
    " JOIN pg_stat_activity AS holder ON holder.pid = blocking.pid"
    " WHERE waiting.datname = current_database() AND waiting.wait_event_type = 'Lock'"
    " AND holder.application_name LIKE 'machinami%%' AND holder.wait_event = 'ClientRead'"
    " AND holder.query_start < now() - make_interval(secs => %s)"
)
_JOIN = "SELECT pg_advisory_lock_shared(%s::int, %s::int)"
_TAKE = "SELECT pg_try_advisory_lock(%s::int, %s::int)"
_GIVE = "SELECT pg_advisory_unlock(%s::int, %s::int)"


class Share:
    """A worker's share of a stream. Get one from `Linkage.share`; safe to use from several threads.

    Args:
        partitions: how many the stream is to have, once that can be.

    Attributes:
        of: how many partitions it has.
    """

    def __init__(self, engine: Engine, stream: str, partitions: int) -> None:
        self.of = partitions
        self._engine = engine
        self._stream = stream
        self._partitions = partitions
        self._space = crc32(stream.encode()) >> 1  # a signed number for PostgreSQL
        self._connection: psycopg.Connection[Any] | None = None
        self._held: set[int] = set()
        self._lock = threading.Lock()

    def settle(self) -> dict[int, int]:
        """Give back what is more than this worker's part, take what is free up to it.

        Returns:
            The positions of the partitions held now.

        Raises:
            Unavailable: the database does not answer.
        """
        with self._session() as connection:
            if self._alone(connection) or not read_positions(self._engine, self._stream):
                split_positions(self._engine, self._stream, self._partitions)
            self.of = len(read_positions(self._engine, self._stream))
            quota, free = self._look(connection)
            self._give(connection, self._held - set(sorted(n for n in self._held if n < self.of)[:quota]))
            self._take(connection, free[: quota - len(self._held)])
            positions = read_positions(self._engine, self._stream)
        return {number: sequence for number, sequence in positions.items() if number in self._held}

    def due(self) -> bool:
        """Whether `settle` would change something now. Asking is the sign of life that keeps the locks.

        Raises:
            Unavailable: the database does not answer, or has taken this worker for dead.
        """
        with self._session() as connection:
            connection.execute(_END_STOPPED, (LEASE,))
            quota, free = self._look(connection)
            split = len(read_positions(self._engine, self._stream)) != self.of
        return split or len(self._held) > quota or (len(self._held) < quota and bool(free))

    def close(self) -> None:
        """Give all back."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            self._held.clear()

    @contextmanager
    def _session(self) -> Generator["psycopg.Connection[Any]"]:
        with self._lock:
            try:
                self._connection = self._connection or self._connect()
                yield self._connection
            except psycopg.Error as error:
                raise translate(error) from error

    def _connect(self) -> "psycopg.Connection[Any]":
        connection = psycopg.connect(
            self._engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
            autocommit=True,
            application_name="machinami ingest",
            connect_timeout=_CONNECT_SECONDS,
            options=f"-c idle_session_timeout={int(LEASE * 1000)}",
        )
        connection.execute(_JOIN, (self._space, _MEMBER))
        return connection

    def _give(self, connection: "psycopg.Connection[Any]", numbers: Iterable[int]) -> None:
        for number in numbers:
            connection.execute(_GIVE, (self._space, number))
            self._held.remove(number)

    def _take(self, connection: "psycopg.Connection[Any]", numbers: Iterable[int]) -> None:
        for number in numbers:
            if connection.execute(_TAKE, (self._space, number)).fetchone() == (True,):
                self._held.add(number)

    def _alone(self, connection: "psycopg.Connection[Any]") -> bool:
        return len(_workers(self._holders(connection))) == 1

    def _look(self, connection: "psycopg.Connection[Any]") -> tuple[int, list[int]]:
        """How many partitions this worker may hold, and those that nobody holds."""
        holders = self._holders(connection)
        workers, taken = _workers(holders), {number for number, _ in holders}
        least, left = divmod(self.of, len(workers))
        quota = least + (workers.index(connection.info.backend_pid) < left)
        return quota, [number for number in range(self.of) if number not in taken]

    def _holders(self, connection: "psycopg.Connection[Any]") -> list[tuple[int, int]]:
        return connection.execute(_HOLDERS, (self._space,)).fetchall()


def _workers(holders: Iterable[tuple[int, int]]) -> list[int]:
    """Their sessions, in an order that all agree on."""
    return sorted(session for number, session in holders if number == _MEMBER)
