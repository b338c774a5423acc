"""Subscriptions matched inside the writing transaction."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from machinami.model import Entity


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """An entity as a transaction found it and leaves it.

    Attributes:
        before: None when it was created now.
        after: None when it was deleted now.
        changed: expanded names of attributes written or removed.
    """

    tenant: int
    before: Entity | None
    after: Entity | None
    changed: tuple[str, ...]


def match(connection: Connection, written: Sequence[Written]) -> None:
    """Put the notifications that these writes cause into the outbox."""
