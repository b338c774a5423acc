"""What was stored for a while only goes when its time is past (clause 4.22).

Readers pass over it from that moment on. The sweep makes it final a little later, by the write path, so that
the history, subscriptions and listeners learn of it as of any other deletion.
"""

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache

from sqlalchemy import Engine

from machinami.linkage.write import Linkage
from machinami.model import Change, Operation
from machinami.store.engine import transaction
from machinami.store.keeping import kept
from machinami.store.queries import fetch_due
from machinami.store.queries_entity_map import delete_expired_entity_maps
from machinami.store.queries_snapshot import delete_expired_snapshots
from machinami.store.reading import reading

PAUSE = 2.0
"""Seconds between two sweeps."""

_AT_ONCE = 1000


def sweep(engine: Engine, linkage: Linkage) -> int:
    """Take away what is past its time, a transaction for each thousand entities; their number comes back.

    Raises:
        Unavailable: the database does not answer.
    """
    count = 0
    while True:
        with reading(engine) as connection:
            due = fetch_due(connection, _AT_ONCE)
        if due:
            linkage.apply([_expiry(tenant, entity_id) for tenant, entity_id in due])
        count += len(due)
        if len(due) < _AT_ONCE:
            return count


@contextmanager
def swept(url: str) -> Generator[None]:
    """Sweep this database while the block runs."""
    linkage_of = cache(Linkage)

    def round_of(engine: Engine) -> None:
        sweep(engine, linkage_of(engine))
        with transaction(engine) as connection:
            delete_expired_entity_maps(connection)
            delete_expired_snapshots(connection)

    with kept(url, "expiry", round_of, PAUSE):
        yield


def _expiry(tenant: str, entity_id: str) -> Change:
    return Change(entity_id=entity_id, operation=Operation.EXPIRE, tenant=tenant)
