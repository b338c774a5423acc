"""The loss ledger: what senders say they sent, message by message, against what the database holds.

Senders (simulator, replay) keep every message in a file of their own. Each message is mapped again as ingest
maps it, which tells the rows that must be there; then they are looked for. Counters of the platform play no
part in it.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
from sqlalchemy import Engine

from machinami.errors import BadRequestData
from machinami.model import Mapped, Message
from machinami.store.queries_ledger import (
    HistoryKey,
    QuarantineKey,
    count_observations,
    count_quarantined,
)

T = TypeVar("T")

_AT_ONCE = 5_000
_EXAMPLES = 20


class Mapper(Protocol):
    """Maps as ingest does; `machinami.connect.router.Router` is one."""

    def map(self, message: Message) -> Mapped:
        """Changes, rejections, or both."""
        ...

    def redact(self, message: Message) -> bytes:
        """The payload as quarantine keeps it."""
        ...


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """One message as its sender wrote it down."""

    kind: str
    message: Message
    acknowledged: bool


class Account(msgspec.Struct, kw_only=True):
    """Numbers of messages of one kind, or of all.

    Attributes:
        sent: handed to the broker.
        acknowledged: the broker answered PUBACK.
        committed: all that could be read of them is in the history.
        quarantined: nothing could be read, and they are in quarantine.
        doubled: rows beyond the one that each message may have.
        missing: acknowledged, but neither in the history nor in quarantine.
        forgotten: acknowledged so long ago that their sender has dropped them from its ledger; not checked.
    """

    sent: int = 0
    acknowledged: int = 0
    committed: int = 0
    quarantined: int = 0
    doubled: int = 0
    missing: int = 0
    forgotten: int = 0

    def add(self, other: "Account") -> None:
        """Add the numbers of another account to these."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class LostMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was acknowledged and is nowhere."""

    kind: str
    topic: str
    payload: str
    sent_at: datetime


class Ledger(msgspec.Struct, kw_only=True):
    """Totals, the same for each device kind, and the first of the missing messages by name."""

    totals: Account
    kinds: dict[str, Account]
    examples: list[LostMessage]

    @property
    def balanced(self) -> bool:
        """Every acknowledged message is accounted for, once."""
        return self.totals.missing == 0 and self.totals.doubled == 0


def read_ledger(
    folder: Path, engine: Engine, mapper: Mapper, progress: Callable[[int], None] = lambda _: None
) -> Ledger:
    """Check every message in the senders' files of a folder.

    Args:
        progress: called with the number of messages checked since the last call.

    Raises:
        BadRequestData: a file is not a sender's ledger.
        Unavailable: the database does not answer.
    """
    audit = _Audit(engine, mapper)
    for path in sorted(folder.glob("*.sqlite")):
        with closing(_open(path)) as file:
            audit.forget(_forgotten(file))
            for chunk in _chunks(_sent(file)):
                audit.check(chunk)
                progress(len(chunk))
    return audit.close()


def count_sent(folder: Path) -> int:
    """How many messages `read_ledger` will check."""
    total = 0
    for path in folder.glob("*.sqlite"):
        with closing(_open(path)) as file:
            total += file.execute("SELECT count(*) FROM message").fetchone()[0]
    return total


class _Audit:
    def __init__(self, engine: Engine, mapper: Mapper) -> None:
        self._engine = engine
        self._mapper = mapper
        self._kinds: dict[str, Account] = {}
        self._examples: list[LostMessage] = []
        self._rejected: Counter[QuarantineKey] = Counter()
        self._kind_of: dict[QuarantineKey, str] = {}

    def forget(self, forgotten: Sequence[tuple[str, int]]) -> None:
        for kind, number in forgotten:
            self._account(kind).forgotten += number

    def check(self, chunk: Sequence[Sent]) -> None:
        expected = [self._expected(item.message) for item in chunk]
        found = iter(count_observations(self._engine, [key for keys in expected for key in keys]))
        counts = [list(islice(found, len(keys))) for keys in expected]
        rejected = [
            self._quarantine_key(item) for item, keys in zip(chunk, expected, strict=True) if not keys
        ]
        kept = count_quarantined(self._engine, rejected)
        for item, rows in zip(chunk, counts, strict=True):
            self._book(item, rows, kept)

    def _expected(self, message: Message) -> list[HistoryKey]:
        return [
            (
                change.tenant,
                change.entity_id,
                attribute,
                instance.get("datasetId", ""),
                datetime.fromisoformat(instance["observedAt"]),
            )
            for change in self._mapper.map(message).changes
            for attribute, instances in change.attributes.items()
            for instance in instances
            if "observedAt" in instance
        ]

    def _quarantine_key(self, item: Sent) -> QuarantineKey:
        return item.message.topic, self._mapper.redact(item.message)

    def _book(self, item: Sent, rows: Sequence[int], kept: dict[QuarantineKey, int]) -> None:
        account = self._account(item.kind)
        account.sent += 1
        account.acknowledged += item.acknowledged
        account.doubled += sum(count - 1 for count in rows if count > 1)
        if rows and all(rows):
            account.committed += 1
        elif not rows and self._in_quarantine(item, kept):
            account.quarantined += 1
        elif item.acknowledged:
            account.missing += 1
            self._note(item)

    def _in_quarantine(self, item: Sent, kept: dict[QuarantineKey, int]) -> bool:
        key = self._quarantine_key(item)
        self._rejected[key] += 1
        self._kind_of[key] = item.kind
        # The same bytes sent twice must be kept twice.
        return kept.get(key, 0) >= self._rejected[key]

    def _note(self, item: Sent) -> None:
        if len(self._examples) < _EXAMPLES:
            lost = LostMessage(
                kind=item.kind,
                topic=item.message.topic,
                payload=item.message.payload.decode(errors="replace"),
                sent_at=item.message.received_at,
            )
            self._examples.append(lost)

    def _account(self, kind: str) -> Account:
        return self._kinds.setdefault(kind, Account())

    def close(self) -> Ledger:
        for chunk in _chunks(iter(self._rejected)):
            for key, count in count_quarantined(self._engine, chunk).items():
                self._account(self._kind_of[key]).doubled += max(0, count - self._rejected[key])
        totals = Account()
        for account in self._kinds.values():
            totals.add(account)
        return Ledger(totals=totals, kinds=dict(sorted(self._kinds.items())), examples=self._examples)


def _open(path: Path) -> sqlite3.Connection:
    try:
        file = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        file.execute("SELECT n FROM message LIMIT 0")
    except sqlite3.Error as error:
        raise BadRequestData(
            f"{path.name} is not a sender's ledger: {error}",
            field="ledger",
            value=str(path),
            cure="Move the file out of the data folder's ledger/",
        ) from error
    return file


def _forgotten(file: sqlite3.Connection) -> list[tuple[str, int]]:
    return file.execute("SELECT kind, acknowledged FROM forgotten").fetchall()


def _sent(file: sqlite3.Connection) -> Iterator[Sent]:
    rows = file.execute("SELECT n, kind, topic, payload, sent_at, acknowledged_at FROM message ORDER BY n")
    for number, kind, topic, payload, sent_at, acknowledged_at in rows:
        message = Message(
            sequence=number,
            topic=topic,
            payload=bytes(payload),
            received_at=datetime.fromtimestamp(sent_at, UTC),
        )
        yield Sent(kind=kind, message=message, acknowledged=acknowledged_at is not None)


def _chunks(items: Iterator[T]) -> Iterator[list[T]]:
    while chunk := list(islice(items, _AT_ONCE)):
        yield chunk
