"""Microseconds a message that the router needs, for each connector's samples and a plain JSON device.

Run by hand: ``python -m machinami_loadtests.router_bench``. Best of many rounds, so that other work on the
machine does not count.
"""

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import orjson
from machinami.connect.discovery import discover
from machinami.connect.router import Router
from machinami.connect.samples import read_samples
from machinami.model import Message

ROUNDS = 50
MESSAGES = 1_000
_SECRET = b"not secret: for the bench"
_NOW = datetime(2026, 11, 21, 1, 2, 10, tzinfo=UTC)

_PLAIN = """
[connector]
name = "plain-json"
title = { en = "Five fields, four attributes" }

[[message]]
topic = "json/bench/{device}/attrs"
id = "urn:ngsi-ld:Device:bench:{device}"
type = "Device"
time = { path = "time" }
"""
_FIELDS = {"temperature": "CEL", "humidity": "P1", "pressure": "A97", "voltage": "VLT"}


def best(router: Router, messages: Sequence[Message]) -> float:
    """Microseconds a message in the best round."""
    return min(_round(router, messages) for _ in range(ROUNDS)) / len(messages) * 1e6


def plain_router(folder: Path) -> Router:
    """A router of one connector for a JSON payload of five fields."""
    home = folder / "plain-json"
    home.mkdir()
    attributes = (
        f'\n[[message.attribute]]\nname = "{field}"\npath = "{field}"\nunit = "{unit}"\n'
        for field, unit in _FIELDS.items()
    )
    (home / "connector.toml").write_text(_PLAIN + "".join(attributes), "utf-8")
    return Router(discover([home]), _SECRET)


def plain_messages() -> list[Message]:
    """One message of each of a thousand devices."""
    return [_message(f"json/bench/d{n}/attrs", _reading(n), _NOW) for n in range(MESSAGES)]


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        print(f"{best(plain_router(Path(folder)), plain_messages()):8.2f} µs  JSON, five fields")
    connectors = discover()
    router = Router(connectors, _SECRET)
    for connector in connectors.values():
        for sample in read_samples(connector.folder):
            messages = [sample.message] * MESSAGES
            print(f"{best(router, messages):8.2f} µs  {connector.name} {sample.name}")


def _round(router: Router, messages: Sequence[Message]) -> float:
    start = perf_counter()
    for message in messages:
        router.map(message)
    return perf_counter() - start


def _reading(n: int) -> bytes:
    values = {field: round(20 + n / 7 + i, 2) for i, field in enumerate(_FIELDS)}
    return orjson.dumps({"time": f"2026-11-21T01:02:{n % 60:02d}.{n % 1000:03d}Z", **values})


def _message(topic: str, payload: bytes, received_at: datetime) -> Message:
    return Message(sequence=1, topic=topic, payload=payload, received_at=received_at)


if __name__ == "__main__":
    main()
