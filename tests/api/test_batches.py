"""Batch operations: each member has its result (clauses 5.6.7 to 5.6.10)."""

import httpx
from api_samples import CORE, GAUGE, JSON_LD, gauge

OTHER = "urn:ngsi-ld:FloodMonitoring:namiki:g2"
BAD = {"id": "no uri", "type": "T"}


def _level(client: httpx.Client, identifier: str = GAUGE) -> object:
    return client.get(f"/entities/{identifier}", params={"options": "keyValues"}).json().get("currentLevel")


def test_create(client: httpx.Client) -> None:
    created = client.post("/entityOperations/create", json=[gauge(), gauge(OTHER)])
    assert (created.status_code, created.json()) == (201, [GAUGE, OTHER])
    again = client.post("/entityOperations/create", json=[gauge(), gauge("urn:ngsi-ld:X:3"), BAD])
    assert again.status_code == 207
    assert again.json()["success"] == ["urn:ngsi-ld:X:3"]
    errors = {each["entityId"]: each["error"]["status"] for each in again.json()["errors"]}
    assert errors == {GAUGE: 409, "no uri": 400}


def test_upsert_replaces(client: httpx.Client) -> None:
    client.post("/entities", json=gauge(a=1))
    upserted = client.post("/entityOperations/upsert", json=[gauge(level=7), gauge(OTHER)])
    assert (upserted.status_code, upserted.json()) == (201, [OTHER])
    assert client.get(f"/entities/{GAUGE}").json() == gauge(level=7)
    assert client.post("/entityOperations/upsert", json=[gauge(level=8)]).status_code == 204


def test_upsert_updates_if_asked(client: httpx.Client) -> None:
    client.post("/entities", json=gauge(a=1))
    update = {"options": "update"}
    upserted = client.post("/entityOperations/upsert", json=[gauge(level=7), gauge(OTHER)], params=update)
    assert (upserted.status_code, upserted.json()) == (201, [OTHER])
    assert client.get(f"/entities/{GAUGE}", params={"options": "keyValues"}).json()["a"] == 1
    assert _level(client) == 7


def test_the_last_of_two_with_one_id_counts(client: httpx.Client) -> None:
    assert client.post("/entityOperations/upsert", json=[gauge(level=1), gauge(level=2)]).json() == [GAUGE]
    assert _level(client) == 2


def test_update(client: httpx.Client) -> None:
    client.post("/entities", json=gauge())
    part = {"id": GAUGE, "type": "FloodMonitoring", "a": 1}
    assert client.post("/entityOperations/update", json=[part]).status_code == 204
    left = client.post(
        "/entityOperations/update", json=[part, gauge(OTHER)], params={"options": "noOverwrite"}
    )
    assert left.status_code == 207
    assert {each["entityId"] for each in left.json()["errors"]} == {GAUGE, OTHER}


def test_delete(client: httpx.Client) -> None:
    client.post("/entities", json=gauge())
    gone = client.post("/entityOperations/delete", json=[GAUGE, OTHER, 5])
    assert gone.status_code == 207
    assert gone.json()["success"] == [GAUGE]
    assert len(gone.json()["errors"]) == 2
    client.post("/entities", json=gauge())
    assert client.post("/entityOperations/delete", json=[GAUGE]).status_code == 204


def test_each_member_has_its_own_context(client: httpx.Client) -> None:
    terms = [{"level": "https://example.org/l1"}, {"level": "https://example.org/l2"}]
    entities = [
        {"id": f"urn:ngsi-ld:T:{n}", "type": "T", "level": n, "@context": [term, CORE]}
        for n, term in enumerate(terms)
    ]
    assert client.post("/entityOperations/create", json=entities, headers=JSON_LD).status_code == 201
    assert (
        client.get("/entities/urn:ngsi-ld:T:1", params={"options": "keyValues"}).json()[
            "https://example.org/l2"
        ]
        == 1
    )


def test_what_is_no_batch(client: httpx.Client) -> None:
    for body in ({}, [], "x"):
        assert client.post("/entityOperations/upsert", json=body).status_code == 400
