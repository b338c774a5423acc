"""Shared by the tests of the room: messages, and connectors written to a temporary folder."""

import json
from datetime import UTC, datetime
from pathlib import Path

from machinami.connect.discovery import Connector, load_connector
from machinami.connect.router import Router
from machinami.model import Mapped, Message

NOW = datetime(2026, 11, 21, 1, 2, 10, tzinfo=UTC)
SECRET = b"a secret of the tests"

HEAD = """
[connector]
name = "weather"
title = { en = "Weather station" }

[[message]]
topic = "weather/{station}"
id = "urn:ngsi-ld:WeatherObserved:test:{station}"
type = "WeatherObserved"
time = { path = "at", zone = "Asia/Tokyo" }
"""
TEMPERATURE = """
[[message.attribute]]
name = "temperature"
path = "t"
unit = "CEL"
minimum = -60
maximum = 60
"""


def message(topic: str, payload: object, received_at: datetime = NOW) -> Message:
    data = payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=False).encode()
    return Message(sequence=1, topic=topic, payload=data, received_at=received_at)


def write_connector(folder: Path, manifest: str, codec: str = "") -> Connector:
    home = folder / "weather"
    home.mkdir()
    (home / "connector.toml").write_text(manifest, "utf-8")
    if codec:
        (home / "codec.py").write_text(codec, "utf-8")
    return load_connector(home)


def weather_router(folder: Path, manifest: str = HEAD + TEMPERATURE, codec: str = "") -> Router:
    return Router({"weather": write_connector(folder, manifest, codec)}, SECRET)


def only_value(mapped: Mapped) -> object:
    """Value of the only attribute of the only change."""
    assert not mapped.rejections
    (change,) = mapped.changes
    ((instance,),) = change.attributes.values()
    return instance.get("value", instance.get("object", instance.get("languageMap")))
