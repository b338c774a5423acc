"""What notifications tell: what went, what was before, members, linked ones (clauses 5.2.14, 5.8.6)."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from api_receivers import Receivers, deliver, subscribe
from api_samples import GAUGE, gauge
from machinami.linkage.periodic import Periodic
from sqlalchemy import Engine, text

NULL = "urn:ngsi-ld:null"
STATION = "urn:ngsi-ld:Station:1"


@pytest.fixture
def told(client: httpx.Client, engine: Engine) -> Callable[[], list[dict[str, Any]]]:
    """Delivers what is due and gives the entities of the last notification."""

    def run() -> list[dict[str, Any]]:
        receivers = Receivers()
        deliver(engine, receivers)
        bodies = receivers.got.get("a", [])
        return bodies[-1]["data"] if bodies else []

    return run


Told = Callable[[], list[dict[str, Any]]]


def _notification(**more: Any) -> dict[str, Any]:
    return {"notification": {"endpoint": {"uri": "http://a/notify"}, **more}}


def _patch(client: httpx.Client, **attributes: Any) -> None:
    assert client.patch(f"/entities/{GAUGE}/attrs", json=attributes).is_success


def test_the_value_before(client: httpx.Client, told: Told) -> None:
    client.post("/entities", json=gauge(level=1))
    subscribe(client, **_notification(showChanges=True))
    _patch(client, currentLevel={"type": "Property", "value": 2})
    [entity] = told()
    assert (entity["currentLevel"]["value"], entity["currentLevel"]["previousValue"]) == (2, 1)


def test_a_value_written_again_is_no_change(client: httpx.Client, told: Told) -> None:
    client.post("/entities", json=gauge(label={"type": "Property", "value": "a"}))
    subscribe(client, watchedAttributes=["label"])
    _patch(client, label={"type": "Property", "value": "a"})
    assert told() == []


@pytest.mark.parametrize(
    ("form", "gone"), [("normalized", {"type": "Property", "value": NULL}), ("keyValues", NULL)]
)
def test_a_deleted_attribute_is_null(client: httpx.Client, told: Told, form: str, gone: Any) -> None:
    client.post("/entities", json=gauge())
    subscribe(client, notificationTrigger=["attributeDeleted"], **_notification(format=form))
    client.delete(f"/entities/{GAUGE}/attrs/currentLevel")
    [entity] = told()
    assert entity["currentLevel"] == gone


def test_a_deleted_entity_with_what_it_was(client: httpx.Client, told: Told) -> None:
    name = {"type": "LanguageProperty", "languageMap": {"en": "a"}}
    client.post("/entities", json=gauge(level=3, name=name))
    subscribe(client, notificationTrigger=["entityDeleted"], **_notification(showChanges=True))
    client.delete(f"/entities/{GAUGE}")
    [entity] = told()
    assert entity["currentLevel"] == {"type": "Property", "value": NULL, "previousValue": 3}
    assert entity["name"]["languageMap"] == {"@none": NULL}
    assert entity["name"]["previousLanguageMap"] == {"en": "a"}
    assert "deletedAt" in entity


@pytest.mark.parametrize(
    ("members", "shown"),
    [
        ({"pick": ["id", "currentLevel"]}, {"id", "currentLevel"}),
        ({"omit": ["type", "currentLevel"]}, {"id"}),
        ({"attributes": ["currentLevel"]}, {"id", "type", "currentLevel"}),
    ],
)
def test_members(client: httpx.Client, told: Told, members: dict[str, Any], shown: set[str]) -> None:
    path = subscribe(client, **_notification(**members))
    client.post("/entities", json=gauge())
    [entity] = told()
    assert shown <= entity.keys()
    assert entity.keys() <= shown | {"location"} if "omit" in members else entity.keys() == shown
    assert members.items() <= client.get(path).json()["notification"].items()


@pytest.mark.parametrize("how", ["inline", "flat", "@none"])
def test_linked_entities(client: httpx.Client, told: Told, how: str) -> None:
    client.post(
        "/entities", json={"id": STATION, "type": "Station", "name": {"type": "Property", "value": "S"}}
    )
    subscribe(client, **_notification(join=how, format="simplified"))
    client.post("/entities", json=gauge(atStation={"type": "Relationship", "object": STATION}))
    [entity, *others] = told()
    station = {"id": STATION, "type": "Station", "name": "S"}
    assert entity["atStation"] == (station if how == "inline" else STATION)
    assert others == ([station] if how == "flat" else [])


@pytest.mark.parametrize(("wanted", "found"), [("/tokyo/#", 1), ("/osaka", 0)])
def test_scopes(client: httpx.Client, told: Told, wanted: str, found: int) -> None:
    subscribe(client, scopeQ=wanted)
    client.post("/entities", json=gauge(scope="/tokyo/shibuya"))
    assert len(told()) == found


def test_instances_and_language(client: httpx.Client, told: Told) -> None:
    subscribe(client, datasetId=["@none"], lang="ja")
    name = {"type": "LanguageProperty", "languageMap": {"en": "Tokyo", "ja": "東京"}}
    other = {"type": "Property", "value": 1, "datasetId": "urn:x:d"}
    client.post("/entities", json=gauge(name=name, other=other))
    [entity] = told()
    assert entity["name"]["value"] == "東京"
    assert "other" not in entity


def test_a_receiver_of_an_old_version(client: httpx.Client, told: Told) -> None:
    subscribe(client, ngsildConformance="1.3")
    name = {"type": "LanguageProperty", "languageMap": {"en": "Tokyo"}}
    client.post("/entities", json=gauge(name=name, scope="/tokyo"))
    [entity] = told()
    assert entity["name"] == {"type": "Property", "value": {"en": "Tokyo"}}
    assert "scope" not in entity


def test_throttled(client: httpx.Client, engine: Engine, told: Told) -> None:
    path = subscribe(client, throttling=1000)
    client.post("/entities", json=gauge(level=0))
    _patch(client, currentLevel={"type": "Property", "value": 1})
    told()
    assert client.get(path).json()["notification"]["timesSent"] == 1
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM outbox")).scalar_one() == 0


def test_periodic(client: httpx.Client, engine: Engine, told: Told) -> None:
    client.post("/entities", json=gauge(level=7))
    subscribe(client, timeInterval=3600, q="currentLevel>5")
    subscribe(client, "b", timeInterval=3600, q="currentLevel>100")
    _patch(client, currentLevel={"type": "Property", "value": 8})
    assert told() == []  # changes mean nothing to it
    periodic = Periodic(engine)
    assert sorted(periodic.tell(rule) for rule in periodic.rules()) == [False, True]
    assert [periodic.tell(rule) for rule in periodic.rules()] == [False, False]  # one waits already
    assert [entity["currentLevel"]["value"] for entity in told()] == [8]


def test_a_geojson_feature_tells_of_its_deletion(client: httpx.Client, told: Told) -> None:
    endpoint = {"uri": "http://a/notify", "accept": "application/geo+json"}
    subscribe(client, notificationTrigger=["entityDeleted"], notification={"endpoint": endpoint})
    client.post("/entities", json=gauge())
    client.delete(f"/entities/{GAUGE}")
    collection: Any = told()
    [feature] = collection["features"]
    assert feature["properties"]["deletedAt"].endswith("Z")
