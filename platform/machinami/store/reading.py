"""Reading connections: no transaction to open and close, and the driver's errors become ours."""

from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from machinami.errors import BadRequestData
from machinami.store.engine import translate


@contextmanager
def reading(engine: Engine) -> Generator[Connection]:
    """A connection on which every statement stands alone.

    Raises:
        BadRequestData: a regular expression, or a character, that PostgreSQL cannot take.
        TooComplexQuery: the statement timeout struck.
        Unavailable: the database does not answer.
    """
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection
    except DBAPIError as error:
        raise _bad_request(error) or translate(error) from error


def _bad_request(error: DBAPIError) -> BadRequestData | None:
    match error.orig:
        case psycopg.errors.InvalidRegularExpression() as cause:
            return BadRequestData(
                f"not a regular expression: {_first_line(cause)}",
                cure="Write it as POSIX (IEEE 1003.2) has it",
            )
        case psycopg.errors.ProgramLimitExceeded() as cause:
            return BadRequestData(f"the query is too large: {_first_line(cause)}", cure="Split it")
        case psycopg.DataError() as cause:
            return BadRequestData(f"the database cannot take this value: {_first_line(cause)}")
        case _:
            return None


def _first_line(cause: psycopg.Error) -> str:
    return (cause.diag.message_primary or str(cause)).splitlines()[0]
