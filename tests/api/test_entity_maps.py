"""EntityMaps (clauses 5.2.39, 5.5.9.3, 5.5.14 and 5.14)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from machinami.model import format_time
from machinami.store.queries_entity_map import delete_expired_entity_maps
from sqlalchemy import Engine, text

HEADER = "NGSILD-EntityMap"
NONE = "urn:ngsi-ld:EntityMap:none"
QUERY = {"type": "Room"}
SPAN = {"timerel": "after", "timeAt": "2026-01-01T00:00:00Z"}


def _room(number: int, **more: object) -> dict[str, object]:
    level = {"value": number, "observedAt": "2026-02-01T00:00:00Z"}
    return {"id": f"urn:r:{number}", "type": "Room", "level": level, **more}


@pytest.fixture
def rooms(client: httpx.Client) -> httpx.Client:
    answer = client.post("/entityOperations/create", json=[_room(number) for number in range(1, 6)])
    assert answer.status_code == 201
    return client


def _numbers(answer: httpx.Response) -> list[int]:
    return [int(each["id"].rpartition(":")[2]) for each in answer.json()]


def _entries(client: httpx.Client, place: str) -> dict[str, list[str]]:
    return client.get(place.removeprefix("/ngsi-ld/v1")).json()["entityMap"]


@pytest.mark.parametrize(("path", "more"), [("/entities", {}), ("/temporal/entities", SPAN)])
def test_pages_stay_with_the_entities_of_the_first_answer(
    rooms: httpx.Client, path: str, more: dict[str, str]
) -> None:
    query = {**QUERY, **more, "limit": "2"}
    first = rooms.get(path, params={**query, "entityMap": "true", "orderBy": "id;desc"})
    place = first.headers[HEADER]
    assert (first.status_code, _numbers(first)) == (201, [5, 4])
    rooms.post("/entities", json=_room(6))
    rooms.delete("/entities/urn:r:3")
    assert 'rel="next"' in first.headers["Link"]
    second = rooms.get(
        path, params={**query, "orderBy": "id;desc", "offset": "2", "count": "true"}, headers={HEADER: place}
    )
    assert (second.status_code, _numbers(second), second.headers[HEADER]) == (200, [2, 1], place)
    assert second.headers["NGSILD-Results-Count"] == "4"
    assert 'rel="next"' not in second.headers["Link"]
    assert _entries(rooms, place).keys() == {f"urn:r:{number}" for number in (1, 2, 4, 5)}


def test_the_links_lead_through_all(rooms: httpx.Client) -> None:
    answer = rooms.get("/entities", params={**QUERY, "limit": "2", "entityMap": "true"})
    found, headers = _numbers(answer), {HEADER: answer.headers[HEADER]}
    while 'rel="next"' in answer.headers.get("Link", ""):
        [link] = [each for each in answer.headers["Link"].split(", ") if 'rel="next"' in each]
        pairs = dict(parse_qsl(link.partition("?")[2].partition(">")[0]))
        answer = rooms.get("/entities", params=pairs, headers=headers)
        found += _numbers(answer)
    assert found == [1, 2, 3, 4, 5]


def test_filters_count_again(rooms: httpx.Client) -> None:
    """Clause 5.5.9.3: what fits no longer is left out, and the page filled all the same."""
    query = {**QUERY, "q": "level<9", "limit": "2"}
    place = rooms.get("/entities", params={**query, "entityMap": "true"}).headers[HEADER]
    rooms.patch("/entities/urn:r:1", json={"level": 10})
    again = rooms.get("/entities", params=query, headers={HEADER: place})
    assert _numbers(again) == [2, 3]
    assert "urn:r:1" not in _entries(rooms, place)
    some = rooms.get("/entities", params={**query, "id": "urn:r:4,urn:r:9"}, headers={HEADER: place})
    assert _numbers(some) == [4]


def test_a_count_needs_no_page(rooms: httpx.Client) -> None:
    answer = rooms.get("/entities", params={**QUERY, "entityMap": "true", "limit": "0", "count": "true"})
    assert (answer.status_code, answer.json(), answer.headers["NGSILD-Results-Count"]) == (201, [], "5")
    assert 'rel="next"' not in answer.headers["Link"]


def test_another_query_is_refused(rooms: httpx.Client) -> None:
    place = rooms.get("/entities", params={**QUERY, "entityMap": "true"}).headers[HEADER]
    answer = rooms.get("/entities", params={"type": "Hall"}, headers={HEADER: place})
    assert (answer.status_code, answer.json()["field"]) == (400, HEADER)


def test_one_that_is_gone_is_made_anew(rooms: httpx.Client) -> None:
    answer = rooms.get("/entities", params=QUERY, headers={HEADER: NONE})
    assert (answer.status_code, len(answer.json())) == (201, 5)
    assert answer.headers[HEADER] != NONE


def test_posted_queries_have_maps_too(rooms: httpx.Client) -> None:
    query = {"type": "Query", "entities": [{"type": "Room"}], "entityMap": True}
    first = rooms.post("/entityOperations/query?limit=1", json=query)
    second = rooms.post(
        "/entityOperations/query?limit=1&offset=1", json=query, headers={HEADER: first.headers[HEADER]}
    )
    assert (first.status_code, second.status_code, _numbers(second)) == (201, 200, [2])
    temporal = rooms.post("/temporal/entityOperations/query?limit=1", json={**query, "temporalQ": SPAN})
    assert (temporal.status_code, _numbers(temporal)) == (201, [1])


@pytest.mark.parametrize("path", ["/entities", "/temporal/entities"])
def test_a_retrieval_may_have_one(rooms: httpx.Client, path: str) -> None:
    answer = rooms.get(f"{path}/urn:r:1", params={"entityMap": "true"})
    assert answer.status_code == 200
    assert _entries(rooms, answer.headers[HEADER]) == {"urn:r:1": ["@none"]}


@pytest.mark.parametrize(("path", "more"), [("/entityMaps", {}), ("/temporal/entityMaps", SPAN)])
def test_a_map_is_made_without_an_answer(rooms: httpx.Client, path: str, more: dict[str, str]) -> None:
    """Clauses 5.14.4 and 5.14.5."""
    made = rooms.get(path, params={**QUERY, **more})
    members = {"entities": [{"type": "Room"}], **({"temporalQ": more} if more else {})}
    posted = rooms.post(path, json={"type": "Query", **members})
    assert made.status_code == posted.status_code == 201
    assert made.json()["entityMap"] == posted.json()["entityMap"]
    assert made.json()["entityMap"]["urn:r:1"] == ["@none"]
    assert made.headers[HEADER].endswith(made.json()["id"])
    headers = {HEADER: made.json()["id"]}
    answer = rooms.get(path.replace("entityMaps", "entities"), params={**QUERY, **more}, headers=headers)
    assert (answer.status_code, len(answer.json())) == (200, 5)


@pytest.fixture
def made(rooms: httpx.Client) -> dict[str, Any]:
    return rooms.get("/entityMaps", params={**QUERY, "entityMapLifetime": "PT1H"}).json()


def test_a_map_lives_as_long_as_it_is_wished_to(rooms: httpx.Client, made: dict[str, Any]) -> None:
    def left() -> float:
        shown = rooms.get(f"/entityMaps/{made['id']}").json()
        return (datetime.fromisoformat(shown["expiresAt"]) - datetime.now(UTC)) / timedelta(hours=1)

    assert 0.9 < left() <= 1
    later = format_time(datetime.now(UTC) + timedelta(hours=2))
    changed = rooms.patch(f"/entityMaps/{made['id']}", json={"expiresAt": later, "linkedMaps": {}})
    assert (changed.status_code, 1.9 < left() <= 2) == (204, True)
    rooms.patch(f"/entityMaps/{made['id']}", json={"expiresAt": "2090-01-01T00:00:00Z"})
    assert 23.9 < left() <= 24


def test_a_map_may_expire_at_once(rooms: httpx.Client, made: dict[str, Any]) -> None:
    """Clause 5.5.14: an expired one cannot be accessed."""
    path = f"/entityMaps/{made['id']}"
    assert rooms.patch(path, json={"expiresAt": "2020-01-01T00:00:00Z"}).status_code == 204
    assert rooms.get(path).status_code == 404


@pytest.mark.parametrize("body", [{"expiresAt": 5}, {"type": "Map"}, {"more": 1}])
def test_changes_that_are_refused(rooms: httpx.Client, made: dict[str, Any], body: dict[str, object]) -> None:
    assert rooms.patch(f"/entityMaps/{made['id']}", json=body).status_code == 400


def test_deleted_and_unknown_maps_are_not_found(rooms: httpx.Client, made: dict[str, Any]) -> None:
    path = f"/entityMaps/{made['id']}"
    assert rooms.delete(path).status_code == 204
    later = {"expiresAt": "2090-01-01T00:00:00Z"}
    answers = [rooms.get(path), rooms.delete(path), rooms.patch(path, json=later), rooms.patch(path, json={})]
    assert {answer.status_code for answer in answers} == {404}
    assert rooms.get("/entityMaps/none").status_code == 400


def test_expired_maps_are_swept(rooms: httpx.Client, made: dict[str, Any], engine: Engine) -> None:
    with engine.begin() as connection:
        assert delete_expired_entity_maps(connection) == 0
        connection.execute(text("UPDATE entity_map SET expires_at = now()"))
    assert rooms.get(f"/entityMaps/{made['id']}").status_code == 404
    with engine.begin() as connection:
        assert delete_expired_entity_maps(connection) == 1


def test_a_map_says_which_sources_have_an_entity(cities: list[httpx.Client]) -> None:
    """Clause 5.7.2.4: with it only these are asked."""
    here, there, _ = cities
    here.post("/entities", json=_room(1))
    there.post("/entities", json=_room(2))
    registration = {
        "id": "urn:reg:1",
        "type": "ContextSourceRegistration",
        "information": [{"entities": [{"type": "Room"}]}],
        "endpoint": str(there.base_url).partition("/ngsi-ld")[0],
    }
    assert here.post("/csourceRegistrations", json=registration).status_code == 201
    answer = here.get("/entities", params={**QUERY, "entityMap": "true"})
    assert _numbers(answer) == [1, 2]
    place = answer.headers[HEADER]
    assert _entries(here, place) == {"urn:r:1": ["@none"], "urn:r:2": ["urn:reg:1"]}
    there.post("/entities", json=_room(3))
    assert _numbers(here.get("/entities", params=QUERY, headers={HEADER: place})) == [1, 2]
    assert _numbers(here.get("/entities", params=QUERY)) == [1, 2, 3]
