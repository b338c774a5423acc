"""One entity: create, retrieve, change, delete (clauses 5.6.1 to 5.6.6, 5.6.18, 5.6.19, 5.7.1)."""

import httpx
import pytest
from api_samples import CORE, GAUGE, JSON_LD, gauge, point

LINK = f'<{CORE}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'


def test_create_answers_where_it_is(client: httpx.Client) -> None:
    created = client.post("/entities", json=gauge())
    assert created.status_code == 201
    assert created.headers["Location"] == f"/ngsi-ld/v1/entities/{GAUGE}"
    assert client.get(f"/entities/{GAUGE}").json() == gauge()


def test_create_twice_is_a_conflict(client: httpx.Client) -> None:
    client.post("/entities", json=gauge())
    again = client.post("/entities", json=gauge())
    assert (again.status_code, again.json()["type"].rpartition("/")[2]) == (409, "AlreadyExists")


def test_the_standard_s_own_paths_end_in_a_slash(client: httpx.Client) -> None:
    assert client.post("/entities/", json=gauge()).status_code == 201
    assert len(client.get("/entities/", params={"type": "FloodMonitoring"}).json()) == 1
    assert client.post(f"/entities/{GAUGE}/attrs/", json={"a": 1}).status_code == 204
    assert client.get(f"/entities/{GAUGE}/").json()["a"]["value"] == 1


def test_an_id_with_slashes(client: httpx.Client) -> None:
    identifier = "https://example.org/gauges/1?x=y#z/"
    location = client.post("/entities", json=gauge(identifier)).headers["Location"]
    found = client.get(location.removeprefix("/ngsi-ld/v1"))
    assert client.get(f"/entities/{location}").json() == found.json()  # as Location told it
    assert found.json()["id"] == identifier


def test_representations(client: httpx.Client) -> None:
    client.post("/entities", json=gauge(location=point(135.0, 35.0)))
    path = f"/entities/{GAUGE}"
    assert client.get(path, params={"options": "keyValues"}).json()["currentLevel"] == 1.5
    assert client.get(path, params={"format": "simplified"}).json()["currentLevel"] == 1.5
    concise = client.get(path, params={"options": "concise"}).json()["currentLevel"]
    assert concise == {"value": 1.5, "unitCode": "MTR", "observedAt": "2026-11-21T00:00:00Z"}
    stamped = client.get(path, params={"options": "sysAttrs"}).json()
    assert {"createdAt", "modifiedAt"} <= stamped.keys() & stamped["currentLevel"].keys()


def test_geojson(client: httpx.Client) -> None:
    client.post("/entities", json=gauge(location=point(135.0, 35.0)))
    asked = {"Accept": "application/geo+json"}
    feature = client.get(f"/entities/{GAUGE}", headers=asked, params={"options": "keyValues"})
    assert feature.headers["Content-Type"] == "application/geo+json"
    body = feature.json()
    assert (body["type"], body["geometry"]["coordinates"]) == ("Feature", [135.0, 35.0])
    assert body["properties"]["currentLevel"] == 1.5
    assert body["@context"] == CORE
    linked = client.get(f"/entities/{GAUGE}", headers={**asked, "Prefer": "body=json"})
    assert "@context" not in linked.json()
    assert linked.headers["Link"] == LINK
    collection = client.get(
        "/entities", headers=asked, params={"type": "FloodMonitoring", "attrs": "currentLevel"}
    )
    [found] = collection.json()["features"]
    assert found["geometry"]["coordinates"] == [135.0, 35.0]
    assert found["properties"].keys() == {"type", "currentLevel"}


@pytest.mark.parametrize(
    ("prefer", "status", "applied", "kind"),
    [
        ("ngsi-ld=1.5", 203, "ngsi-ld=1.5", "Property"),
        ("body=json, ngsi-ld=1.7; wait=3", 203, "ngsi-ld=1.7", "Property"),
        ("ngsi-ld=1.9", 200, "ngsi-ld=1.9", "VocabProperty"),
        ("ngsi-ld=3.1", 200, "ngsi-ld=1.9", "VocabProperty"),
        ("ngsi-ld=new", 200, None, "VocabProperty"),
        ("return=minimal", 200, None, "VocabProperty"),
    ],
)
def test_the_words_of_an_earlier_version(
    client: httpx.Client, prefer: str, status: int, applied: str | None, kind: str
) -> None:
    """Clauses 4.3.6.8 and 6.3.6: retrieved, queried, and queried by POST."""
    state = {"type": "VocabProperty", "vocab": "open"}
    client.post("/entities", json=gauge(state=state))
    headers = {"Prefer": prefer}
    query = {"type": "Query", "entities": [{"type": "FloodMonitoring"}]}
    answers = [
        client.get(f"/entities/{GAUGE}", headers=headers),
        client.get("/entities?type=FloodMonitoring", headers=headers),
        client.post("/entityOperations/query", json=query, headers=headers),
    ]
    for answer in answers:
        assert (answer.status_code, answer.headers.get("Preference-Applied")) == (status, applied)
        entity = answer.json()[0] if isinstance(answer.json(), list) else answer.json()
        assert entity["state"]["type"] == kind


def test_several_linked_entities_before_there_were_several(client: httpx.Client) -> None:
    """Version 1.0 has one instance of each attribute."""
    links = [{"object": GAUGE}, {"object": "urn:x:2", "datasetId": "urn:d:1"}]
    client.post("/entities", json=gauge())
    client.post("/entities", json={"id": "urn:x:1", "type": "T", "near": links})
    found = client.get("/entities/urn:x:1?join=inline", headers={"Prefer": "ngsi-ld=1.0"})
    assert (found.status_code, found.json()["near"]["entity"]["id"]) == (203, GAUGE)


def test_the_context_goes_where_the_media_type_wants_it(client: httpx.Client) -> None:
    client.post("/entities", json=gauge())
    plain = client.get(f"/entities/{GAUGE}")
    assert plain.headers["Content-Type"] == "application/json"
    assert plain.headers["Link"] == LINK
    linked = client.get(f"/entities/{GAUGE}", headers={"Accept": "application/ld+json"})
    assert linked.json()["@context"] == CORE
    assert "Link" not in linked.headers


def test_terms_of_an_embedded_context(client: httpx.Client) -> None:
    context = [{"水位": "https://example.org/level"}, CORE]
    entity = {"id": GAUGE, "type": "T", "水位": {"type": "Property", "value": 2}, "@context": context}
    assert client.post("/entities", json=entity, headers=JSON_LD).status_code == 201
    assert "https://example.org/level" in client.get(f"/entities/{GAUGE}").json()


def test_members_picked_and_omitted(client: httpx.Client) -> None:
    client.post("/entities", json=gauge(name={"type": "Property", "value": "並木"}))
    path = f"/entities/{GAUGE}"
    assert client.get(path, params={"attrs": "name"}).json().keys() == {"id", "type", "name"}
    assert client.get(path, params={"pick": "id,name"}).json().keys() == {"id", "name"}
    assert client.get(path, params={"omit": "type,name"}).json().keys() == {"id", "currentLevel"}
    assert client.get(path, params={"attrs": "nothing"}).status_code == 404


def test_instances_by_dataset(client: httpx.Client) -> None:
    other = {"type": "Property", "value": 9, "datasetId": "urn:x:radar"}
    client.post("/entities", json=gauge(level2=[{"type": "Property", "value": 1}, other]))
    path = f"/entities/{GAUGE}"
    assert client.get(path, params={"datasetId": "urn:x:radar"}).json()["level2"] == other
    assert client.get(path, params={"datasetId": "@none"}).json()["level2"]["value"] == 1


def test_append_and_update_attributes(client: httpx.Client) -> None:
    client.post("/entities", json=gauge())
    path = f"/entities/{GAUGE}/attrs"
    assert client.post(path, json={"a": 1}).status_code == 204
    left = client.post(path, json={"a": 2, "b": 3}, params={"options": "noOverwrite"})
    assert left.status_code == 207
    assert left.json()["notUpdated"][0]["attributeName"].endswith("/a")
    assert client.patch(path, json={"a": 5, "c": 1}).status_code == 204  # 5.6.2: what is not there is added
    simple = client.get(f"/entities/{GAUGE}", params={"options": "keyValues"}).json()
    assert (simple["a"], simple["b"], simple["c"]) == (5, 3, 1)


def test_null_removes_an_attribute(client: httpx.Client) -> None:
    client.post("/entities", json=gauge(a=1, b=2))
    patch = {"a": {"type": "Property", "value": "urn:ngsi-ld:null"}, "b": 3}
    assert client.patch(f"/entities/{GAUGE}/attrs", json=patch).status_code == 204
    simple = client.get(f"/entities/{GAUGE}", params={"options": "keyValues"}).json()
    assert "a" not in simple
    assert simple["b"] == 3


def test_one_attribute(client: httpx.Client) -> None:
    client.post("/entities", json=gauge())
    path = f"/entities/{GAUGE}/attrs/currentLevel"
    assert client.patch(path, json={"value": 2.5}).status_code == 204
    level = client.get(f"/entities/{GAUGE}").json()["currentLevel"]
    assert (level["value"], level["unitCode"]) == (2.5, "MTR")
    assert client.put(path, json={"type": "Property", "value": 3}).status_code == 204
    assert client.get(f"/entities/{GAUGE}").json()["currentLevel"] == {"type": "Property", "value": 3}
    assert client.patch(path, json={"type": "Relationship", "object": "urn:x:y"}).status_code == 400
    assert client.delete(path).status_code == 204
    assert client.delete(path).status_code == 404
    assert client.patch(f"/entities/{GAUGE}/attrs/nothing", json={"value": 1}).status_code == 404


def test_replace_an_entity(client: httpx.Client) -> None:
    client.post("/entities", json=gauge(a=1))
    assert client.put(f"/entities/{GAUGE}", json={"type": "FloodMonitoring", "b": 2}).status_code == 204
    found = client.get(f"/entities/{GAUGE}", params={"options": "keyValues"}).json()
    assert found == {"id": GAUGE, "type": "FloodMonitoring", "b": 2}
    assert client.put(f"/entities/{GAUGE}", json=gauge("urn:ngsi-ld:X:2")).status_code == 400
    assert client.put("/entities/urn:ngsi-ld:X:3", json=gauge("urn:ngsi-ld:X:3")).status_code == 404


def test_delete_an_entity(client: httpx.Client) -> None:
    client.post("/entities", json=gauge())
    assert client.delete(f"/entities/{GAUGE}", params={"type": "Other"}).status_code == 404
    assert client.delete(f"/entities/{GAUGE}").status_code == 204
    assert client.get(f"/entities/{GAUGE}").status_code == 404
    assert client.delete(f"/entities/{GAUGE}").status_code == 404


@pytest.mark.parametrize("header", ["NGSILD-Tenant", "Fiware-Service"])
def test_tenants_do_not_see_each_other(client: httpx.Client, header: str) -> None:
    other = {header: "takamatsu"}
    missing = client.get("/entities", params={"type": "T"}, headers=other)
    assert (missing.status_code, missing.json()["type"].rpartition("/")[2]) == (404, "NonexistentTenant")
    assert client.post("/entities", json=gauge(), headers=other).status_code == 201
    assert client.get(f"/entities/{GAUGE}", headers=other).status_code == 200
    assert client.get(f"/entities/{GAUGE}").status_code == 404


def test_the_tenant_is_said_again(client: httpx.Client) -> None:
    answer = client.post("/entities", json=gauge(), headers={"NGSILD-Tenant": "a"})
    assert answer.headers["NGSILD-Tenant"] == "a"
    both = client.get(f"/entities/{GAUGE}", headers={"NGSILD-Tenant": "a", "Fiware-Service": "b"})
    assert both.status_code == 400
