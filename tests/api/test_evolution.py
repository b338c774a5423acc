"""Temporal evolutions written over HTTP (clauses 5.6.11 to 5.6.16)."""

from typing import Any

import httpx
import pytest

ROOM = "urn:ngsi-ld:Room:1"
PATH = f"/temporal/entities/{ROOM}"


def _instance(value: object, day: int, **members: object) -> dict[str, object]:
    return {"type": "Property", "value": value, "observedAt": f"2026-01-{day:02d}T00:00:00Z", **members}


def _room(**attributes: object) -> dict[str, object]:
    return {"id": ROOM, "type": "Room", **attributes}


@pytest.fixture
def room(client: httpx.Client) -> None:
    levels = [_instance(2, 2), _instance(1, 1), _instance(9, 1, datasetId="urn:d:1")]
    answer = client.post("/temporal/entities", json=_room(level=levels))
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/ngsi-ld/v1{PATH}")


def _values(client: httpx.Client, query: str = "") -> list[Any]:
    answer = client.get(PATH + query)
    assert answer.status_code == 200, answer.text
    return [each["value"] for each in answer.json().get("level", [])]


@pytest.mark.usefixtures("room")
def test_instances_come_back_in_order_and_the_newest_is_current(client: httpx.Client) -> None:
    assert _values(client, "?datasetId=@none") == [1, 2]
    current = client.get(f"/entities/{ROOM}?datasetId=@none").json()
    assert current["level"]["value"] == 2


@pytest.mark.usefixtures("room")
def test_a_second_time_adds(client: httpx.Client) -> None:
    answer = client.post("/temporal/entities", json=_room(type="Hall", level=[_instance(3, 3)]))
    assert answer.status_code == 204
    assert _values(client, "?datasetId=@none") == [1, 2, 3]
    assert client.get(PATH).json()["type"] == ["Room", "Hall"]


@pytest.mark.usefixtures("room")
def test_attributes_are_added_to_what_is_there(client: httpx.Client) -> None:
    assert client.post(f"{PATH}/attrs", json={"level": [_instance(0, 4)]}).status_code == 204
    assert _values(client, "?lastN=1&datasetId=@none") == [0]
    missing = client.post(f"{PATH}9/attrs", json={"level": [_instance(0, 4)]})
    assert missing.status_code == 404


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize(
    ("query", "left"), [("", [9]), ("?datasetId=urn:d:1", [1, 2]), ("?deleteAll=true", [])]
)
def test_an_attribute_is_taken_away(client: httpx.Client, query: str, left: list[int]) -> None:
    client.post(f"{PATH}/attrs", json={"other": [_instance(1, 1)]})
    assert client.delete(f"{PATH}/attrs/level{query}").status_code == 204
    assert _values(client) == left
    assert client.delete(f"{PATH}/attrs/level{query}").status_code == 404


@pytest.mark.usefixtures("room")
def test_an_instance_is_modified_and_keeps_its_identifier(client: httpx.Client) -> None:
    before = client.get(f"{PATH}?datasetId=@none").json()["level"][0]
    path = f"{PATH}/attrs/level/{before['instanceId']}"
    assert client.patch(path, json=_instance(5, 3)).status_code == 204
    after = client.get(f"{PATH}?datasetId=@none").json()["level"]
    assert [(each["value"], each["observedAt"][:10]) for each in after] == [
        (2, "2026-01-02"),
        (5, "2026-01-03"),
    ]
    assert after[1]["instanceId"] == before["instanceId"]
    assert client.patch(path, json=_instance(6, 3)).status_code == 204
    assert _values(client, "?datasetId=@none") == [2, 6]


@pytest.mark.usefixtures("room")
def test_an_instance_is_taken_away(client: httpx.Client) -> None:
    path = f"{PATH}/attrs/level/{client.get(f'{PATH}?datasetId=@none').json()['level'][0]['instanceId']}"
    assert client.delete(path).status_code == 204
    assert _values(client, "?datasetId=@none") == [2]
    assert client.delete(path).status_code == 404
    assert client.delete(f"{PATH}/attrs/level/urn:some:other").status_code == 404


@pytest.mark.usefixtures("room")
def test_the_whole_is_taken_away_and_can_begin_anew(client: httpx.Client) -> None:
    assert client.delete(PATH).status_code == 204
    assert client.get(PATH).status_code == 404
    assert client.delete(PATH).status_code == 404
    assert client.get(f"/entities/{ROOM}").status_code == 200
    assert client.post("/temporal/entities", json=_room(level=[_instance(4, 1)])).status_code == 201
    assert _values(client) == [4]


@pytest.mark.parametrize(
    ("attribute", "null"),
    [
        ({"type": "Property", "value": 1}, {"value": "urn:ngsi-ld:null"}),
        ({"type": "Relationship", "object": "urn:a:b"}, {"object": "urn:ngsi-ld:null"}),
        (
            {"type": "LanguageProperty", "languageMap": {"ja": "橋"}},
            {"languageMap": {"@none": "urn:ngsi-ld:null"}},
        ),
    ],
)
def test_a_deletion_is_recorded(
    client: httpx.Client, attribute: dict[str, object], null: dict[str, object]
) -> None:
    client.post("/entities", json=_room(thing=attribute))
    assert client.delete(f"/entities/{ROOM}/attrs/thing").status_code == 204
    found = client.get(f"{PATH}?timeproperty=deletedAt").json()["thing"]
    assert len(found) == 1
    assert found[0]["type"] == attribute["type"]
    assert found[0].items() >= null.items()
    assert "deletedAt" in found[0]


@pytest.mark.usefixtures("room")
def test_a_partial_answer_names_what_comes_later(client: httpx.Client, app: Any) -> None:
    app.state.services.settings.temporal_instances = 2
    client.post(f"{PATH}/attrs", json={"other": [_instance(1, 5)]})
    answer = client.get(f"{PATH}?timerel=after&timeAt=2026-01-01T00:00:00Z")
    assert answer.status_code == 206
    assert answer.headers["Content-Range"].startswith("date-time 2026-01-01T00:00:00Z-")
    assert answer.json()["other"] == []
    values = client.get(f"{PATH}?timerel=after&timeAt=2026-01-01T00:00:00Z&format=temporalValues").json()
    assert values["other"] == {"type": "Property", "values": []}


def test_instances_without_time_are_told_apart(client: httpx.Client) -> None:
    names = [{"type": "Property", "value": name} for name in ("a", "b")]
    body = {"id": "urn:x:untimed", "type": "Well", "label": names}
    assert client.post("/temporal/entities", json=body).status_code == 201
    found = client.get("/temporal/entities/urn:x:untimed").json()["label"]
    assert [each["value"] for each in found] == ["a", "b"]
    assert client.get("/entities/urn:x:untimed").json()["label"]["value"] == "b"


def test_an_instance_is_modified_by_a_fragment_of_the_entity(client: httpx.Client) -> None:
    """Clause 5.6.14.3: an array of exactly one item under the attribute's name."""
    level = {"type": "Property", "value": 3, "observedAt": "2026-01-01T12:00:00Z"}
    client.post("/temporal/entities", json={"id": "urn:x:w", "type": "Well", "level": [level]})
    place = "/temporal/entities/urn:x:w"
    [before] = client.get(place).json()["level"]
    corrected = {"level": [{**level, "value": 7}]}
    assert client.patch(f"{place}/attrs/level/{before['instanceId']}", json=corrected).status_code == 204
    [after] = client.get(place).json()["level"]
    assert (after["value"], after["instanceId"]) == (7, before["instanceId"])


def _scopes(client: httpx.Client, query: str = "") -> list[tuple[Any, str]]:
    answer = client.get(PATH + query)
    assert answer.status_code == 200, answer.text
    return [(each["value"], next(iter(each.keys() & _TIMES))) for each in answer.json().get("scope", [])]


_TIMES = {"observedAt", "deletedAt"}


def test_scopes_have_a_history(client: httpx.Client) -> None:
    """Clauses 4.5.6 and 4.18: a scope holds from when it was set until it was taken away."""
    assert client.post("/entities", json=_room(level=1, scope="/a")).status_code == 201
    assert client.post(f"/entities/{ROOM}/attrs", json={"scope": ["/b", "/c"]}).status_code == 204
    assert client.delete(f"/entities/{ROOM}/attrs/scope").status_code == 204
    held = [("/a", "observedAt"), (["/b", "/c"], "observedAt")]
    assert _scopes(client) == [*held, ([], "deletedAt")]
    assert _scopes(client, "?timeproperty=deletedAt") == [([], "deletedAt")]
    pairs = client.get(f"{PATH}?options=temporalValues").json()["scope"]["values"]
    assert [pair[0] for pair in pairs] == ["/a", ["/b", "/c"], []]
    assert _scopes(client, "?omit=scope") == _scopes(client, "?attrs=level") == []
    assert len(_scopes(client, "?pick=scope")) == 3


def test_the_same_scope_again_is_no_history(client: httpx.Client) -> None:
    for _ in range(2):
        client.post("/entityOperations/upsert", json=[_room(level=1, scope="/a")])
    assert _scopes(client) == [("/a", "observedAt")]


def test_past_scopes_are_taken_in(client: httpx.Client) -> None:
    """Clause 5.6.11 with a scope as clause 4.5.6 represents it."""
    scopes = [_instance(["/b", "/c"], 2), _instance("/a", 1)]
    assert client.post("/temporal/entities", json=_room(scope=scopes)).status_code == 201
    assert _scopes(client) == [("/a", "observedAt"), (["/b", "/c"], "observedAt")]
    assert client.get(f"/entities/{ROOM}").json()["scope"] == ["/b", "/c"]
    added = client.post(f"{PATH}/attrs", json={"scope": [_instance("/d", 3)]})
    assert (added.status_code, len(_scopes(client))) == (204, 3)


@pytest.mark.parametrize("wrong", [{}, {"unitCode": "MTR"}, {"value": "//"}, {"type": "VocabProperty"}])
def test_a_past_scope_that_is_none_is_refused(client: httpx.Client, wrong: dict[str, str]) -> None:
    scope = {"type": "Property", "value": "/a", **({"observedAt": "2026-01-01T00:00:00Z"} if wrong else {})}
    answer = client.post("/temporal/entities", json=_room(scope=[{**scope, **wrong}]))
    assert answer.status_code == 400


@pytest.mark.usefixtures("room")
def test_the_evolution_of_a_deleted_entity_stays(client: httpx.Client) -> None:
    """Clauses 5.7.3.4 and 6.3.11: it is retrieved until it is deleted itself."""
    assert client.delete(f"/entities/{ROOM}").status_code == 204
    assert _values(client, "?datasetId=@none") == [1, 2, "urn:ngsi-ld:null"]
    shown = client.get(f"{PATH}?options=sysAttrs").json()
    assert shown["type"] == "Room"
    assert shown["deletedAt"] >= shown["level"][-1]["deletedAt"]
    assert client.delete(PATH).status_code == 204
    assert client.get(PATH).status_code == 404


@pytest.mark.usefixtures("room")
def test_an_entity_that_is_there_again_was_not_deleted(client: httpx.Client) -> None:
    client.delete(f"/entities/{ROOM}")
    assert client.post("/entities", json=_room(type="Hall", level=3)).status_code == 201
    shown = client.get(f"{PATH}?options=sysAttrs").json()
    assert (shown["type"], "deletedAt" in shown) == ("Hall", False)
