"""Many entities: selection, geo-query, pages, count (clauses 5.7.2, 4.10, 4.17, 6.3.10, 6.3.13)."""

from typing import Any

import httpx
import pytest
from api_samples import CORE, JSON_LD, gauge, point


@pytest.fixture
def city(client: httpx.Client) -> httpx.Client:
    entities: list[dict[str, Any]] = [
        gauge(f"urn:ngsi-ld:FloodMonitoring:g{n}", level=n, location=point(135 + n / 100, 35))
        for n in range(5)
    ]
    entities += [
        {"id": "urn:ngsi-ld:Vehicle:v1", "type": ["Vehicle", "Bicycle"], "speed": 12},
        {"id": "urn:ngsi-ld:Vehicle:v2", "type": "Vehicle", "speed": 0},
        {"id": "urn:ngsi-ld:District:d1", "type": "District", "location": _square(135.0, 35.0)},
    ]
    assert client.post("/entityOperations/create", json=entities).status_code == 201
    return client


def _square(west: float, south: float) -> dict[str, Any]:
    ring = [[west, south], [west + 1, south], [west + 1, south + 1], [west, south + 1], [west, south]]
    return {"type": "GeoProperty", "value": {"type": "Polygon", "coordinates": [ring]}}


def _names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [entity["id"].rpartition(":")[2] for entity in answer.json()]


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({"type": "Vehicle"}, ["v1", "v2"]),
        ({"type": "Vehicle,District"}, ["d1", "v1", "v2"]),
        ({"type": "Vehicle|District"}, ["d1", "v1", "v2"]),
        ({"type": "(Vehicle;Bicycle)"}, ["v1"]),
        ({"type": "(Vehicle;Bicycle),District"}, ["d1", "v1"]),
        ({"type": "*", "limit": "1"}, ["d1"]),
        ({"id": "urn:ngsi-ld:Vehicle:v2,urn:ngsi-ld:Vehicle:nothing", "local": "true"}, ["v2"]),
        ({"idPattern": "g[13]$", "local": "true"}, ["g1", "g3"]),
        ({"attrs": "speed"}, ["v1", "v2"]),
        ({"q": "currentLevel>=3"}, ["g3", "g4"]),
        ({"q": "currentLevel==1..2|speed==0"}, ["g1", "g2", "v2"]),
        ({"q": 'currentLevel.unitCode=="MTR";currentLevel<1'}, ["g0"]),
        (
            {"type": "FloodMonitoring", "q": "currentLevel.observedAt<2026-11-21T00:00:01Z", "limit": "2"},
            ["g0", "g1"],
        ),
        ({"type": "Nothing"}, []),
    ],
)
def test_selection(city: httpx.Client, parameters: dict[str, str], names: list[str]) -> None:
    assert _names(city.get("/entities", params=parameters)) == names


@pytest.mark.parametrize(
    ("georel", "geometry", "coordinates", "names"),
    [
        ("near;maxDistance==1500", "Point", "[135.0,35.0]", ["d1", "g0", "g1"]),
        ("near;minDistance==1500", "Point", "[135.0,35.0]", ["g2", "g3", "g4"]),
        ("within", "Polygon", "[[[134,34],[135.025,34],[135.025,36],[134,36],[134,34]]]", ["g0", "g1", "g2"]),
        ("contains", "Point", "[135.5,35.5]", ["d1"]),
        ("disjoint", "Polygon", "[[[134,34],[136,34],[136,36],[134,36],[134,34]]]", []),
        ("near;maxDistance==1500", "Point", "[-45.0,35.0]", []),
    ],
)  # fmt: skip
def test_geo_queries(
    city: httpx.Client, georel: str, geometry: str, coordinates: str, names: list[str]
) -> None:
    parameters = {"georel": georel, "geometry": geometry, "coordinates": coordinates}
    answer = city.get("/entities", params={**parameters, "count": "true"})
    assert _names(answer) == names
    assert answer.headers["NGSILD-Results-Count"] == str(len(names))
    page = city.get("/entities", params={**parameters, "limit": 1, "offset": 1})
    assert _names(page) == names[1:2]
    assert ('rel="next"' in page.headers["Link"]) == (len(names) > 2)


def test_a_geo_query_of_another_property(city: httpx.Client) -> None:
    service = {"id": "urn:ngsi-ld:S:1", "type": "S", "area": {**point(10, 10)}}
    city.post("/entities", json=service)
    near = {"georel": "near;maxDistance==10", "geometry": "Point", "coordinates": "[10,10]"}
    assert _names(city.get("/entities", params={**near, "geoproperty": "area"})) == ["1"]


def test_pages_follow_their_links(city: httpx.Client) -> None:
    seen: list[str] = []
    links: dict[str, str] = {}
    target = "/ngsi-ld/v1/entities?type=FloodMonitoring&limit=2"
    while target:
        answer = city.get(target.removeprefix("/ngsi-ld/v1"))
        seen += _names(answer)
        links = {link["rel"]: link["url"] for link in answer.links.values()}
        assert all(link.get("type") != "text/html" for link in answer.links.values())
        target = links.get("next", "")
    assert seen == ["g0", "g1", "g2", "g3", "g4"]
    assert "prev" in links


def test_links_to_pages_say_the_query_as_it_was(city: httpx.Client) -> None:
    answer = city.get("/entities?type=FloodMonitoring&idPattern=urn:.*&limit=1")
    path = "/ngsi-ld/v1/entities?idPattern=urn:.*&limit=1&offset=1&type=FloodMonitoring"
    assert f'<{path}>;rel="next"' in answer.headers["Link"]


def test_count_alone(city: httpx.Client) -> None:
    answer = city.get("/entities", params={"type": "Vehicle", "limit": 0, "count": "true"})
    assert answer.json() == []
    assert answer.headers["NGSILD-Results-Count"] == "2"


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"limit": "0", "type": "T"},
        {"limit": "1001", "type": "T"},
        {"limit": "-1", "type": "T"},
        {"offset": "x", "type": "T"},
        {"type": "(A;B"},
        {"type": "A,,B"},
        {"type": ""},
        {"id": "no uri"},
        {"attrs": "createdAt"},
        {"q": 'modifiedAt>"2020-01-01T00:00:00Z"'},
        {"q": "createdAt>2020-01-01T00:00:00Z|(expiresAt;modifiedAt)", "attrs": "modifiedAt"},
        {"type": "*", "local": "false"},
        {"idPattern": "a("},
        {"q": "a=="},
        {"q": "a~=b(", "type": "T"},
        {"georel": "near;maxDistance==1"},
        {"type": "T", "options": "nothing"},
        {"type": "T", "format": "nothing"},
        {"type": "T", "geometryProperty": "location"},
        {"type": "T", "pick": "a", "omit": "a"},
        {"type": "T", "count": "yes"},
        {"type": "T", "unknown": "1"},
        {"type": "a\x00b"},
        {"type": "T", "idPattern": "a\x00b"},
    ],
)
def test_what_is_refused(client: httpx.Client, parameters: dict[str, str]) -> None:
    answer = client.get("/entities", params=parameters)
    assert answer.status_code == 400, answer.text
    assert answer.json()["detail"]


def test_a_parameter_given_twice(client: httpx.Client) -> None:
    assert client.get("/entities?type=A&type=B").status_code == 400


@pytest.mark.parametrize(
    "member", [{"temporalQ": {"timerel": "after", "timeAt": "2020-01-01T00:00:00Z"}}, {"aggrParams": {}}]
)
def test_a_query_of_what_is_has_no_times(client: httpx.Client, member: dict[str, object]) -> None:
    """Clause 5.2.23: those members are for temporal evolutions."""
    query = {"type": "Query", "entities": [{"type": "T"}], **member}
    answer = client.post("/entityOperations/query", json=query)
    assert (answer.status_code, answer.json()["field"]) == (400, next(iter(member)))


def test_query_by_post(city: httpx.Client) -> None:
    query = {
        "type": "Query",
        "entities": [{"type": "Vehicle", "idPattern": "v1$"}, {"type": "FloodMonitoring"}],
        "q": "speed|currentLevel>3",
        "pick": ["id", "speed"],
    }
    answer = city.post("/entityOperations/query", json=query, params={"count": "true"})
    assert _names(answer) == ["g4", "v1"]
    assert answer.headers["NGSILD-Results-Count"] == "2"
    assert answer.json()[1].keys() == {"id", "speed"}
    near = {"georel": "near;maxDistance==100", "geometry": "Point", "coordinates": [135.0, 35.0]}
    assert _names(city.post("/entityOperations/query", json={"type": "Query", "geoQ": near})) == ["d1", "g0"]


def test_terms_of_a_posted_query_come_from_its_context(city: httpx.Client) -> None:
    context = [{"Bike": "https://uri.etsi.org/ngsi-ld/default-context/Bicycle"}, CORE]
    query = {"type": "Query", "entities": [{"type": "Bike"}], "@context": context}
    answer = city.post("/entityOperations/query", json=query, headers=JSON_LD)
    assert _names(answer) == ["v1"]
    assert "Bike" in answer.json()[0]["type"]
    address = next(link["url"] for link in answer.links.values() if "json-ld#context" in link["rel"])
    assert httpx.get(address).json() == {"@context": context}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ([], 400),
        ({"type": "Q"}, 400),
        ({"type": "Query"}, 400),
        ({"type": "Query", "entities": []}, 400),
        ({"type": "Query", "entities": [{"id": "urn:a:b"}]}, 400),
        ({"type": "Query", "entities": [{"type": 5}]}, 400),
        ({"type": "Query", "entities": [{"type": "T", "more": 1}]}, 400),
        ({"type": "Query", "q": 5}, 400),
        ({"type": "Query", "geoQ": {"georel": "near"}}, 400),
        ({"type": "Query", "attrs": []}, 400),
        ({"type": "Query", "nothing": 1}, 400),
        ({"type": "Query", "q": "a", "entityMap": "yes"}, 400),
    ],
)
def test_posted_queries_that_are_refused(client: httpx.Client, query: object, status: int) -> None:
    assert client.post("/entityOperations/query", json=query).status_code == status


def test_types_and_attributes(city: httpx.Client) -> None:
    assert city.get("/types").json()["typeList"] == ["Bicycle", "District", "FloodMonitoring", "Vehicle"]
    [bicycle, *_] = city.get("/types", params={"details": "true"}).json()
    assert bicycle["attributeNames"] == ["speed"]
    gauges = city.get("/types/FloodMonitoring").json()
    assert gauges["entityCount"] == 5
    assert [each["attributeTypes"] for each in gauges["attributeDetails"]] == [["Property"], ["GeoProperty"]]
    assert city.get("/attributes").json()["attributeList"] == ["currentLevel", "location", "speed"]
    assert city.get("/attributes/location").json()["attributeCount"] == 6
    assert city.get("/attributes/location").json()["typeNames"] == ["District", "FloodMonitoring"]
    assert city.get("/attributes/nothing").status_code == 404
    assert city.get("/types/Nothing").status_code == 404


def test_any_instance_of_a_geoproperty_counts(client: httpx.Client) -> None:
    places = [point(135, 35), {**point(139, 35), "datasetId": "urn:x:survey"}]
    document = {"id": "urn:x:two", "type": "Stall", "location": places}
    assert client.post("/entities", json=document).status_code == 201
    near = {"type": "Stall", "georel": "near;maxDistance==10", "geometry": "Point", "coordinates": "[139,35]"}
    assert _names(client.get("/entities", params=near)) == ["two"]


def test_values_that_are_plain_json_are_not_expanded(client: httpx.Client) -> None:
    document = {"id": "urn:x:person", "type": "Person", "gender": {"type": "VocabProperty", "vocab": "Male"}}
    assert client.post("/entities", json=document).status_code == 201
    query = {"type": "Person", "q": 'gender=="Male"', "expandValues": "gender"}
    assert _names(client.get("/entities", params=query)) == ["person"]
    assert _names(client.get("/entities", params={**query, "jsonKeys": "gender"})) == []
