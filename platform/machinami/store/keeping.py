"""Jobs that a process does beside its work, again and again, each in a thread of its own."""

import logging
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from machinami.errors import MachinamiError
from machinami.store.engine import open_engine

logger = logging.getLogger(__name__)

_STOP_SECONDS = 1.0


@contextmanager
def kept(url: str, name: str, job: Callable[[Engine], None], pause: float) -> Generator[None]:
    """Do a job on this database while the block runs; an error is logged, and the next round tried.

    Args:
        name: of the job, for logs.
        pause: seconds between two rounds.
    """
    engine = open_engine(url, pool_size=1)
    stopped = threading.Event()

    def run() -> None:
        while True:
            try:
                job(engine)
            except (MachinamiError, DBAPIError, psycopg.Error) as error:
                logger.warning("%s: %s", name, error)
            if stopped.wait(pause):
                return

    # A daemon, because a database that is frozen must not keep the process from ending.
    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(_STOP_SECONDS)  # whatever it is at: every step is a transaction
        engine.dispose()
