"""Where a stream's messages went: its position with counters, and quarantine. In the caller's transaction."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from machinami.errors import MachinamiError
from machinami.model import Message, Rejection
from machinami.store.engine import transaction
from machinami.store.history import Stored
from machinami.store.tables import quarantine, stream_position


class PositionLost(MachinamiError):
    """Another worker has moved this stream's position: it has taken over; stop."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a batch brings its stream.

    Attributes:
        before: the sequence that must be the position now.
        after: the position once the transaction commits.
        committed: messages of which something is stored.
        quarantined: messages nothing of which could be read.
    """

    stream: str
    before: int
    after: int
    committed: int = 0
    quarantined: int = 0


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """A stream's position and what has been counted at commit so far."""

    sequence: int = 0
    committed: int = 0
    quarantined: int = 0
    observations: int = 0
    repeated: int = 0


def read_counters(engine: Engine, stream: str) -> Counters:
    """Position and counters of a stream; zeros where nothing has been read yet.

    Raises:
        Unavailable: the database does not answer.
    """
    columns = [stream_position.c[name] for name in Counters.__struct_fields__]
    with transaction(engine) as connection:
        query = select(*columns).where(stream_position.c.stream == stream)
        row = connection.execute(query).mappings().one_or_none()
    return Counters(**row) if row else Counters()


def advance(connection: Connection, progress: Progress, stored: Stored) -> None:
    """Move the position and count, in the transaction that stores the messages.

    Raises:
        PositionLost: the position is not where this worker left it.
    """
    table = stream_position.c
    connection.execute(
        upsert(stream_position).values(stream=progress.stream, sequence=0).on_conflict_do_nothing()
    )
    moved = connection.execute(
        update(stream_position)
        .where(table.stream == progress.stream, table.sequence == progress.before)
        .values(
            sequence=progress.after,
            committed=table.committed + progress.committed,
            quarantined=table.quarantined + progress.quarantined,
            observations=table.observations + stored.added,
            repeated=table.repeated + stored.repeated + stored.corrected,
            updated_at=func.now(),
        )
    )
    if not moved.rowcount:
        raise PositionLost(f"the position of {progress.stream} is not {progress.before} any more")


def write_quarantine(
    connection: Connection, tenant: int, stream: str, rejected: Iterable[tuple[Message, Sequence[Rejection]]]
) -> None:
    """Keep what could not be read: original bytes and the reason, once for each rejection of a message."""
    rows = [
        _row(tenant, stream, message, ordinal, rejection)
        for message, rejections in rejected
        for ordinal, rejection in enumerate(rejections)
    ]
    if rows:
        connection.execute(insert(quarantine), rows)


def _row(tenant: int, stream: str, message: Message, ordinal: int, rejection: Rejection) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "stream": stream,
        "sequence": message.sequence,
        "ordinal": ordinal,
        "topic": _text(message.topic),
        "payload": message.payload,
        "received_at": message.received_at,
        "connector": rejection.connector,
        "field": _text(rejection.field),
        "value": _text(rejection.value),
        "reason": _text(rejection.reason),
        "cure": rejection.cure,
        "partial": rejection.partial,
    }


def _text(value: str) -> str:
    # PostgreSQL's text holds no NUL and no lone surrogate; the original bytes are in `payload`.
    return value.replace("\0", "\N{SYMBOL FOR NULL}").encode(errors="replace").decode()
