"""Reading connections: no transaction to open and close, and the driver's errors become ours."""

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

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
        raise translate(error) from error
