"""Scopes, order, projections and linked entities in queries (clauses 4.18 to 4.23 and 4.5.23)."""

from typing import Any

import httpx
import pytest

CITY, COUNTRY = "urn:ngsi-ld:City:1", "urn:ngsi-ld:Country:1"


def _place(lon: float) -> dict[str, object]:
    return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [lon, 0]}}


@pytest.fixture(autouse=True)
def entities(client: httpx.Client) -> None:
    rooms = [
        {
            "id": "urn:r:1",
            "type": "Room",
            "scope": ["/a/b", "/c"],
            "level": 3,
            "name": "い",
            "location": _place(2),
        },
        {"id": "urn:r:2", "type": "Room", "scope": "/a", "level": 10, "name": "あ", "location": _place(1)},
        {"id": "urn:r:3", "type": "Room", "scope": "/a/b/c", "level": "high", "location": _place(3)},
        {"id": "urn:r:4", "type": "Room"},
    ]
    in_city = {"type": "Relationship", "object": CITY}
    linked = [
        {"id": "urn:b:1", "type": "Building", "name": "tower", "locatedAt": in_city},
        {"id": CITY, "type": "City", "name": "街並", "isIn": {"type": "Relationship", "object": COUNTRY}},
        {"id": COUNTRY, "type": "Country", "name": "国"},
    ]
    for document in (*rooms, *linked):
        assert client.post("/entities", json={"type": "Room", **document}).status_code == 201


def _ids(client: httpx.Client, query: str) -> list[str]:
    answer = client.get(f"/entities?{query}")
    assert answer.status_code == 200, answer.text
    return [each["id"][-1] for each in answer.json()]


@pytest.mark.parametrize(
    ("scope", "found"),
    [
        ("/a/b", "1"), ("/a/%2B", "1"), ("/a/%23", "123"), ("/%23", "123"), ("/a/b;/c", "1"), ("/a,/c", "12"),
        ("(/a|/c);/a/b", "1"), ("/A", ""),
    ],
)  # fmt: skip
def test_scopes(client: httpx.Client, scope: str, found: str) -> None:
    assert _ids(client, f"type=Room&scopeQ={scope}") == list(found)


@pytest.mark.parametrize("scope", ["/a//b", "/%23/a", ";/a", "/1"])
def test_what_is_no_scope_query_is_refused(client: httpx.Client, scope: str) -> None:
    assert client.get(f"/entities?type=Room&scopeQ={scope}").status_code == 400


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("orderBy=level", "1234"),
        ("orderBy=level;desc", "3214"),
        ("orderBy=name;desc,id", "1234"),
        ("orderBy=id;desc", "4321"),
        ("orderBy=createdAt;desc", "4321"),
        ("orderBy=location;dist-asc&orderFrom=[0,0]", "2134"),
        ("orderBy=location;dist-desc&orderFrom=[0,0]", "3124"),
    ],
)
def test_order(client: httpx.Client, order: str, found: str) -> None:
    assert _ids(client, f"type=Room&{order}") == list(found)
    assert _ids(client, f"type=Room&{order}&limit=2&offset=1") == list(found)[1:3]


def _asked(client: httpx.Client, ordering: dict[str, object]) -> httpx.Response:
    query = {"type": "Query", "entities": [{"type": "Room"}], "ordering": ordering}
    return client.post("/entityOperations/query", json=query)


def test_order_of_a_query_by_post(client: httpx.Client) -> None:
    """OrderingParams (clause 5.2.43)."""
    near = {"orderBy": ["location;dist-asc"], "coordinates": [0, 0], "geometry": "Point"}
    assert [each["id"][-1] for each in _asked(client, near).json()] == list("2134")
    by_two = {"orderBy": ["name;desc", "id"]}
    assert [each["id"][-1] for each in _asked(client, by_two).json()] == list("1234")


@pytest.mark.parametrize(
    "ordering",
    [
        {"orderBy": ["location;dist-asc"]},
        {"orderBy": ["location;dist-asc"], "coordinates": "0,0"},
        {"orderBy": ["location;dist-asc"], "coordinates": [0, 0], "geometry": 5},
        {"orderBy": ["id"], "geometry": 5},
        {"orderBy": ["id"], "collation": "no language!"},
        {"orderBy": 5},
        {"upwards": "id"},
    ],
)
def test_what_orders_no_query_by_post(client: httpx.Client, ordering: dict[str, object]) -> None:
    assert _asked(client, ordering).status_code == 400


@pytest.mark.parametrize(
    "order", ["orderBy=level;up", "orderBy=location;dist-asc", "orderBy=,", "orderBy=level&collation=;drop"]
)
def test_what_is_no_order_is_refused(client: httpx.Client, order: str) -> None:
    assert client.get(f"/entities?type=Room&{order}").status_code == 400


def test_a_collation_is_the_database_s(client: httpx.Client) -> None:
    """The embedded database knows no languages; it says so."""
    german = client.get("/entities?type=Room&orderBy=name&collation=de-u-co-phonebk")
    assert german.status_code == 200 or "not a collation" not in german.json()["detail"]
    answer = client.get("/entities?type=Room&orderBy=name&collation=ja")
    if answer.status_code == 400:
        assert answer.json()["field"] == "collation"
    else:
        assert [each["id"][-1] for each in answer.json()] == list("2134")


def test_linked_entities_inline(client: httpx.Client) -> None:
    found = client.get("/entities/urn:b:1?join=inline&joinLevel=2&format=simplified").json()
    assert found["locatedAt"]["isIn"] == {"id": COUNTRY, "type": "Country", "name": "国"}
    once = client.get("/entities/urn:b:1?join=inline").json()["locatedAt"]
    assert once["entity"]["isIn"] == {"type": "Relationship", "object": COUNTRY}


def test_linked_entities_flat(client: httpx.Client) -> None:
    found = client.get("/entities?type=Building&join=flat&joinLevel=2").json()
    assert [each["id"] for each in found] == ["urn:b:1", CITY, COUNTRY]


def test_those_met_already_are_not_followed(client: httpx.Client) -> None:
    found = client.get(f"/entities/urn:b:1?join=inline&joinLevel=2&containedBy={COUNTRY}").json()
    assert "entity" not in found["locatedAt"]["entity"]["isIn"]


@pytest.mark.parametrize(
    ("projection", "expected"),
    [
        ("pick=id,locatedAt{name}", {"id": "urn:b:1", "locatedAt": {"name": "街並"}}),
        (
            "omit=type,name,locatedAt{isIn,id}",
            {"id": "urn:b:1", "locatedAt": {"type": "City", "name": "街並"}},
        ),
    ],
)
def test_members_of_linked_entities(client: httpx.Client, projection: str, expected: dict[str, Any]) -> None:
    assert client.get(f"/entities/urn:b:1?join=inline&format=simplified&{projection}").json() == expected


@pytest.mark.parametrize(
    "query",
    ["pick=a{", "pick=a{}", "pick=a}", "omit=a,,b", "joinLevel=2", "join=inline&joinLevel=99", "attrs=id"],
)
def test_what_does_not_fit_is_refused(client: httpx.Client, query: str) -> None:
    assert client.get(f"/entities/urn:b:1?{query}").status_code == 400


def test_an_entity_of_which_nothing_is_left_is_not_found(client: httpx.Client) -> None:
    assert client.get("/entities/urn:b:1?pick=nothing").status_code == 404
    assert client.get("/entities?type=Room&pick=name").json()[-1]["name"]["value"] == "あ"


def test_ids_alone_are_too_wide(client: httpx.Client) -> None:
    assert client.get("/entities?id=urn:r:1").status_code == 400
    assert client.get("/entities?id=urn:r:1&local=true").status_code == 200
