"""Subscriptions as resources (clauses 5.8.1 to 5.8.5, 5.2.12)."""

from typing import Any

import httpx
import pytest
from api_samples import CORE, JSON_LD

NOTIFICATION = {"endpoint": {"uri": "http://127.0.0.1:9/notify"}}


def subscription(**more: Any) -> dict[str, Any]:
    return {
        "type": "Subscription",
        "entities": [{"type": "FloodMonitoring"}],
        "notification": NOTIFICATION,
        **more,
    }


def _create(client: httpx.Client, **more: Any) -> str:
    created = client.post("/subscriptions", json=subscription(**more))
    assert created.status_code == 201, created.text
    return created.headers["Location"].removeprefix("/ngsi-ld/v1")


def test_create_and_retrieve(client: httpx.Client) -> None:
    given = subscription(
        id="urn:ngsi-ld:Subscription:1",
        subscriptionName="high water",
        entities=[{"type": "(A;B),C", "idPattern": "^urn"}, {"type": "D", "id": ["urn:x:1", "urn:x:2"]}],
        watchedAttributes=["currentLevel", "location"],
        q="currentLevel>2",
        geoQ={"georel": "within", "geometry": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]},
        notificationTrigger=["entityCreated", "attributeUpdated"],
        expiresAt="2100-01-01T00:00:00Z",
        notification={**NOTIFICATION, "attributes": ["currentLevel"], "format": "keyValues"},
    )
    assert client.post("/subscriptions", json=given).status_code == 201
    found = client.get("/subscriptions/urn:ngsi-ld:Subscription:1").json()
    for member in (
        "subscriptionName",
        "entities",
        "watchedAttributes",
        "q",
        "notificationTrigger",
        "expiresAt",
    ):
        assert found[member] == given[member]
    assert found["notification"] == given["notification"]
    assert found["geoQ"]["geoproperty"] == "location"
    assert found["status"] == "active"
    assert client.post("/subscriptions", json=given).status_code == 409


def test_an_id_is_made_up(client: httpx.Client) -> None:
    path = _create(client)
    assert client.get(path).json()["id"] == path.removeprefix("/subscriptions/")
    assert {"createdAt", "modifiedAt"} <= client.get(path, params={"options": "sysAttrs"}).json().keys()


def test_names_mean_the_same_in_any_context(client: httpx.Client) -> None:
    context = [{"level": "https://example.org/level"}, CORE]
    given = subscription(watchedAttributes=["level"], **{"@context": context})
    path = client.post("/subscriptions", json=given, headers=JSON_LD).headers["Location"]
    found = client.get(path.removeprefix("/ngsi-ld/v1")).json()
    assert found["watchedAttributes"] == ["https://example.org/level"]
    assert httpx.get(found["jsonldContext"]).json() == {"@context": context}
    assert client.get("/jsonldContexts", params={"kind": "ImplicitlyCreated"}).json() == [
        found["jsonldContext"]
    ]


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("ngsi-ld=1.0", "ngsi-ld=1.0"),
        ("Ngsi-LD=1.0", "ngsi-ld=1.0"),
        ('respond-async, ngsi-ld="1.0";q=0.1', "ngsi-ld=1.0"),
        ("respond-async", None),
    ],
)
def test_a_subscription_is_the_same_in_all_versions(
    client: httpx.Client, prefer: str, applied: str | None
) -> None:
    """Clauses 4.3.6.8 and 6.3.6: only entities are altered for an earlier version."""
    path = _create(client)
    for place in (path, "/subscriptions"):
        answer = client.get(place, headers={"Prefer": prefer})
        assert (answer.status_code, answer.headers.get("Preference-Applied")) == (200, applied)
    assert client.get(path, headers={"Prefer": prefer}).json() == client.get(path).json()


def test_list_and_pages(client: httpx.Client) -> None:
    paths = [_create(client, id=f"urn:ngsi-ld:Subscription:{n}") for n in range(3)]
    answer = client.get("/subscriptions", params={"limit": 2, "count": "true"})
    assert [f"/subscriptions/{each['id']}" for each in answer.json()] == paths[:2]
    assert answer.headers["NGSILD-Results-Count"] == "3"
    assert 'rel="next"' in answer.headers["Link"]


def test_update(client: httpx.Client) -> None:
    path = _create(client, watchedAttributes=["a"])
    assert client.patch(path, json={"isActive": False, "description": "paused"}).status_code == 204
    found = client.get(path).json()
    assert (found["status"], found["description"]) == ("paused", "paused")
    assert client.patch(path, json={"description": "urn:ngsi-ld:null"}).status_code == 204
    assert "description" not in client.get(path).json()
    assert client.patch(path, json={"notification": "urn:ngsi-ld:null"}).status_code == 400
    assert client.patch("/subscriptions/urn:x:y", json={"isActive": True}).status_code == 404


def test_delete(client: httpx.Client) -> None:
    path = _create(client)
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.delete(path).status_code == 404


def test_a_miss_across_tenants_is_said(client: httpx.Client) -> None:
    client.post("/subscriptions", json=subscription(), headers={"NGSILD-Tenant": "other"})
    path = _create(client)
    missed = client.get(path, headers={"NGSILD-Tenant": "other"})
    assert missed.status_code == 404
    assert "tenant" in missed.json()["cure"]


def _with_header(key: str, value: str) -> dict[str, Any]:
    return {"endpoint": {"uri": "http://a", "receiverInfo": [{"key": key, "value": value}]}}


MQTT_QOS_3 = {"endpoint": {"uri": "mqtt://a/b", "notifierInfo": [{"key": "MQTT-QoS", "value": "3"}]}}


@pytest.mark.parametrize(
    ("more", "status", "field"),
    [
        ({"type": "Other"}, 400, "type"),
        ({"entities": []}, 400, "entities"),
        ({"entities": [{"type": "T", "idPattern": "a("}]}, 400, "idPattern"),
        ({"notification": {}}, 400, "notification.endpoint"),
        ({"notification": {"endpoint": {}}}, 400, "endpoint.uri"),
        ({"notification": {"endpoint": {"uri": "ftp://a/b"}}}, 400, "uri"),
        ({"notification": {"endpoint": {"uri": "http://"}}}, 400, "uri"),
        ({"notification": {"endpoint": {"uri": "mqtt://a"}}}, 400, "uri"),
        ({"notification": {**NOTIFICATION, "format": "x"}}, 400, "format"),
        ({"notification": {**NOTIFICATION, "attributes": []}}, 400, "attributes"),
        ({"notification": {"endpoint": {"uri": "http://a", "accept": "text/html"}}}, 400, "accept"),
        ({"notification": {"endpoint": {"uri": "http://a", "timeout": 0}}}, 400, "timeout"),
        ({"notification": _with_header("a b", "c")}, 400, "receiverInfo"),
        ({"notification": _with_header("a", "\n")}, 400, "receiverInfo"),
        ({"watchedAttributes": "a"}, 400, "watchedAttributes"),
        ({"isActive": "yes"}, 400, "isActive"),
        ({"q": "a=="}, 400, None),
        ({"q": 5}, 400, "q"),
        ({"geoQ": {}}, 400, "geoQ"),
        ({"expiresAt": "2000-01-01T00:00:00Z"}, 400, "expiresAt"),
        ({"expiresAt": "tomorrow"}, 400, "expiresAt"),
        ({"notificationTrigger": ["never"]}, 400, "notificationTrigger"),
        ({"throttling": 0}, 400, "throttling"),
        ({"throttling": 5, "timeInterval": 5}, 400, "throttling"),
        ({"watchedAttributes": ["a"], "timeInterval": 5}, 400, "watchedAttributes"),
        ({"temporalQ": {"timerel": "before", "timeAt": "2026-01-01T00:00:00Z"}}, 400, "temporalQ"),
        ({"scopeQ": "/a//b"}, 400, "scopeQ"),
        ({"datasetId": ["none"]}, 400, "datasetId"),
        ({"ngsildConformance": "one"}, 400, "ngsildConformance"),
        ({"csf": "a=="}, 400, None),
        ({"notification": {**NOTIFICATION, "join": "all"}}, 400, "join"),
        ({"notification": {**NOTIFICATION, "joinLevel": 1.5}}, 400, "joinLevel"),
        ({"notification": {**NOTIFICATION, "pick": ["a"], "attributes": ["a"]}}, 400, "attributes"),
        ({"notification": {**NOTIFICATION, "showChanges": True, "format": "keyValues"}}, 400, "showChanges"),
        ({"notification": {**NOTIFICATION, "attributes": ["id"]}}, 400, "attributes"),
        ({"notification": {**NOTIFICATION, "pick": ["id", "a"], "omit": ["id"]}}, 400, "omit"),
        ({"notification": MQTT_QOS_3}, 400, "notifierInfo"),
        ({"nothing": 5}, 400, "subscription.nothing"),
        ({"id": "no uri"}, 400, "id"),
    ],
)  # fmt: skip
def test_what_is_refused(client: httpx.Client, more: dict[str, Any], status: int, field: str | None) -> None:
    answer = client.post("/subscriptions", json=subscription(**more))
    assert answer.status_code == status, answer.text
    if field:
        assert answer.json()["field"] == field


def test_what_the_server_writes_is_passed_over(client: httpx.Client) -> None:
    path = _create(client, status="expired", notification={**NOTIFICATION, "timesSent": 99})
    found = client.get(path).json()
    assert found["status"] == "active"
    assert "timesSent" not in found["notification"]


def test_entities_or_attributes_are_needed(client: httpx.Client) -> None:
    bare = {"type": "Subscription", "notification": NOTIFICATION}
    assert client.post("/subscriptions", json=bare).status_code == 400
    assert client.post("/subscriptions", json={**bare, "watchedAttributes": ["a"]}).status_code == 201
