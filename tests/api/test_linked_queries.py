"""Queries over attributes of linked entities (clause 4.9, examples 13 and 14)."""

from typing import Any

import httpx
import pytest

JOINED = {"join": "inline", "joinLevel": "2", "options": "keyValues"}


@pytest.fixture
def stations(client: httpx.Client) -> httpx.Client:
    entities: list[dict[str, Any]] = [
        {"id": "urn:x:wet", "type": "Station", "sensor": {"object": "urn:x:s1"}},
        {"id": "urn:x:dry", "type": "Station", "sensor": {"object": ["urn:x:s2", "urn:x:nothing"]}},
        {"id": "urn:x:listed", "type": "Station", "sensor": {"objectList": ["urn:x:s2", "urn:x:s1"]}},
        {"id": "urn:x:none", "type": "Station"},
        {"id": "urn:x:s1", "type": "Device", "humidity": 90, "room": {"object": "urn:x:room"}},
        {"id": "urn:x:s2", "type": "Probe", "humidity": 10},
        {"id": "urn:x:room", "type": "Room", "name": "屋上"},
    ]
    assert client.post("/entityOperations/create", json=entities).status_code == 201
    return client


@pytest.mark.parametrize(
    ("q", "names"),
    [
        ("sensor{humidity}>50", ["listed", "wet"]),
        ("sensor{humidity}<50", ["dry", "listed"]),
        ("sensor{Probe:humidity}>=0", ["dry", "listed"]),
        ("sensor{Device,Probe:humidity}", ["dry", "listed", "wet"]),
        ('sensor{room{name}}=="屋上"', ["listed", "wet"]),
        ("sensor{Device:room{Room:name}}~=屋;sensor{humidity}<50", ["listed"]),
        ("sensor{humidity}>50|humidity==10", ["listed", "wet"]),
    ],
)
def test_what_is_found(stations: httpx.Client, q: str, names: list[str]) -> None:
    answer = stations.get("/entities", params={"type": "Station", "q": q, "count": "true", **JOINED})
    assert answer.status_code == 200, answer.text
    assert [each["id"].removeprefix("urn:x:") for each in answer.json()] == names
    assert answer.headers["NGSILD-Results-Count"] == str(len(names))


@pytest.mark.parametrize(
    "parameters",
    [
        {"q": "sensor{humidity}>50"},
        {"q": "sensor{humidity}>50", "join": "@none"},
        {"q": "sensor{a{b}}", "join": "flat"},
        {"q": "sensor{humidity>50", **JOINED},
        {"q": "sensor{}>50", **JOINED},
        {"pick": "sensor{humidity}"},
        {"pick": "sensor{room{name}}", "join": "flat"},
    ],
)
def test_what_goes_too_deep(stations: httpx.Client, parameters: dict[str, str]) -> None:
    answer = stations.get("/entities", params={"type": "Station", **parameters})
    assert answer.status_code == 400, answer.text
    assert answer.json()["type"].endswith("BadRequestData")
