"""Where a stream's messages went: its position with counters, and quarantine. In the caller's transaction."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Connection, Engine, delete, func, insert, select, text, update

from machinami.errors import MachinamiError
from machinami.model import Message, Rejection
from machinami.store.engine import transaction
from machinami.store.history import Stored
from machinami.store.tables import quarantine, stream_position

_POSITION = stream_position.c

_ALONE = text("LOCK TABLE stream_position IN SHARE ROW EXCLUSIVE MODE")

_ADVANCE = text("""
    UPDATE stream_position AS p SET
        sequence = greatest(p.sequence, :after),
        committed = p.committed + CASE p.partition WHEN :first THEN :committed ELSE 0 END,
        quarantined = p.quarantined + CASE p.partition WHEN :first THEN :quarantined ELSE 0 END,
        observations = p.observations + CASE p.partition WHEN :first THEN :observations ELSE 0 END,
        repeated = p.repeated + CASE p.partition WHEN :first THEN :repeated ELSE 0 END,
        updated_at = now()
    FROM unnest(CAST(:partitions AS smallint[]), CAST(:before AS bigint[])) AS held(partition, sequence)
    WHERE p.stream = :stream AND p.partitions = :of
        AND p.partition = held.partition AND p.sequence = held.sequence
""")


class PositionLost(MachinamiError):
    """Another worker has moved this position: it has taken a partition over."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a batch brings partitions of its stream.

    Attributes:
        before: partition → the sequence that must be its position now.
        after: the position of all of them once the transaction commits; those beyond it stay there.
        of: how many partitions the stream has.
        committed: messages of which something is stored.
        quarantined: messages nothing of which could be read.
    """

    stream: str
    before: Mapping[int, int]
    after: int
    of: int = 1
    committed: int = 0
    quarantined: int = 0


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """The position that all partitions of a stream have reached, and what was counted at commit so far."""

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
    with transaction(engine) as connection:
        return _counters(connection, stream)


def _counters(connection: Connection, stream: str) -> Counters:
    sums = [
        func.sum(column).cast(BigInteger) if column.name != "sequence" else func.min(column)
        for column in (_POSITION[name] for name in Counters.__struct_fields__)
    ]
    row = connection.execute(select(*sums).where(_POSITION.stream == stream)).one()
    return (
        Counters() if row[0] is None else Counters(**dict(zip(Counters.__struct_fields__, row, strict=True)))
    )


def read_positions(engine: Engine, stream: str) -> dict[int, int]:
    """The position of each partition of a stream; empty where nothing has been read yet.

    Raises:
        Unavailable: the database does not answer.
    """
    with transaction(engine) as connection:
        return _positions(connection, stream)


def _positions(connection: Connection, stream: str) -> dict[int, int]:
    query = select(_POSITION.partition, _POSITION.sequence).where(_POSITION.stream == stream)
    return {row.partition: row.sequence for row in connection.execute(query.order_by(_POSITION.partition))}


def split_positions(engine: Engine, stream: str, partitions: int) -> None:
    """Read a stream in so many partitions from now on, if all that it has now stand at the same message.

    Where they do not, a message could change to a partition that has passed it, and be lost: then their
    number stays as it is. A worker that still has old partitions in hand finds its position lost.

    Raises:
        Unavailable: the database does not answer.
    """
    with transaction(engine) as connection:
        if _may_split(_positions(connection, stream), partitions):
            connection.execute(_ALONE)
            if _may_split(_positions(connection, stream), partitions):
                _split(connection, stream, partitions)


def _may_split(positions: Mapping[int, int], partitions: int) -> bool:
    return len(positions) != partitions and len(set(positions.values())) <= 1


def _split(connection: Connection, stream: str, partitions: int) -> None:
    so_far = msgspec.structs.asdict(_counters(connection, stream))
    none_yet = {**dict.fromkeys(so_far, 0), "sequence": so_far["sequence"]}
    rows = [
        {"stream": stream, "partition": number, "partitions": partitions, **(none_yet if number else so_far)}
        for number in range(partitions)
    ]
    connection.execute(delete(stream_position).where(_POSITION.stream == stream))
    connection.execute(insert(stream_position), rows)


def rewind_positions(engine: Engine, stream: str, last: int) -> int:
    """Take back to a log's last message the positions that are beyond it, so that what comes now is read.

    Messages in quarantine that had the numbers now given again keep them, under a name that says until when.

    Returns:
        The furthest position until now.

    Raises:
        Unavailable: the database does not answer.
    """
    with transaction(engine) as connection:
        furthest = max(_positions(connection, stream).values(), default=0)
        if furthest > last:
            beyond = quarantine.c.stream == stream, quarantine.c.sequence > last
            renamed = func.concat(stream, " until ", func.now())
            connection.execute(update(quarantine).where(*beyond).values(stream=renamed))
            ahead = _POSITION.stream == stream, _POSITION.sequence > last
            connection.execute(update(stream_position).where(*ahead).values(sequence=last))
    return furthest


def advance(connection: Connection, progress: Progress, stored: Stored) -> None:
    """Move positions and count, in the transaction that stores the messages.

    What is counted stands with the first of the partitions; only the sums mean something.

    Raises:
        PositionLost: a position is not where this worker left it.
    """
    parameters = {
        "stream": progress.stream,
        "of": progress.of,
        "partitions": list(progress.before),
        "before": list(progress.before.values()),
        "after": progress.after,
        "first": min(progress.before, default=None),
        "committed": progress.committed,
        "quarantined": progress.quarantined,
        "observations": stored.added,
        "repeated": stored.repeated + stored.corrected,
    }
    moved = connection.execute(_ADVANCE, parameters).rowcount
    if moved != len(progress.before):
        raise PositionLost(
            f"partitions {_listed(progress.before)} of {progress.stream} are not where this worker left them"
        )


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(str(number) for number in sorted(numbers))


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
