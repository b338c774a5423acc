"""Temporal queries are judged on what was so in their span, not on what is so now (clause 5.7.4.4)."""

from typing import Any

import httpx
import pytest

ROOM, BUS, VAN = "urn:ngsi-ld:Room:1", "urn:ngsi-ld:Bus:1", "urn:ngsi-ld:Van:1"
SPAN = {"timerel": "between", "timeAt": "2026-03-01T12:00:00Z", "endTimeAt": "2026-03-01T13:00:00Z"}
BEFORE, EARLY, LATE, AFTER = (f"2026-03-01T{clock}:00Z" for clock in ("10:00", "12:05", "12:45", "14:00"))


def _put(client: httpx.Client, identifier: str, **attributes: list[tuple[Any, str]]) -> None:
    """Record values with their times."""
    kinds = {"location": "GeoProperty"}
    document = {
        name: [
            {"type": kinds.get(name, "Property"), "value": value, "observedAt": moment}
            for value, moment in each
        ]
        for name, each in attributes.items()
    }
    entity = {"id": identifier, "type": identifier.split(":")[2], **document}
    assert client.post("/temporal/entities", json=entity).status_code == 201


def _point(x: float, y: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [x, y]}


def _found(client: httpx.Client, **asked: str) -> list[str]:
    query = {"type": "Room,Bus,Van", **SPAN, "count": "true", **asked}
    answer = client.get("/temporal/entities", params=query)
    assert answer.status_code == 200, answer.text
    ids = [each["id"] for each in answer.json()]
    assert len(ids) == int(answer.headers["NGSILD-Results-Count"])
    return ids


@pytest.fixture
def city(client: httpx.Client) -> httpx.Client:
    _put(
        client,
        BUS,
        speed=[(90, BEFORE), (30, EARLY)],
        line=[("550", EARLY)],
        location=[(_point(135, 35), BEFORE), (_point(136, 36), EARLY)],
    )
    _put(client, VAN, speed=[(10, EARLY), (80, AFTER)], location=[(_point(135, 35), EARLY)])
    _put(client, ROOM, speed=[(99, BEFORE)], location=[(_point(135, 35), AFTER)])
    return client


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("speed>25", [BUS]),
        ("speed>85", []),
        ("speed<=30", [BUS, VAN]),
        ("speed==30", [BUS]),
        ('speed=="30"', []),
        ("speed!=30", [VAN]),
        ("!line;speed", [VAN]),
        ('line=="550"|speed==10', [BUS, VAN]),
        ("speed.observedAt>2026-03-01T12:04:59Z", [BUS, VAN]),
        ("speed.observedAt>2026-03-01T12:05:00Z", []),
        ("speed.unitCode", []),
        ("createdAt>2026-01-01T00:00:00Z;speed", [BUS, VAN]),
    ],
)
def test_values_count_in_the_span_only(city: httpx.Client, q: str, found: list[str]) -> None:
    assert _found(city, q=q) == found


@pytest.mark.parametrize(
    ("georel", "found"),
    [
        ("near;maxDistance==2000", [VAN]),
        ("near;minDistance==2000", [BUS]),
        ("disjoint", [BUS]),
        ("equals", [VAN]),
    ],
)
def test_places_count_in_the_span_only(city: httpx.Client, georel: str, found: list[str]) -> None:
    assert _found(city, georel=georel, geometry="Point", coordinates="[135,35]") == found
    one = {"limit": "1", "type": "Bus,Van", **SPAN, "count": "true"}
    asked = {**one, "georel": georel, "geometry": "Point", "coordinates": "[135,35]", "q": "speed"}
    answer = city.get("/temporal/entities", params=asked)
    assert answer.headers["NGSILD-Results-Count"] == str(len(found))


def test_a_shape_is_found_by_its_geometry_not_by_its_box(client: httpx.Client) -> None:
    triangle = {"type": "Polygon", "coordinates": [[[0, 0], [10, 0], [0, 10], [0, 0]]]}
    _put(client, ROOM, location=[(triangle, EARLY)])
    inside = {"georel": "contains", "geometry": "Point"}
    assert _found(client, **inside, coordinates="[1,1]") == [ROOM]
    assert _found(client, **inside, coordinates="[9,9]") == []


@pytest.fixture
def scoped(client: httpx.Client) -> httpx.Client:
    _put(client, ROOM, scope=[("/a/b", BEFORE)], name=[("room", EARLY)])
    _put(
        client,
        BUS,
        scope=[("/a", BEFORE), (["/s", "/t"], "2026-03-01T12:30:00Z")],
        name=[("old", EARLY), ("new", LATE)],
    )
    _put(client, VAN, scope=[("/a", AFTER)], name=[("van", EARLY)])
    return client


def _scoped(client: httpx.Client, scopes: str, **more: str) -> dict[str, dict[str, Any]]:
    asked = {"type": "Room,Bus,Van", **SPAN, "scopeQ": scopes, "options": "temporalValues", **more}
    found = client.get("/temporal/entities", params=asked).json()
    return {
        each["id"]: {
            name: [pair[0] for pair in each[name]["values"]] for name in each.keys() & {"name", "scope"}
        }
        for each in found
    }


def test_scopes_count_while_they_are_valid(scoped: httpx.Client) -> None:
    """Clause 4.18 and annex C.5.16: of the time in a scope only; one held already is told, too."""
    room = {"name": ["room"], "scope": ["/a/b"]}
    old, new = {"name": ["old"], "scope": ["/a"]}, {"name": ["new"], "scope": [["/s", "/t"]]}
    assert _scoped(scoped, "/a/b") == {ROOM: room}
    assert _scoped(scoped, "/a/#") == {ROOM: room, BUS: old}
    assert _scoped(scoped, "(/s;/t)") == _scoped(scoped, "/s") == {BUS: new}
    assert _scoped(scoped, "/s", lastN="1") == {BUS: new}
    assert _scoped(scoped, "/#") == {ROOM: room, BUS: {"name": ["old", "new"], "scope": ["/a", ["/s", "/t"]]}}
    assert _scoped(scoped, "/none") == {}
    assert _scoped(scoped, "/a", attrs="name") == {BUS: {"name": ["old"]}}


def test_aggregates_are_of_the_time_in_a_scope(scoped: httpx.Client) -> None:
    def counted(**asked: str) -> list[list[Any]]:
        aggregated = {"format": "aggregatedValues", "aggrMethods": "totalCount"}
        query = {"type": "Bus", **SPAN, **aggregated, **asked}
        [found] = scoped.get("/temporal/entities", params=query).json()
        return [value[0] for value in found["name"]["totalCount"]]

    assert counted() == counted(scopeQ="/#") == [2]
    assert counted(scopeQ="/s") == counted(scopeQ="/a") == [1]
    assert counted(scopeQ="/#", aggrPeriodDuration="PT30M") == [1, 1]


def test_a_scope_that_history_has_forgotten_is_the_one_there_is(scoped: httpx.Client) -> None:
    """Of a scope set before what is kept, no row is left."""
    assert scoped.delete(f"/temporal/entities/{ROOM}/attrs/scope").status_code == 204
    assert _scoped(scoped, "/a/b") == {ROOM: {"name": ["room"]}}


def test_a_scope_set_now_is_modified_when_it_is_observed(client: httpx.Client) -> None:
    """Clause 4.5.6: observedAt is a copy of modifiedAt."""
    client.post("/entities", json={"id": ROOM, "type": "Room", "scope": "/a"})
    found = client.get(f"/temporal/entities/{ROOM}", params={"options": "sysAttrs"}).json()
    [scope] = found["scope"]
    assert (
        scope["observedAt"]
        == scope["modifiedAt"]
        == scope["createdAt"]
        == found.get("modifiedAt", scope["modifiedAt"])
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"orderBy": "speed"},
        {"orderBy": "id,createdAt"},
        {"pick": "owner{name}"},
        {"omit": "owner{name}"},
        {"q": 'owner{name}=="x"'},
        {"timeproperty": "expiresAt"},
    ],
)
def test_what_a_temporal_query_cannot_ask(client: httpx.Client, wrong: dict[str, str]) -> None:
    answer = client.get("/temporal/entities", params={"type": "Bus", **SPAN, **wrong})
    assert (answer.status_code, answer.json()["type"][-14:]) == (400, "BadRequestData")


def test_evolutions_are_ordered_by_id(city: httpx.Client) -> None:
    assert _found(city, orderBy="id;desc") == [VAN, BUS]


def test_a_retrieval_has_no_linked_entities(city: httpx.Client) -> None:
    assert city.get(f"/temporal/entities/{BUS}", params={"pick": "owner{name}"}).status_code == 400


@pytest.mark.parametrize("methods", ["avg,max", ["avg", "max"]])
@pytest.mark.parametrize("place", ["temporalQ", "aggrParams"])
def test_a_body_asks_for_aggregates(city: httpx.Client, methods: Any, place: str) -> None:
    """Clauses 5.2.21 and 5.2.44."""
    wanted = {"aggrMethods": methods, "aggrPeriodDuration": "PT1H"}
    query: dict[str, Any] = {"type": "Query", "entities": [{"type": "Bus"}], "temporalQ": {**SPAN}}
    query.setdefault(place, {}).update(wanted)
    [found] = city.post("/temporal/entityOperations/query", json=query).json()
    values = [[30, SPAN["timeAt"], SPAN["endTimeAt"]]]
    assert found["speed"] == {"type": "Property", "avg": values, "max": values}
    for refused in ({"aggrMethods": "median"}, {"aggrMethods": "avg", "aggrPeriodDuration": "1h"}):
        wrong = {**query, "aggrParams": refused}
        assert city.post("/temporal/entityOperations/query", json=wrong).status_code == 400


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_an_attribute_without_name_is_bad_data(city: httpx.Client, method: str) -> None:
    """Clauses 5.6.14.4 and 5.6.15.4."""
    path = f"/temporal/entities/{BUS}/attrs//urn:ngsi-ld:Instance:1-1"
    body = {"json": {"value": 1}} if method == "PATCH" else {}
    assert city.request(method, path, **body).status_code == 400
