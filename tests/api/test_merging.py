"""Merge Entity, one and in batches (clauses 5.6.17 and 5.6.20)."""

from typing import Any

import httpx
import pytest
from api_samples import GAUGE, gauge

NULL = "urn:ngsi-ld:null"
PATH = f"/entities/{GAUGE}"


def _level(client: httpx.Client, name: str = "currentLevel") -> dict[str, Any]:
    return client.get(PATH).json()[name]


def test_a_merge_changes_what_it_names(client: httpx.Client) -> None:
    client.post("/entities", json=gauge(address={"value": {"city": "並木", "ward": "北"}}))
    fragment = {
        "address": {"value": {"ward": NULL, "street": "一"}},
        "type": "Gauge",
        "scope": "/a",
        "new": 1,
    }
    assert client.patch(PATH, json=fragment).status_code == 204
    entity = client.get(PATH).json()
    assert entity["address"]["value"] == {"city": "並木", "street": "一"}
    assert entity["type"] == ["FloodMonitoring", "Gauge"]
    assert (entity["scope"], entity["new"]["value"], "currentLevel" in entity) == ("/a", 1, True)
    assert client.patch(PATH, json={"scope": NULL, "new": NULL}).status_code == 204
    assert not {"scope", "new"} & client.get(PATH).json().keys()


def test_bare_values_keep_the_kind_that_is_there(client: httpx.Client) -> None:
    river = {"type": "Relationship", "object": "urn:ngsi-ld:River:1"}
    name = {"type": "LanguageProperty", "languageMap": {"ja": "川", "en": "river"}}
    state = {"type": "VocabProperty", "vocab": "open"}
    client.post("/entities", json=gauge(river=river, name=name, state=state))
    fragment = {"river": "urn:ngsi-ld:River:2", "name": "stream", "state": "shut", "currentLevel": 3}
    sent = client.patch(PATH, json=fragment, params={"format": "simplified", "lang": "en"})
    assert sent.status_code == 204
    entity = client.get(PATH).json()
    assert entity["river"] == {**river, "object": "urn:ngsi-ld:River:2"}
    assert entity["name"] == {**name, "languageMap": {"ja": "川", "en": "stream"}}
    assert entity["state"] == {**state, "vocab": "shut"}
    assert entity["currentLevel"]["unitCode"] == "MTR"
    assert client.patch(PATH, json={"river": "no uri"}).status_code == 400


def test_a_common_time_dates_what_was_dated(client: httpx.Client) -> None:
    client.post("/entities", json=gauge(note={"value": 1}))
    common = {"observedAt": "2026-11-21T00:30:00Z"}
    assert (
        client.patch(PATH, json={"currentLevel": {"value": 9}, "note": 2}, params=common).status_code == 204
    )
    assert _level(client)["observedAt"] == "2026-11-21T00:30:00Z"
    assert "observedAt" not in _level(client, "note")
    own = {"currentLevel": {"value": 9, "observedAt": "2026-11-21T05:00:00Z"}}
    client.patch(PATH, json=own, params=common)
    assert _level(client)["observedAt"] == "2026-11-21T05:00:00Z"


@pytest.mark.parametrize(
    ("fragment", "parameters"),
    [
        ({"currentLevel": {"type": "Relationship", "object": "urn:a:b"}}, {}),
        ({"id": "urn:ngsi-ld:Other:1"}, {}),
        ({"currentLevel": {"value": 1, "datasetId": NULL}}, {}),
        ({"currentLevel": 1}, {"observedAt": "yesterday"}),
        ({"currentLevel": 1}, {"lang": "not a language"}),
    ],
)
def test_what_is_refused_changes_nothing(
    client: httpx.Client, fragment: dict[str, Any], parameters: dict[str, str]
) -> None:
    client.post("/entities", json=gauge())
    before = client.get(PATH).json()
    assert client.patch(PATH, json=fragment, params=parameters).status_code == 400
    assert client.get(PATH).json() == before


def test_what_is_not_there(client: httpx.Client) -> None:
    client.post("/entities", json=gauge())
    assert client.patch("/entities/urn:x:none", json={"a": 1}).status_code == 404
    for method in ("PATCH", "PUT"):
        refused = client.request(method, "/entities/", json={"a": 1})
        assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (400, "BadRequestData")


def test_merging_a_batch(client: httpx.Client) -> None:
    client.post("/entities", json=gauge())
    batch = [{"id": GAUGE, "currentLevel": 2}, {"id": GAUGE, "a": 1}, {"id": "urn:x:none", "a": 1}, {"a": 1}]
    answer = client.post("/entityOperations/merge", json=batch)
    assert answer.status_code == 207
    assert set(answer.json()["success"]) == {GAUGE}
    errors = {error["entityId"]: error["error"]["status"] for error in answer.json()["errors"]}
    assert errors == {"urn:x:none": 404, "": 400}
    assert (_level(client)["value"], _level(client)["unitCode"], _level(client, "a")["value"]) == (
        2,
        "MTR",
        1,
    )
    assert client.post("/entityOperations/merge", json=[{"id": GAUGE, "a": 2}]).status_code == 204
