import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from machinami.errors import BadRequestData
from machinami.linkage.ledger import Ledger, count_sent, read_ledger
from machinami.linkage.write import Batch, Linkage
from machinami.model import Change, Mapped, Message, Rejection
from machinami.store.intake import Progress, split_positions
from sqlalchemy import Engine, text

ATTRIBUTE = "https://uri.etsi.org/ngsi-ld/default-context/number"


class Minutes:
    """A payload is a minute of an hour, or cannot be read."""

    def map(self, message: Message) -> Mapped:
        if not message.payload.isdigit():
            return Mapped(rejections=[Rejection(reason="not a minute")])
        at = f"2026-01-01T00:{int(message.payload):02d}:00Z"
        instance = {"type": "Property", "value": 1, "observedAt": at}
        change = Change(entity_id="urn:test:1", types=("urn:T",), attributes={ATTRIBUTE: [instance]})
        return Mapped(changes=[change])

    def redact(self, message: Message) -> bytes:
        return message.payload.replace(b"secret", b"hidden")


def sent(folder: Path, payloads: Sequence[bytes], *, acknowledged: bool = True, name: str = "a") -> None:
    file = sqlite3.connect(folder / f"{name}.sqlite")
    file.execute(
        "CREATE TABLE message(n INTEGER PRIMARY KEY, kind TEXT NOT NULL, topic TEXT NOT NULL,"
        " payload BLOB NOT NULL, sent_at REAL NOT NULL, acknowledged_at REAL)"
    )
    file.execute("CREATE TABLE forgotten(kind TEXT PRIMARY KEY, sent INTEGER, acknowledged INTEGER)")
    rows = [("clock", "t", payload, 1.0, 2.0 if acknowledged else None) for payload in payloads]
    columns = "(kind, topic, payload, sent_at, acknowledged_at)"
    file.executemany(f"INSERT INTO message {columns} VALUES (?, ?, ?, ?, ?)", rows)
    file.execute("INSERT INTO forgotten VALUES ('clock', 5, 5)")
    file.commit()
    file.close()


def ingested(engine: Engine, payloads: Sequence[bytes]) -> None:
    mapper = Minutes()
    messages = [
        Message(sequence=n, topic="t", payload=payload, received_at=datetime.now(UTC))
        for n, payload in enumerate(payloads, 1)
    ]
    mapped = [(message, mapper.map(message)) for message in messages]
    rejected = [
        (
            Message(sequence=m.sequence, topic="t", payload=mapper.redact(m), received_at=m.received_at),
            r.rejections,
        )
        for m, r in mapped
        if r.rejections
    ]
    changes = [change for _, result in mapped for change in result.changes]
    split_positions(engine, "s", 1)
    progress = Progress(stream="s", before={0: 0}, after=len(messages))
    Linkage(engine).commit(Batch(changes=changes, rejected=rejected, progress=progress))


def check(folder: Path, engine: Engine) -> Ledger:
    return read_ledger(folder, engine, Minutes())


def test_everything_arrived(tmp_path: Path, engine: Engine) -> None:
    payloads = [b"1", b"2", b"secret", b"3"]
    sent(tmp_path, payloads)
    ingested(engine, payloads)
    ledger = check(tmp_path, engine)
    assert ledger.balanced
    found = ledger.kinds["clock"]
    assert (found.sent, found.acknowledged, found.committed, found.quarantined) == (4, 4, 3, 1)
    assert (found.missing, found.doubled, found.forgotten) == (0, 0, 5)
    assert ledger.totals == found
    assert count_sent(tmp_path) == 4


@pytest.mark.parametrize("lost", [b"2", b"bad"])
def test_a_lost_message_is_named(tmp_path: Path, engine: Engine, lost: bytes) -> None:
    sent(tmp_path, [b"1", b"2", b"bad"])
    ingested(engine, [payload for payload in (b"1", b"2", b"bad") if payload != lost])
    ledger = check(tmp_path, engine)
    assert not ledger.balanced
    assert ledger.totals.missing == 1
    assert [example.payload for example in ledger.examples] == [lost.decode()]


def test_what_was_not_acknowledged_is_not_missed(tmp_path: Path, engine: Engine) -> None:
    sent(tmp_path, [b"1"], acknowledged=False)
    ledger = check(tmp_path, engine)
    assert ledger.balanced
    assert (ledger.totals.sent, ledger.totals.acknowledged) == (1, 0)


def test_the_same_bytes_twice_are_kept_twice(tmp_path: Path, engine: Engine) -> None:
    sent(tmp_path, [b"bad", b"bad"])
    ingested(engine, [b"bad"])
    assert check(tmp_path, engine).totals.missing == 1


def test_a_rejection_stored_twice_is_doubled(tmp_path: Path, engine: Engine) -> None:
    sent(tmp_path, [b"bad"])
    ingested(engine, [b"bad", b"bad"])
    assert check(tmp_path, engine).totals.doubled == 1


def test_a_row_stored_twice_is_doubled(tmp_path: Path, engine: Engine) -> None:
    sent(tmp_path, [b"1"])
    ingested(engine, [b"1"])
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE observation DROP CONSTRAINT observation_key"))
        connection.execute(text("INSERT INTO observation SELECT * FROM observation"))
    assert check(tmp_path, engine).totals.doubled == 1


def test_another_file_in_the_folder_is_said(tmp_path: Path, engine: Engine) -> None:
    (tmp_path / "other.sqlite").write_text("no database")
    with pytest.raises(BadRequestData, match=r"other\.sqlite"):
        check(tmp_path, engine)
