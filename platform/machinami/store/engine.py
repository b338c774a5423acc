"""Connections to PostgreSQL, and the one place where the driver's errors become ours."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import orjson
import psycopg
from sqlalchemy import Connection, Dialect, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from machinami.errors import BadRequestData, MachinamiError, SetupError, TooComplexQuery, Unavailable

_IDLE_SINCE = "idle since"
_IDLE_SECONDS = 1.0
_SCHEMES = ("postgresql+psycopg://", "postgresql://", "postgres://")


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


def sqlalchemy_url(url: str) -> str:
    """A libpq URL in SQLAlchemy's spelling.

    Raises:
        SetupError: the URL is not one of PostgreSQL.
    """
    for scheme in _SCHEMES:
        if url.startswith(scheme):
            return _SCHEMES[0] + url.removeprefix(scheme)
    raise SetupError(
        "the database URL is not one of PostgreSQL",
        field="--database",
        value=url,
        cure="Write it as postgresql://user:password@host:port/name",
    )


def open_engine(
    url: str, *, pool_size: int = 5, statement_timeout: float = 0.0, transaction_timeout: float = 0.0
) -> Engine:
    """A pool of connections in UTC.

    Args:
        pool_size: connections at most; a further caller waits.
        statement_timeout: seconds one statement may take; 0 means no limit.
        transaction_timeout: seconds a transaction may wait for this process; 0 means no limit.
    """
    options = (
        f"-c timezone=UTC -c statement_timeout={int(statement_timeout * 1000)}"
        f" -c idle_in_transaction_session_timeout={int(transaction_timeout * 1000)}"
    )
    engine = create_engine(
        sqlalchemy_url(url),
        pool_size=pool_size,
        max_overflow=0,
        connect_args={"options": options, "application_name": "machinami"},
        json_serializer=_dumps,
        json_deserializer=orjson.loads,
    )
    event.listen(engine, "checkin", _lay_down)
    event.listen(engine, "checkout", partial(_look_at_idle, engine.dialect))
    return engine


def _lay_down(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info[_IDLE_SINCE] = time.monotonic()


def _look_at_idle(
    dialect: Dialect, connection: DBAPIConnection, record: ConnectionPoolEntry, _: object
) -> None:
    """One that lay idle may be dead and is asked; asking a busy one would double a short query's time."""
    idle_since = record.info.get(_IDLE_SINCE)
    if idle_since is None or time.monotonic() - idle_since < _IDLE_SECONDS:
        return
    try:
        dialect.do_ping(connection)
    except psycopg.Error as error:
        raise DisconnectionError from error


def driver_connection(connection: Connection) -> "psycopg.Connection[Any]":
    """The psycopg connection below, for COPY. It shares the transaction."""
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)


@contextmanager
def transaction(engine: Engine) -> Generator[Connection]:
    """One transaction; commits at the end, rolls back on any exception, translates the driver's errors.

    Raises:
        Unavailable: the database does not answer or was stopped.
        TooComplexQuery: the statement timeout struck.
        BadRequestData: a regular expression, or a character, that PostgreSQL cannot take.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except (DBAPIError, psycopg.Error) as error:
        raise translate(error) from error


def translate(error: Exception) -> Exception:
    """One of our errors for one of the driver's; what is nobody's fault but ours stays as it is."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    if isinstance(cause, psycopg.errors.QueryCanceled):
        return TooComplexQuery(
            "the query took longer than the server allows", cure="Narrow it by type, id, area or time"
        )
    if isinstance(cause, psycopg.errors.DiskFull):
        return Unavailable("the database's disk is full", cure="Free space; nothing acknowledged is lost")
    return _bad_request(cause) or _connection_error(cause) or error


def _bad_request(cause: BaseException) -> BadRequestData | None:
    match cause:
        case psycopg.errors.InvalidRegularExpression():
            return BadRequestData(
                f"not a regular expression: {_first_line(cause)}",
                cure="Write it as POSIX (IEEE 1003.2) has it",
            )
        case psycopg.errors.UndefinedObject() if "collation" in str(cause):
            detail = f"texts cannot be ordered like this: {_first_line(cause)}"
            return BadRequestData(detail, field="collation", cure="Leave out collation")
        case psycopg.errors.ProgramLimitExceeded():
            return BadRequestData(f"the query is too large: {_first_line(cause)}", cure="Split it")
        case psycopg.DataError():
            return BadRequestData(f"the database cannot take this value: {_first_line(cause)}")
        case _:
            return None


def _first_line(cause: psycopg.Error) -> str:
    return (cause.diag.message_primary or str(cause)).splitlines()[0]


def _connection_error(cause: BaseException) -> MachinamiError | None:
    if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        first_line = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        return Unavailable(f"the database does not answer: {first_line}", cure="Try again when it is up")
    return None
