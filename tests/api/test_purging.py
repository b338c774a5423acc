"""Purge Entities (clause 5.6.21)."""

import httpx
import pytest
from api_samples import GAUGE, gauge
from machinami.linkage import read


def _left(client: httpx.Client) -> list[str]:
    return [entity["id"] for entity in client.get("/entities", params={"local": "true"}).json()]


@pytest.fixture
def some(client: httpx.Client) -> httpx.Client:
    batch = [gauge(f"urn:g:{number}", level=number, a=1, b=2) for number in range(5)]
    client.post("/entityOperations/create", json=[*batch, {"id": "urn:o:1", "type": "Other", "a": 1}])
    return client


@pytest.mark.parametrize(
    ("parameters", "left"),
    [
        ({"type": "FloodMonitoring"}, ["urn:o:1"]),
        ({"type": "FloodMonitoring", "id": "urn:g:1,urn:g:2"}, ["urn:g:0", "urn:g:3", "urn:g:4", "urn:o:1"]),
        ({"type": "FloodMonitoring", "idPattern": "[34]$"}, ["urn:g:0", "urn:g:1", "urn:g:2", "urn:o:1"]),
        ({"q": "currentLevel>=1"}, ["urn:g:0", "urn:o:1"]),
        ({"attrs": "b"}, ["urn:o:1"]),
        ({"local": "true"}, []),
        ({"type": "*"}, []),
    ],
)
def test_what_a_query_finds_goes(some: httpx.Client, parameters: dict[str, str], left: list[str]) -> None:
    assert some.delete("/entities", params=parameters).status_code == 204
    assert _left(some) == left


def test_attributes_dropped_or_kept(some: httpx.Client) -> None:
    assert some.delete("/entities", params={"type": "FloodMonitoring", "drop": "a,none"}).status_code == 204
    assert some.get("/entities/urn:g:1").json().keys() == {"id", "type", "currentLevel", "b"}
    assert some.delete("/entities", params={"id": "urn:g:1", "keep": "b"}).status_code == 204
    assert some.get("/entities/urn:g:1").json().keys() == {"id", "type", "b"}
    assert "currentLevel" in some.get("/entities/urn:g:2").json()
    assert "a" in some.get("/entities/urn:o:1").json()


def test_places(client: httpx.Client) -> None:
    for number, longitude in enumerate((139.0, 140.0)):
        point = {"type": "Point", "coordinates": [longitude, 35.0]}
        client.post("/entities", json={"id": f"urn:p:{number}", "type": "P", "location": point})
    near = {"georel": "near;maxDistance==1000", "geometry": "Point", "coordinates": "[139.0,35.0]"}
    assert client.delete("/entities", params=near).status_code == 204
    assert _left(client) == ["urn:p:1"]


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"id": "urn:g:1"},
        {"idPattern": "g"},
        {"local": "false"},
        {"q": "createdAt>2020-01-01T00:00:00Z"},
        {"type": "*", "local": "false"},
        {"type": "FloodMonitoring", "drop": "a", "keep": "b"},
        {"type": "FloodMonitoring", "id": "no uri"},
        {"q": "((("},
    ],
)
def test_too_wide_or_wrong(some: httpx.Client, parameters: dict[str, str]) -> None:
    refused = some.delete("/entities", params=parameters)
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (400, "BadRequestData")
    assert len(_left(some)) == 6


def test_more_than_one_list_of_ids(some: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "_IDS", 2)
    assert some.delete("/entities", params={"type": "FloodMonitoring"}).status_code == 204
    assert _left(some) == ["urn:o:1"]


def test_other_tenants_keep_theirs(some: httpx.Client) -> None:
    other = {"NGSILD-Tenant": "other"}
    some.post("/entities", json=gauge(), headers=other)
    some.delete("/entities", params={"local": "true"})
    assert some.get(f"/entities/{GAUGE}", headers=other).status_code == 200
