"""Ingest counts what the database has committed, and only that."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from machinami.ingest.metrics import MeteredLinkage, MeteredWorker
from machinami.linkage.write import Batch
from machinami.model import Change, Mapped, Message, Rejection
from machinami.store.intake import PositionLost, Progress
from machinami.stream.client import Stretch
from prometheus_client import REGISTRY
from sqlalchemy import Engine

LEVEL = "https://uri.etsi.org/ngsi-ld/default-context/level"
NAMES = (
    "messages_total",
    "committed_total",
    "quarantined_total",
    "observations_total",
    "repeated_total",
    "batch_messages_count",
    "batch_messages_sum",
    "batch_seconds_count",
    "database_seconds_count",
)


class Levels:
    """Payload: the hour; anything else is rejected."""

    def map(self, message: Message) -> Mapped:
        if not message.payload.isdigit():
            return Mapped(rejections=[Rejection(reason="no number")])
        instance = {
            "type": "Property",
            "value": 1.5,
            "observedAt": f"2026-01-01T{int(message.payload):02}:00:00Z",
        }
        return Mapped(changes=[Change(entity_id="urn:g", types=("urn:T",), attributes={LEVEL: [instance]})])

    def redact(self, message: Message) -> bytes:
        return message.payload


@pytest.fixture
def moved() -> Any:
    """By how much each number has grown since the test began."""

    def read() -> dict[str, float]:
        return {name: REGISTRY.get_sample_value(f"machinami_ingest_{name}") or 0.0 for name in NAMES}

    before = read()
    return lambda: {name: value - before[name] for name, value in read().items()}


def message(sequence: int, payload: bytes) -> Message:
    received_at = datetime.now(UTC) - timedelta(seconds=5)
    return Message(sequence=sequence, topic="t", payload=payload, received_at=received_at)


def test_a_batch_is_counted_once_it_is_committed(engine: Engine, moved: Any):
    nothing: Any = None  # the worker is handed its messages here, so it needs no stream
    worker = MeteredWorker(nothing, MeteredLinkage(engine), Levels())
    payloads = [b"1", b"2", b"2", b"x"]
    messages = [message(number, payload) for number, payload in enumerate(payloads, 1)]
    worker.store(worker.prepare(Stretch(messages=messages, last=4)))
    assert moved() == {
        "messages_total": 4,
        "committed_total": 3,
        "quarantined_total": 1,
        "observations_total": 2,
        "repeated_total": 1,
        "batch_messages_count": 1,
        "batch_messages_sum": 4,
        "batch_seconds_count": 1,
        "database_seconds_count": 1,
    }
    lag = REGISTRY.get_sample_value("machinami_ingest_lag_seconds")
    assert lag is not None
    assert lag >= 5


def test_what_is_not_committed_is_not_counted(engine: Engine, moved: Any):
    elsewhere = Progress(stream="s", before={0: 7}, after=9, committed=2)
    with pytest.raises(PositionLost):
        MeteredLinkage(engine).commit(Batch(changes=[], progress=elsewhere))
    assert not any(moved().values())
