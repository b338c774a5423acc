"""Distributed operations among three brokers of neighbouring cities (clauses 4.3.6, 5.6 and 5.7)."""

from typing import Any

import httpx
from api_samples import gauge

G1, G2, G3 = (f"urn:ngsi-ld:FloodMonitoring:river:{number}" for number in (1, 2, 3))
GAUGES = {"entities": [{"type": "FloodMonitoring"}]}
EVERYTHING = [
    "redirectionOps",
    "createBatch",
    "upsertBatch",
    "updateBatch",
    "mergeBatch",
    "deleteBatch",
    "queryBatch",
]
KEYS = {"options": "keyValues"}
LEVEL = "https://uri.etsi.org/ngsi-ld/default-context/currentLevel"


def register(here: httpx.Client, there: httpx.Client, *information: dict[str, Any], **more: Any) -> str:
    document = {
        "type": "ContextSourceRegistration",
        "information": list(information) or [GAUGES],
        "endpoint": str(there.base_url).removesuffix("/ngsi-ld/v1/"),
        "operations": EVERYTHING,
        **more,
    }
    created = here.post("/csourceRegistrations", json=document)
    assert created.status_code == 201, created.text
    return created.headers["Location"].removeprefix("/ngsi-ld/v1")


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()]


def test_a_neighbours_entities_are_part_of_the_answer(cities: list[httpx.Client]) -> None:
    here, north, south = cities
    register(here, north)
    register(here, south)
    here.post("/entities", json=gauge(G2))
    north.post("/entities", json=gauge(G1, level=3))
    south.post("/entities", json=gauge(G3, level=4))
    assert ids(here.get("/entities", params={"type": "FloodMonitoring"})) == [G1, G2, G3]
    assert ids(here.get("/entities", params={"type": "FloodMonitoring", "q": "currentLevel>2"})) == [G1, G3]
    page = here.get("/entities", params={"type": "FloodMonitoring", "limit": 1, "offset": 1, "count": "true"})
    assert ids(page) == [G2]
    assert page.headers["NGSILD-Results-Count"] == "3"
    assert ids(here.get("/entities", params={"type": "FloodMonitoring", "local": "true"})) == [G2]
    ordered = here.get("/entities", params={"type": "FloodMonitoring", "orderBy": "currentLevel"})
    assert (ordered.status_code, ordered.json()["field"]) == (400, "orderBy")
    assert here.get(f"/entities/{G3}", params=KEYS).json()["currentLevel"] == 4
    assert here.get(f"/entities/{G3}", params={"local": "true"}).status_code == 404
    posted = here.post(
        "/entityOperations/query", json={"type": "Query", "entities": [{"type": "FloodMonitoring"}]}
    )
    assert ids(posted) == [G1, G2, G3]
    assert "NGSILD-Warning" not in posted.headers


def test_parts_of_one_entity_are_put_together(cities: list[httpx.Client]) -> None:
    here, north, south = cities
    here.post("/entities", json=gauge(G1, level=1, at="2026-11-21T00:00:00Z"))
    north.post("/entities", json=gauge(G1, level=2, at="2026-11-21T01:00:00Z", alertLevel=5))
    south.post("/entities", json=gauge(G1, level=9, at="2026-11-21T02:00:00Z", alertLevel=8, name="Kamo"))
    register(here, north)
    register(here, south, mode="auxiliary", operations=["retrieveOps"])
    expected = {"currentLevel": 2, "alertLevel": 5, "name": "Kamo"}
    one = here.get(f"/entities/{G1}", params=KEYS).json()
    assert {name: one[name] for name in expected} == expected
    (listed,) = here.get("/entities", params={"type": "FloodMonitoring", **KEYS}).json()
    assert listed == one
    assert here.get(f"/entities/{G1}", params={**KEYS, "pick": "name"}).json() == {"name": "Kamo"}
    split = {"type": "FloodMonitoring", "q": 'currentLevel==2;name=="Kamo"'}
    assert ids(here.get("/entities", params=split)) == []
    assert ids(here.get("/entities", params={**split, "splitEntities": "true"})) == [G1]


def test_only_what_is_registered_is_asked_for(cities: list[httpx.Client]) -> None:
    here, north, _ = cities
    north.post("/entities", json=gauge(G1, alertLevel=5, name="Kamo"))
    north.post("/entities", json={"id": "urn:ngsi-ld:Bridge:1", "type": "Bridge"})
    register(here, north, {**GAUGES, "propertyNames": ["alertLevel"]}, operations=["queryBatch"])
    assert here.get(f"/entities/{G1}", params=KEYS).json() == {
        "id": G1,
        "type": "FloodMonitoring",
        "alertLevel": 5,
    }
    assert ids(here.get("/entities", params={"type": "FloodMonitoring,Bridge"})) == [G1]
    assert ids(here.get("/entities", params={"type": "Bridge"})) == []
    assert ids(here.get("/entities", params={"type": "FloodMonitoring", "attrs": "name"})) == []
    north.delete(f"/entities/{G1}/attrs/alertLevel")
    assert here.get(f"/entities/{G1}").status_code == 404  # it says nothing of what it is registered for


def test_the_place_of_a_source_narrows_queries(cities: list[httpx.Client]) -> None:
    here, north, _ = cities
    place = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [10, 10]}}
    north.post("/entities", json=gauge(G1, location=place))
    register(here, north, location={"type": "Point", "coordinates": [135, 35]})
    near = {"type": "FloodMonitoring", "georel": "near;maxDistance==1000", "geometry": "Point"}
    assert ids(here.get("/entities", params={**near, "coordinates": "[10,10]"})) == []
    assert ids(here.get("/entities", params={"type": "FloodMonitoring"})) == [G1]


def test_a_context_source_filter_chooses_sources(cities: list[httpx.Client]) -> None:
    """Clauses 4.9 and 5.7.2."""
    here, north, south = cities
    register(here, north, operator="river office")
    register(here, south, operator="road office")
    north.post("/entities", json=gauge(G1))
    south.post("/entities", json=gauge(G2))
    filtered = {"type": "FloodMonitoring", "csf": 'operator=="river office"'}
    assert ids(here.get("/entities", params=filtered)) == [G1]
    assert ids(here.get("/entities", params={**filtered, "csf": 'operator=="nobody"'})) == []
    query = {"type": "Query", "entities": [{"type": "FloodMonitoring"}], "csf": 'operator=="road office"'}
    assert ids(here.post("/entityOperations/query", json=query)) == [G2]


def test_equals_all_take_a_change(cities: list[httpx.Client]) -> None:
    here, north, _ = cities
    register(here, north)
    assert here.post("/entities", json=gauge(G1)).status_code == 201
    change = {"currentLevel": {"type": "Property", "value": 7}}
    assert here.patch(f"/entities/{G1}/attrs", json=change).status_code == 204
    assert (
        here.post(f"/entities/{G1}/attrs", json={"alertLevel": {"type": "Property", "value": 8}}).status_code
        == 204
    )
    for city in (here, north):
        found = city.get(f"/entities/{G1}", params={**KEYS, "local": "true"}).json()
        assert (found["currentLevel"], found["alertLevel"]) == (7, 8)
    partial = {"value": 9}
    assert here.patch(f"/entities/{G1}/attrs/alertLevel", json=partial).status_code == 204
    assert north.get(f"/entities/{G1}", params=KEYS).json()["alertLevel"] == 9
    assert here.delete(f"/entities/{G1}/attrs/alertLevel").status_code == 204
    assert "alertLevel" not in north.get(f"/entities/{G1}").json()
    replaced = {"type": "FloodMonitoring", "name": {"type": "Property", "value": "Kamo"}}
    assert here.put(f"/entities/{G1}", json=replaced).status_code == 204
    assert north.get(f"/entities/{G1}", params=KEYS).json() == {
        "id": G1,
        "type": "FloodMonitoring",
        "name": "Kamo",
    }
    assert here.delete(f"/entities/{G1}").status_code == 204
    assert north.get(f"/entities/{G1}").status_code == here.get(f"/entities/{G1}").status_code == 404


def test_a_part_that_fails_is_told(cities: list[httpx.Client]) -> None:
    here, north, _ = cities
    north.post("/entities", json=gauge(G1))
    path = register(here, north)
    answer = here.post("/entities", json=gauge(G1))
    assert answer.status_code == 207
    (error,) = answer.json()["errors"]
    assert (error["entityId"], error["error"]["status"]) == (G1, 409)
    assert error["registrationId"] == path.removeprefix("/csourceRegistrations/")
    assert answer.json()["success"] == [G1]
    assert answer.headers["Location"] == f"/ngsi-ld/v1/entities/{G1}"
    again = here.post("/entities", json=gauge(G1))
    assert [each["error"]["status"] for each in again.json()["errors"]] == [409, 409]
    assert again.json()["success"] == []


def test_a_wrong_request_goes_nowhere(cities: list[httpx.Client]) -> None:
    here, north, _ = cities
    register(here, north)
    assert here.post("/entities", json={**gauge(G1), "alertLevel": {"type": "Nothing"}}).status_code == 400
    assert ids(north.get("/entities", params={"type": "FloodMonitoring"})) == []


def test_redirected_entities_are_there_and_not_here(cities: list[httpx.Client]) -> None:
    here, north, south = cities
    register(here, north, mode="redirect")
    path = register(here, south, mode="redirect")
    assert here.post("/entities", json=gauge(G1)).status_code == 201
    for city in (north, south):
        assert ids(city.get("/entities", params={"type": "FloodMonitoring"})) == [G1]
    assert here.get(f"/entities/{G1}", params={"local": "true"}).status_code == 404
    south.delete(f"/entities/{G1}")
    answer = here.patch(f"/entities/{G1}/attrs", json={"currentLevel": 4})
    assert answer.status_code == 207
    (left,) = answer.json()["notUpdated"]
    assert left["attributeName"] == answer.json()["updated"][0] == LEVEL
    assert left["registrationId"] == path.removeprefix("/csourceRegistrations/")
    assert north.get(f"/entities/{G1}", params=KEYS).json()["currentLevel"] == 4
    south.post("/entities", json=gauge(G1))
    assert here.post("/entityOperations/delete", json=[G1]).status_code == 204
    for city in (north, south):
        assert city.get(f"/entities/{G1}").status_code == 404


def test_exclusive_attributes_go_to_their_one_place(cities: list[httpx.Client]) -> None:
    here, north, south = cities
    information = {"entities": [{"id": G1, "type": "FloodMonitoring"}], "propertyNames": ["currentLevel"]}
    register(here, north, information, mode="exclusive")
    register(here, south, operations=["retrieveOps"])
    assert here.post("/entities", json=gauge(G1, alertLevel=5)).status_code == 201
    assert "currentLevel" not in here.get(f"/entities/{G1}", params={"local": "true"}).json()
    assert north.get(f"/entities/{G1}", params=KEYS).json() == {
        "id": G1, "type": "FloodMonitoring", "currentLevel": 1.5,
    }  # fmt: skip
    assert here.get(f"/entities/{G1}", params=KEYS).json()["currentLevel"] == 1.5
    assert here.patch(f"/entities/{G1}/attrs/currentLevel", json={"value": 2}).status_code == 204
    assert north.get(f"/entities/{G1}", params=KEYS).json()["currentLevel"] == 2
    assert south.get(f"/entities/{G1}").status_code == 404


def test_an_exclusive_registration_without_attributes_takes_no_change(cities: list[httpx.Client]) -> None:
    here, north, _ = cities
    here.post("/entities", json=gauge(G1), params={"local": "true"})
    north.post("/entities", json=gauge(G1, alertLevel=5))
    information = {"entities": [{"id": G1, "type": "FloodMonitoring"}]}
    register(here, north, information, mode="exclusive")
    assert here.get(f"/entities/{G1}", params=KEYS).json()["alertLevel"] == 5
    assert here.post("/entities", json=gauge(G1)).status_code == 409
    deleted = here.delete(f"/entities/{G1}")
    assert (deleted.status_code, deleted.json()["errors"][0]["error"]["title"]) == (207, "Conflict")
    assert here.get(f"/entities/{G1}", params={"local": "true"}).status_code == 404
    assert north.get(f"/entities/{G1}").status_code == 200


def test_an_attribute_that_is_elsewhere_is_changed_there(cities: list[httpx.Client]) -> None:
    here, north, _ = cities
    register(here, north)
    here.post("/entities", json=gauge(G1), params={"local": "true"})
    north.post("/entities", json=gauge(G1, alertLevel=5))
    assert here.patch(f"/entities/{G1}/attrs/alertLevel", json={"value": 6}).status_code == 204
    assert north.get(f"/entities/{G1}", params=KEYS).json()["alertLevel"] == 6
    assert here.patch(f"/entities/{G1}/attrs/nothing", json={"value": 6}).status_code == 404


def test_a_part_of_an_update_that_fails_is_told_by_its_attributes(cities: list[httpx.Client]) -> None:
    """Clauses 5.2.18 and 5.2.19, wherever the attributes are."""
    here, north, _ = cities
    river = {**GAUGES, "propertyNames": ["currentLevel"]}
    path = register(here, north, river, mode="redirect", operations=["retrieveOps", "updateEntity"])
    identifier = path.removeprefix("/csourceRegistrations/")
    here.post("/entities", json={**gauge(G1), "alertLevel": 5}, params={"local": "true"})
    change = {"currentLevel": 4, "alertLevel": 6}
    answer = here.patch(f"/entities/{G1}/attrs", json=change)
    assert answer.status_code == 207
    body = answer.json()
    assert [name.rpartition("/")[2] for name in body["updated"]] == ["alertLevel"]
    (left,) = body["notUpdated"]
    assert (left["attributeName"], left["registrationId"]) == (LEVEL, identifier)
    refused = here.post(f"/entities/{G1}/attrs", json=change).json()
    assert "does not offer" in refused["notUpdated"][0]["reason"]
    north.post("/entities", json=gauge(G1))
    kept = here.post(
        f"/entities/{G1}/attrs", params={"options": "noOverwrite"}, json={"alertLevel": 7, "depth": 3}
    )
    assert (kept.status_code, len(kept.json()["notUpdated"]), len(kept.json()["updated"])) == (207, 1, 1)
    assert here.delete(f"/entities/{G1}/attrs/currentLevel").status_code == 409


def test_what_a_source_does_not_offer_is_a_conflict(cities: list[httpx.Client]) -> None:
    here, north, _ = cities
    register(here, north, mode="redirect", operations=["retrieveOps"])
    answer = here.post("/entities", json=gauge(G1))
    assert (answer.status_code, answer.json()["title"]) == (409, "Conflict")
    batch = here.post("/entityOperations/create", json=[gauge(G1), {"id": "urn:x:2", "type": "Other"}])
    assert batch.status_code == 207
    assert batch.json()["success"] == ["urn:x:2"]
    assert [each["entityId"] for each in batch.json()["errors"]] == [G1]


def test_batches(cities: list[httpx.Client]) -> None:
    here, north, south = cities
    register(here, north)
    register(here, south, operations=["createEntity", "updateEntity", "deleteEntity", "replaceEntity"])
    both = [gauge(G1), gauge(G2)]
    created = here.post("/entityOperations/create", json=both)
    assert (created.status_code, created.json()) == (201, [G1, G2])

    def levels(city: httpx.Client) -> list[float]:
        found = city.get("/entities", params={"type": "FloodMonitoring", "local": "true", **KEYS}).json()
        return [each["currentLevel"] for each in found]

    for operation, level in (("update", 3), ("upsert", 4)):
        changed = here.post(
            f"/entityOperations/{operation}", json=[gauge(G1, level=level), gauge(G2, level=level)]
        )
        assert changed.status_code == 204, changed.text
        assert [levels(city) for city in cities] == [[level, level]] * 3
    south.delete(f"/entities/{G2}")
    deleted = here.post("/entityOperations/delete", json=[G1, G2])
    assert deleted.status_code == 207
    assert [each["error"]["status"] for each in deleted.json()["errors"]] == [404]
    assert [levels(city) for city in cities] == [[]] * 3


def test_names_are_written_as_a_source_wants_them(cities: list[httpx.Client]) -> None:
    here, north, _ = cities
    context = {"@context": {"Gauge": "https://example.org/Gauge", "level": "https://example.org/level"}}
    address = north.post("/jsonldContexts", json=context).headers["Location"]
    url = str(north.base_url.copy_with(path=address))
    assert (
        here.get("/entities", params={"type": "A"}, headers={"Link": f'<{url}>; rel="x"'}).status_code == 200
    )
    information = {"entities": [{"type": "https://example.org/Gauge"}]}
    register(here, north, information, operations=["redirectionOps"])
    document = {"id": G1, "type": "Gauge", "level": {"type": "Property", "value": 1}, **context}
    created = here.post("/entities", json=document, headers={"Content-Type": "application/ld+json"})
    assert created.status_code == 201
    found = north.get(f"/entities/{G1}", params=KEYS).json()
    assert found == {"id": G1, "type": "https://example.org/Gauge", "https://example.org/level": 1}


def test_a_loop_ends(cities: list[httpx.Client]) -> None:
    here, north, south = cities
    register(here, north)
    register(north, south)
    register(south, here)
    south.post("/entities", json=gauge(G3))
    answer = here.get("/entities", params={"type": "FloodMonitoring"})
    assert ids(answer) == [G3], answer.headers
    assert answer.headers["NGSILD-Warning"].startswith("199 ")  # said by the last of the three
    assert here.get(f"/entities/{G3}").status_code == 200
    assert here.post("/entities", json=gauge(G1)).status_code == 207
    for city in cities:
        assert city.get(f"/entities/{G1}", params={"local": "true"}).status_code == 200
    alias = here.get("/info/sourceIdentity").json()["contextSourceAlias"]
    returned = here.get("/entities", params={"type": "FloodMonitoring"}, headers={"Via": f"1.1 {alias}"})
    assert returned.status_code == 508


def test_tenants_are_mapped(cities: list[httpx.Client]) -> None:
    here, north, _ = cities
    north.post("/entities", json=gauge(G1), headers={"NGSILD-Tenant": "rivers"})
    register(
        here, north, tenant="rivers", contextSourceInfo=[{"key": "X-Key", "value": "urn:ngsi-ld:request"}]
    )
    assert ids(here.get("/entities", params={"type": "FloodMonitoring"}, headers={"X-Key": "1"})) == [G1]


def test_a_tenant_that_is_new_has_no_registrations(cities: list[httpx.Client]) -> None:
    """Clause 4.14: those of another tenant neither take part nor stand in its way."""
    here, north, _ = cities
    register(here, north)
    tenant = {"NGSILD-Tenant": "roads"}
    assert here.post("/entities", json=gauge(G1), headers=tenant).status_code == 201
    assert here.get(f"/entities/{G1}", headers=tenant).status_code == 200
    assert here.get(f"/entities/{G1}", headers={"NGSILD-Tenant": "nobody"}).status_code == 404
    assert north.get(f"/entities/{G1}").status_code == 404


def test_a_source_that_is_away_is_said(cities: list[httpx.Client]) -> None:
    here, north, _ = cities
    north.post("/entities", json=gauge(G1))
    register(here, north)
    away = {"endpoint": "http://127.0.0.1:9", "management": {"timeout": 300, "cooldown": 60_000}}
    path = register(here, north, **away)
    for said in ("cannot be reached", "left alone"):
        answer = here.get("/entities", params={"type": "FloodMonitoring"})
        assert ids(answer) == [G1]
        assert answer.headers["NGSILD-Warning"].startswith("199 machinami-")
        assert said in answer.headers["NGSILD-Warning"]
    assert here.get(path).json()["endpoint"] == "http://127.0.0.1:9"
    exclusive = {"entities": [{"id": G2, "type": "FloodMonitoring"}], "propertyNames": ["currentLevel"]}
    register(here, north, exclusive, mode="exclusive", **away)
    here.delete(path)
    other = {"id": G2, "type": "Other", "currentLevel": {"type": "Property", "value": 1}}
    assert here.post("/entities", json={**other, "type": "FloodMonitoring"}).status_code == 504


def test_answers_are_kept_where_a_registration_says_so(cities: list[httpx.Client]) -> None:
    here, north, _ = cities
    north.post("/entities", json=gauge(G1, level=1))
    register(here, north, management={"cacheDuration": "PT1M"})
    assert here.get(f"/entities/{G1}", params=KEYS).json()["currentLevel"] == 1
    north.patch(f"/entities/{G1}/attrs", json={"currentLevel": 2})
    again = here.get(f"/entities/{G1}", params=KEYS)
    assert again.json()["currentLevel"] == 1
    assert again.headers["NGSILD-Warning"].startswith("110 machinami-")


def test_a_posted_query_may_be_about_split_entities(cities: list[httpx.Client]) -> None:
    here, north, _ = cities
    here.post("/entities", json=gauge(G1, level=1))
    north.post(
        "/entities", json={"id": G1, "type": "FloodMonitoring", "name": {"type": "Property", "value": "Kamo"}}
    )
    register(here, north)
    query = {"type": "Query", "entities": [{"type": "FloodMonitoring"}], "q": 'currentLevel<2;name=="Kamo"'}
    assert ids(here.post("/entityOperations/query", json=query)) == []
    assert ids(here.post("/entityOperations/query", json={**query, "splitEntities": True})) == [G1]


def test_a_purge_goes_along(cities: list[httpx.Client]) -> None:
    here, north, south = cities
    register(here, north)
    for city in cities:
        city.post("/entities", json=gauge(G1), params={"local": "true"})
    assert here.delete("/entities", params={"type": "FloodMonitoring"}).status_code == 204
    found = [
        ids(city.get("/entities", params={"type": "FloodMonitoring", "local": "true"})) for city in cities
    ]
    assert found == [[], [], [G1]]
    path = register(here, south, mode="redirect", operations=["retrieveOps"])
    refused = here.delete("/entities", params={"type": "FloodMonitoring"})
    assert refused.status_code == 207
    assert refused.json()["errors"][0]["registrationId"] == path.removeprefix("/csourceRegistrations/")


def test_a_merge_goes_along(cities: list[httpx.Client]) -> None:
    here, north, _ = cities
    register(here, north)
    here.post("/entities", json=gauge(G1, name="Kamo"))
    assert here.patch(f"/entities/{G1}", json={"name": "urn:ngsi-ld:null"}).status_code == 204
    assert "name" not in north.get(f"/entities/{G1}").json()
    assert here.post("/entityOperations/merge", json=[{"id": G1, "alertLevel": 3}]).status_code == 204
    assert north.get(f"/entities/{G1}", params=KEYS).json()["alertLevel"] == 3


def test_types_and_attributes_of_neighbours_are_found(cities: list[httpx.Client]) -> None:
    """Clause 5.7.11."""
    here, north, south = cities
    register(here, north, {**GAUGES, "propertyNames": ["currentLevel", "alertLevel"]})
    register(here, south, operations=["retrieveOps"])
    here.post("/entities", json=gauge(G1), params={"local": "true"})
    north.post("/entities", json=gauge(G2, alertLevel=5, name="Kamo"))
    north.post("/entities", json={"id": "urn:ngsi-ld:Bridge:1", "type": "Bridge"})
    south.post("/entities", json=gauge(G3, depth=5))
    assert here.get("/types").json()["typeList"] == ["FloodMonitoring"]
    (described,) = here.get("/types", params={"details": "true"}).json()
    assert described["attributeNames"] == ["alertLevel", "currentLevel"]
    told = here.get("/types/FloodMonitoring").json()
    assert told["entityCount"] == 2
    assert [each["attributeName"] for each in told["attributeDetails"]] == ["alertLevel", "currentLevel"]
    assert here.get("/attributes").json()["attributeList"] == ["alertLevel", "currentLevel"]
    assert here.get("/attributes/alertLevel").json()["attributeCount"] == 1
    assert here.get("/attributes/alertLevel", params={"local": "true"}).status_code == 404
    assert here.get("/attributes/name").status_code == here.get("/types/Bridge").status_code == 404
    as_json_ld = here.get("/types", headers={"Accept": "application/ld+json"}).json()
    assert as_json_ld["@context"]
    register(here, north, endpoint="http://127.0.0.1:9")
    answer = here.get("/types")
    assert (answer.status_code, answer.headers["NGSILD-Warning"][:3]) == (200, "199")
