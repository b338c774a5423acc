"""Attributes one by one, scopes and types (clauses 5.6.2 to 5.6.5 and 5.6.19), batches (5.6.7 to 5.6.10)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from api_samples import CORE, GAUGE, JSON_LD, gauge

NULL = "urn:ngsi-ld:null"
PATH = f"/entities/{GAUGE}"
ATTRS = f"{PATH}/attrs"
RADAR = {"type": "Property", "value": 9, "datasetId": "urn:x:radar"}


def _get(client: httpx.Client) -> dict[str, Any]:
    return client.get(PATH).json()


def test_scopes_are_replaced_added_or_left_out(client: httpx.Client) -> None:
    client.post("/entities", json=gauge())
    ignored = client.patch(ATTRS, json={"scope": "/a"})
    assert (ignored.status_code, ignored.json()["notUpdated"][0]["attributeName"]) == (207, "scope")
    assert "scope" not in _get(client)
    assert client.post(ATTRS, json={"scope": "/a"}).status_code == 204
    assert (
        client.post(ATTRS, json={"scope": ["/b", "/a"]}, params={"options": "noOverwrite"}).status_code == 204
    )
    assert _get(client)["scope"] == ["/a", "/b"]
    assert client.patch(ATTRS, json={"scope": "/c"}).status_code == 204
    assert _get(client)["scope"] == "/c"
    assert client.patch(f"{ATTRS}/scope", json={"value": 1}).status_code == 400
    assert client.put(f"{ATTRS}/scope", json={"value": 1}).status_code == 400
    assert client.delete(f"{ATTRS}/scope").status_code == 204
    assert client.delete(f"{ATTRS}/scope").status_code == 404


def test_types_are_only_ever_added(client: httpx.Client) -> None:
    client.post("/entities", json=gauge())
    assert client.patch(ATTRS, json={"type": ["Gauge", "FloodMonitoring"]}).status_code == 204
    assert _get(client)["type"] == ["FloodMonitoring", "Gauge"]
    assert client.put(PATH, json={"id": GAUGE, "type": "Gauge"}).status_code == 204
    assert _get(client) == {"id": GAUGE, "type": "Gauge"}


@pytest.mark.parametrize("name", ["type", "@type", "@id"])
def test_a_keyword_is_no_type(client: httpx.Client, name: str) -> None:
    assert client.post("/entities", json={"id": GAUGE, "type": name}).status_code == 400


def test_instances_are_written_and_deleted_one_by_one(client: httpx.Client) -> None:
    client.post("/entities", json=gauge())
    only_new = {"options": "noOverwrite"}
    assert client.post(ATTRS, json={"currentLevel": RADAR}, params=only_new).status_code == 204
    assert len(_get(client)["currentLevel"]) == 2
    null = {**RADAR, "value": NULL}
    assert client.patch(ATTRS, json={"currentLevel": null}).status_code == 204
    assert _get(client)["currentLevel"]["value"] == 1.5
    assert client.patch(f"{ATTRS}/currentLevel", json=null).status_code == 404
    assert client.put(f"{ATTRS}/currentLevel", json=RADAR).status_code == 404
    client.post(ATTRS, json={"currentLevel": RADAR})
    assert client.delete(f"{ATTRS}/currentLevel", params={"datasetId": "urn:x:radar"}).status_code == 204
    assert client.patch(f"{ATTRS}/currentLevel", json={"value": NULL}).status_code == 204
    assert "currentLevel" not in _get(client)
    client.post(ATTRS, json={"currentLevel": [RADAR, {"value": 1}]})
    assert client.delete(f"{ATTRS}/currentLevel", params={"deleteAll": "true"}).status_code == 204
    assert "currentLevel" not in _get(client)


@pytest.mark.parametrize("value", [{"a": NULL}, {"a": {"b": NULL}}, [NULL, 1]])
def test_nulls_inside_values_are_for_merges_only(client: httpx.Client, value: Any) -> None:
    client.post("/entities", json=gauge())
    assert client.patch(ATTRS, json={"a": {"value": value}}).status_code == 400
    assert client.post(ATTRS, json={"a": {"value": NULL}}).status_code == 400
    assert client.patch(PATH, json={"a": {"value": value}}).status_code == 204


def test_one_entity_twice_in_a_batch(client: httpx.Client) -> None:
    """Clause 5.5.11: in the order given; what a second creation or deletion finds is said."""
    twice = [gauge(a=1), gauge(b=2)]
    created = client.post("/entityOperations/create", json=twice)
    assert (created.status_code, created.json()["success"]) == (207, [GAUGE])
    assert created.json()["errors"][0]["error"]["status"] == 409
    assert client.post("/entityOperations/upsert", json=[gauge(c=1), gauge(d=2)]).status_code == 204
    assert _get(client).keys() == {"id", "type", "currentLevel", "d"}
    updated = client.post("/entityOperations/upsert", json=[gauge(e=1)], params={"options": "update"})
    assert updated.status_code == 204
    assert {"d", "e"} <= _get(client).keys()
    deleted = client.post("/entityOperations/delete", json=[GAUGE, GAUGE])
    assert (deleted.status_code, deleted.json()["success"]) == (207, [GAUGE])
    assert client.post("/entityOperations/upsert", json=twice).json() == [GAUGE]


@pytest.mark.parametrize("operation", ["create", "upsert", "update", "delete", "merge"])
def test_batches_that_are_none(client: httpx.Client, operation: str) -> None:
    for body in ([], [None], {}, [GAUGE, None]):
        assert client.post(f"/entityOperations/{operation}", json=body).status_code == 400


def test_a_link_beside_json_ld_is_refused_in_batches_too(client: httpx.Client) -> None:
    headers = {**JSON_LD, "Link": f'<{CORE}>; rel="http://www.w3.org/ns/json-ld#context"'}
    answer = client.post("/entityOperations/create", json=[gauge(**{"@context": CORE})], headers=headers)
    assert answer.status_code == 400


def test_simultaneous_upserts_of_the_same_entities(client: httpx.Client) -> None:
    """Each is answered, none fails, and every entity is whole: one of the two, never a mixture."""
    identifiers = [f"urn:ngsi-ld:T:{number}" for number in range(20)]

    def upsert(writer: int) -> int:
        order = identifiers if writer % 2 else identifiers[::-1]
        batch = [{"id": each, "type": "T", "a": writer, "b": writer} for each in order]
        return client.post("/entityOperations/upsert", json=batch).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(upsert, range(16)))
    assert set(answers) <= {201, 204}
    entities = client.get("/entities", params={"type": "T", "options": "keyValues"}).json()
    assert len(entities) == 20
    assert all(entity["a"] == entity["b"] for entity in entities)


def test_deleting_while_others_query(client: httpx.Client) -> None:
    """A page never breaks because an entity of it goes, and shows whole entities only."""
    batch = [{"id": f"urn:ngsi-ld:T:{number:03}", "type": "T", "a": 1} for number in range(300)]
    client.post("/entityOperations/create", json=batch)

    def delete(start: int) -> int:
        return client.post(
            "/entityOperations/delete", json=[each["id"] for each in batch[start::4]]
        ).status_code

    def query(_: int) -> list[dict[str, Any]]:
        return client.get("/entities", params={"type": "T", "limit": 300, "options": "keyValues"}).json()

    with ThreadPoolExecutor(8) as pool:
        seen, deleted = pool.map(query, range(8)), pool.map(delete, range(4))
        assert all(entity["a"] == 1 for page in seen for entity in page)
        assert set(deleted) == {204}
    assert query(0) == []


def test_pages_by_id_lose_nothing_that_stays(client: httpx.Client) -> None:
    """While entities come behind the page that is read, those of later pages are all met, once each."""
    names = [f"urn:ngsi-ld:T:{number:03}" for number in range(30)]
    client.post("/entityOperations/create", json=[{"id": name, "type": "T"} for name in names])
    met: list[str] = []
    for page in range(3):
        found = client.get("/entities", params={"type": "T", "limit": 10, "offset": page * 10}).json()
        met += [entity["id"] for entity in found]
        client.post("/entities", json={"id": f"urn:ngsi-ld:T:x{page}", "type": "T"})
    assert met == names


@pytest.mark.parametrize(
    "identifier",
    [
        "urn:街並み:河川:一号",
        "urn:x:'; DROP TABLE entity; --",
        "urn:x:%00",
        "urn:x:../../types",
        "urn:x:é",
        "urn:x:💧",
    ],
)
def test_strange_ids_are_ids_or_refused(client: httpx.Client, identifier: str) -> None:
    answer = client.post("/entities", json={"id": identifier, "type": "T", "水位": 1})
    assert answer.status_code in (201, 400)
    if answer.status_code == 400:
        return
    path = answer.headers["Location"].removeprefix("/ngsi-ld/v1")
    assert client.get(path, params={"options": "keyValues"}).json() == {
        "id": identifier,
        "type": "T",
        "水位": 1,
    }
    assert client.delete(path).status_code == 204


def test_deep_and_large_documents(client: httpx.Client) -> None:
    deep: Any = 0
    for _ in range(30):
        deep = {"value": 1, "below": deep}
    assert client.post("/entities", json=gauge(deep=deep)).status_code == 201
    assert client.get(PATH, params={"options": "concise"}).json()["deep"] == deep
    endless: Any = 1
    for _ in range(200):
        endless = {"a": endless}
    assert client.patch(PATH, json={"deep": {"json": endless}}).status_code == 400
    large = {f"attribute{number}": "x" * 1000 for number in range(2000)}
    assert client.post(ATTRS, json=large).status_code == 204
    assert len(_get(client)) == 2000 + 4
