"""The right to do something that only one process of a city may do at a time."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TypeAlias

from sqlalchemy import Connection, Engine

from machinami.store import queries_outbox as queries
from machinami.store.reading import reading

Lead: TypeAlias = Connection
"""The connection that holds the right."""


@contextmanager
def leading(engine: Engine, key: int) -> Generator[Lead | None]:
    """A connection that holds the right; None while another process has it.

    The right ends with the connection, so a killed process gives it up.

    Args:
        key: which right.
    """
    with reading(engine) as connection:
        try:
            yield connection if queries.try_lead(connection, key) else None
        finally:
            connection.invalidate()  # close it: back in the pool it would still have the right


def check_leading(lead: Lead) -> None:
    """Raise Unavailable if the right is gone with its connection."""
    lead.exec_driver_sql("SELECT 1")
