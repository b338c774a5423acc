"""Subscriptions to context source registrations, from a change to its receiver (clause 5.11)."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from api_receivers import Receivers, deliver
from api_samples import CORE, JSON_LD
from machinami.federation.notices import periodic
from machinami.federation.registering import expired_removed
from machinami.linkage.outbox import Outbox
from sqlalchemy import Engine, text

ROOT = "/ngsi-ld/v1"
GAUGES = {"entities": [{"type": "Gauge"}]}
LATER = "2100-01-01T00:00:00Z"
Told = Callable[[], list[Any]]


@pytest.fixture
def receivers() -> Receivers:
    return Receivers()


@pytest.fixture
def told(engine: Engine, receivers: Receivers) -> Told:
    """What has arrived since the last time: reason, and ids of registrations."""

    def read() -> list[Any]:
        receivers.got.clear()
        deliver(engine, receivers)
        bodies = [body for bodies in receivers.got.values() for body in bodies]
        return [(body["triggerReason"], [each["id"] for each in body["data"]]) for body in bodies]

    return read


def subscribe(client: httpx.Client, **more: Any) -> str:
    document = {
        "type": "Subscription",
        "entities": [{"type": "Gauge"}],
        "notification": {"endpoint": {"uri": "http://a/notify"}},
        **more,
    }
    created = client.post("/csourceSubscriptions", json=document)
    assert created.status_code == 201, created.text
    return created.headers["Location"].removeprefix(ROOT)


def register(client: httpx.Client, name: str = "1", **more: Any) -> str:
    document = {
        "id": f"urn:r:{name}",
        "type": "ContextSourceRegistration",
        "information": [GAUGES],
        "endpoint": "http://127.0.0.1:9",
        **more,
    }
    created = client.post("/csourceRegistrations", json=document)
    assert created.status_code == 201, created.text
    return created.headers["Location"].removeprefix(ROOT)


def patch(client: httpx.Client, path: str, **fragment: Any) -> None:
    assert client.patch(path, json=fragment).status_code == 204


def test_it_comes_back_as_it_was_given_and_goes(client: httpx.Client) -> None:
    given = {
        "id": "urn:s:1",
        "type": "Subscription",
        "entities": [{"type": "Gauge", "idPattern": "^urn"}],
        "watchedAttributes": ["level"],
        "csf": 'operator=="river office"',
        "scopeQ": "/rivers/#",
        "geoQ": {
            "georel": "near;maxDistance==10",
            "geometry": "Point",
            "coordinates": "[1,2]",
            "geoproperty": "location",
        },
        "temporalQ": {"timerel": "after", "timeAt": LATER, "timeproperty": "createdAt"},
        "expiresAt": LATER,
        "throttling": 5,
        "notification": {"attributes": ["level"], "endpoint": {"uri": "mqtt://a/city/sources"}},
    }
    assert client.post("/csourceSubscriptions", json=given).status_code == 201
    assert client.post("/csourceSubscriptions", json=given).status_code == 409
    path = "/csourceSubscriptions/urn:s:1"
    assert client.get(path).json() == {**given, "status": "active"}
    assert {"createdAt", "modifiedAt"} <= client.get(path, params={"options": "sysAttrs"}).json().keys()
    assert [each["id"] for each in client.get("/csourceSubscriptions").json()] == ["urn:s:1"]
    assert client.get(f"/csourceSubscriptions/{ROOT}{path}").json()["id"] == "urn:s:1"
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == client.delete(path).status_code == 404


def test_the_two_kinds_do_not_see_each_other(client: httpx.Client) -> None:
    identifier = subscribe(client).rpartition("/")[2]
    assert client.get("/subscriptions").json() == []
    for method in ("GET", "DELETE"):
        assert client.request(method, f"/subscriptions/{identifier}").status_code == 404
    assert client.patch(f"/subscriptions/{identifier}", json={"description": "x"}).status_code == 404
    document = client.get(f"/csourceSubscriptions/{identifier}").json()
    assert client.post("/subscriptions", json=document).status_code == 409  # ids are those of both


def test_pages(client: httpx.Client) -> None:
    for _ in range(3):
        subscribe(client)
    page = client.get("/csourceSubscriptions", params={"limit": 2, "count": "true"})
    assert (len(page.json()), page.headers["NGSILD-Results-Count"]) == (2, "3")
    assert "/csourceSubscriptions?" in page.headers["Link"]


@pytest.mark.parametrize(
    "more",
    [
        {"type": "Other"},
        {"notification": {"format": "concise"}},
        {"notification": {"endpoint": {"uri": "http://a", "accept": "application/geo+json"}}},
        {"entities": [{"type": "Gauge", "idPattern": "("}]},
        {"watchedAttributes": []},
        {"csf": "a=="},
        {"q": "level>1"},
        {"temporalQ": {"timerel": "between", "timeAt": LATER}},
        {"temporalQ": {"timeAt": LATER}},
        {"temporalQ": "after"},
        {"expiresAt": "2020-01-01T00:00:00Z"},
        {"throttling": 1, "timeInterval": 1},
    ],
)
def test_what_is_refused(client: httpx.Client, more: dict[str, Any]) -> None:
    document = {
        "type": "Subscription",
        "entities": [{"type": "Gauge"}],
        "notification": {"endpoint": {"uri": "http://a/notify"}},
    }
    refused = client.post("/csourceSubscriptions", json={**document, **more})
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (400, "BadRequestData")
    path = subscribe(client)
    fragment = {"throttling": 1, **more} if "timeInterval" in more else more
    assert client.patch(path, json=fragment).status_code == 400


def test_triggers_of_entities_are_passed_over(client: httpx.Client) -> None:
    path = subscribe(client, notificationTrigger=["entityCreated"])
    assert "notificationTrigger" not in client.get(path).json()


def test_a_registration_comes_changes_and_goes(client: httpx.Client, told: Told) -> None:
    subscribe(client)
    assert told() == []  # nothing matches yet
    path = register(client)
    assert told() == [("newlyMatching", ["urn:r:1"])]
    patch(client, path, description="x")
    assert told() == [("updated", ["urn:r:1"])]
    client.delete(path)
    assert told() == [("noLongerMatching", ["urn:r:1"])]


def test_one_that_begins_and_ends_to_match(client: httpx.Client, told: Told) -> None:
    path = register(client, information=[{"entities": [{"type": "Other"}]}])
    subscribe(client)
    patch(client, path, information=[GAUGES])
    assert told() == [("newlyMatching", ["urn:r:1"])]
    patch(client, path, information=[{"entities": [{"type": "Other"}]}])
    assert told() == [("noLongerMatching", ["urn:r:1"])]
    patch(client, path, description="x")
    assert told() == []


def test_what_is_there_is_told_at_first_and_after_a_change(client: httpx.Client, told: Told) -> None:
    for name in ("1", "2"):
        register(client, name)
    register(client, "3", information=[{"entities": [{"type": "Other"}]}])
    path = subscribe(client)
    assert told() == [("newlyMatching", ["urn:r:1", "urn:r:2"])]
    patch(client, path, entities=[{"type": "Other"}])
    assert told() == [("newlyMatching", ["urn:r:3"])]


def test_many_are_told_in_several_notifications(
    client: httpx.Client, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("machinami.federation.notices.REGISTRATIONS_A_NOTIFICATION", 2)
    for name in "123":
        register(client, name)
    subscribe(client)
    assert [ids for _, ids in told()] == [["urn:r:1", "urn:r:2"], ["urn:r:3"]]


def test_a_change_that_fails_is_not_told(client: httpx.Client, told: Told) -> None:
    subscribe(client)
    register(client, mode="exclusive")
    told()
    document = {"type": "ContextSourceRegistration", "information": [GAUGES], "endpoint": "http://b"}
    refused = client.post("/csourceRegistrations", json={**document, "mode": "exclusive"})
    assert refused.status_code == 409
    assert told() == []


def test_an_expired_registration_is_told_when_it_is_removed(
    client: httpx.Client, engine: Engine, told: Told
) -> None:
    subscribe(client)
    register(client, expiresAt=LATER)
    told()
    with engine.begin() as connection:
        connection.execute(text("UPDATE registration SET expires_at = now() - interval '1 second'"))
    register(client, "2")
    assert told() == [("noLongerMatching", ["urn:r:1"]), ("newlyMatching", ["urn:r:2"])]


def test_an_expired_registration_is_told_without_another_one(
    client: httpx.Client, engine: Engine, told: Told
) -> None:
    subscribe(client)
    register(client, expiresAt=LATER)
    told()
    with engine.begin() as connection:
        connection.execute(text("UPDATE registration SET expires_at = now() - interval '1 second'"))
    deadline = time.monotonic() + 90
    with expired_removed(engine.url.render_as_string(hide_password=False)):
        while not (found := told()) and time.monotonic() < deadline:
            time.sleep(0.1)
    assert found == [("noLongerMatching", ["urn:r:1"])]


def test_a_subscription_is_deleted_while_its_notification_is_under_way(
    client: httpx.Client, engine: Engine
) -> None:
    """Who deletes and who delivers take their locks in one order: neither is aborted."""
    path = subscribe(client)
    register(client)
    outbox = Outbox(engine)
    [due] = outbox.due()
    queue = outbox.queue(due, 1)
    assert queue
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as connection:
            identifier = {"id": path.rpartition("/")[2]}
            connection.execute(text("DELETE FROM subscription WHERE id = :id"), identifier)
            delivered = pool.submit(outbox.delivered, due, queue.notifications[0])
            waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            while not delivered.done() and not connection.execute(waiting).scalar_one():
                time.sleep(0.01)
            connection.execute(text("DELETE FROM outbox WHERE subscription_id = :id"), identifier)
        delivered.result()
    assert outbox.due() == []


@pytest.mark.parametrize(
    ("subscription", "registration", "matches"),
    [
        ({}, {}, True),
        ({"entities": [{"type": "Gauge", "id": "urn:x:1"}]}, {}, True),
        ({"entities": [{"type": "Other"}]}, {}, False),
        ({"entities": [{"type": "Other|Gauge"}]}, {}, True),
        ({}, {"information": [{"propertyNames": ["level"]}]}, True),
        ({"watchedAttributes": ["other"]}, {"information": [{"propertyNames": ["level"]}]}, True),
        ({"isActive": False}, {}, False),
        ({"csf": 'operator=="b"'}, {"operator": "b"}, True),
        ({"csf": 'operator=="b"'}, {"operator": "c"}, False),
        ({"scopeQ": "/rivers/#"}, {"scope": "/rivers/north"}, True),
        ({"scopeQ": "/rivers/#"}, {"scope": ["/roads"]}, False),
        ({"scopeQ": "/rivers/#"}, {}, False),
        ({"datasetId": ["urn:d:1"]}, {"datasetId": ["urn:d:2"]}, False),
        ({}, {"observationInterval": {"startAt": "2020-01-01T00:00:00Z"}}, False),
        (
            {"temporalQ": {"timerel": "after", "timeAt": "2020-06-01T00:00:00Z"}},
            {"observationInterval": {"startAt": "2020-01-01T00:00:00Z"}},
            True,
        ),
        (
            {"temporalQ": {"timerel": "before", "timeAt": "2019-06-01T00:00:00Z"}},
            {"observationInterval": {"startAt": "2020-01-01T00:00:00Z"}},
            False,
        ),
        (
            {
                "temporalQ": {
                    "timerel": "after",
                    "timeAt": "2020-06-01T00:00:00Z",
                    "timeproperty": "modifiedAt",
                }
            },
            {"observationInterval": {"startAt": "2020-01-01T00:00:00Z"}},
            False,
        ),
        ({"temporalQ": {"timerel": "after", "timeAt": "2020-06-01T00:00:00Z"}}, {}, False),
        (
            {"geoQ": {"georel": "near;maxDistance==10", "geometry": "Point", "coordinates": [1, 2]}},
            {"location": {"type": "Point", "coordinates": [1, 2]}},
            True,
        ),
        (
            {"geoQ": {"georel": "near;maxDistance==10", "geometry": "Point", "coordinates": [1, 2]}},
            {"location": {"type": "Point", "coordinates": [3, 2]}},
            False,
        ),
    ],
)
def test_which_registrations_match(
    client: httpx.Client,
    told: Told,
    subscription: dict[str, Any],
    registration: dict[str, Any],
    matches: bool,
) -> None:
    subscribe(client, **subscription)
    register(client, **registration)
    assert bool(told()) is matches


@pytest.mark.parametrize(
    ("attributes", "matches"), [(["level"], True), (["other"], True), (["third"], False)]
)
def test_attributes_narrow_if_some_are_watched_and_some_told(
    client: httpx.Client, told: Told, attributes: list[str], matches: bool
) -> None:
    notification = {"endpoint": {"uri": "http://a/notify"}, "attributes": ["other"]}
    subscribe(client, watchedAttributes=["level"], notification=notification)
    register(client, information=[{"propertyNames": attributes}])
    assert bool(told()) is matches


def test_names_mean_what_they_meant_to_who_wrote_them(client: httpx.Client, told: Told) -> None:
    context = [{"G": "https://example.org/Gauge", "run": "https://example.org/operator"}, CORE]
    document = {
        "type": "Subscription",
        "entities": [{"type": "G"}],
        "csf": 'run=="b"',
        "notification": {"endpoint": {"uri": "http://a/notify"}},
        "@context": context,
    }
    assert client.post("/csourceSubscriptions", json=document, headers=JSON_LD).status_code == 201
    information = [{"entities": [{"type": "https://example.org/Gauge"}]}]
    register(client, information=information, **{"https://example.org/operator": "b"})
    assert told() == [("newlyMatching", ["urn:r:1"])]


def test_a_notification(client: httpx.Client, engine: Engine, receivers: Receivers) -> None:
    path = subscribe(client)
    other = {"entities": [{"type": "Other"}]}
    register(client, information=[GAUGES, other], scope="/rivers")
    deliver(engine, receivers)
    [body] = receivers.got["a"]
    assert body["id"].startswith("urn:ngsi-ld:Notification:")
    assert (body["type"], body["subscriptionId"]) == (
        "ContextSourceNotification",
        path.removeprefix("/csourceSubscriptions/"),
    )
    assert body["data"] == [
        {
            "id": "urn:r:1",
            "type": "ContextSourceRegistration",
            "information": [{"entities": [{"type": ["Gauge"]}]}],  # only the part that matches
            "endpoint": "http://127.0.0.1:9",
            "scope": "/rivers",
        }
    ]
    status = client.get(path).json()["notification"]
    assert (status["timesSent"], status["status"]) == (1, "ok")
    assert {"lastNotification", "lastSuccess"} <= status.keys()


def test_an_endpoint_that_is_away_gets_it_later(
    client: httpx.Client, engine: Engine, receivers: Receivers, told: Told
) -> None:
    path = subscribe(client)
    receivers.down.add("a")
    register(client)
    assert told() == []
    status = client.get(path).json()["notification"]
    assert (status["timesSent"], status["timesFailed"], status["status"]) == (1, 1, "failed")
    receivers.down.clear()
    assert told() == [("newlyMatching", ["urn:r:1"])]


def test_throttling(client: httpx.Client, told: Told) -> None:
    subscribe(client, throttling=3600)
    register(client)
    register(client, "2")
    assert told() == [("newlyMatching", ["urn:r:1"])]


@pytest.mark.parametrize("fragment", [{"isActive": False}, {"expiresAt": LATER}])
def test_one_that_is_paused_or_expired_is_told_nothing(
    client: httpx.Client, engine: Engine, told: Told, fragment: dict[str, Any]
) -> None:
    path = subscribe(client)
    patch(client, path, **fragment)
    with engine.begin() as connection:
        expiry = "jsonb_build_object('expiresAt', '2020-01-01T00:00:00Z')"
        old = "UPDATE subscription SET document = document || " + expiry
        connection.execute(text(old + " WHERE document ? 'expiresAt'"))
    register(client)
    assert told() == []
    assert client.get(path).json()["status"] == ("expired" if "expiresAt" in fragment else "paused")


def test_at_intervals_all_are_told_and_changes_are_not(
    client: httpx.Client, engine: Engine, told: Told
) -> None:
    subscribe(client, timeInterval=3600)
    assert told() == [("newlyMatching", [])]  # at first, whatever there is
    register(client)
    assert told() == []
    telling = periodic(engine)
    [rule] = telling.rules()
    assert telling.tell(rule)
    assert not telling.tell(rule)  # one waits already
    assert told() == [("newlyMatching", ["urn:r:1"])]


def test_what_cannot_be_matched_does_not_keep_others_from_being_told(
    client: httpx.Client, engine: Engine, told: Told
) -> None:
    path = subscribe(client, id="urn:s:broken")
    subscribe(client)
    with engine.begin() as connection:
        broken = (
            "UPDATE subscription SET document = document || '{\"scopeQ\": \"(\"}' WHERE id = 'urn:s:broken'"
        )
        connection.execute(text(broken))
    register(client)
    assert told() == [("newlyMatching", ["urn:r:1"])]
    assert client.get(path).is_success


def test_tenants_are_told_of_their_own(client: httpx.Client, told: Told) -> None:
    subscribe(client)
    headers = {"NGSILD-Tenant": "other"}
    document = {"type": "ContextSourceRegistration", "information": [GAUGES], "endpoint": "http://b"}
    assert client.post("/csourceRegistrations", json=document, headers=headers).status_code == 201
    assert told() == []


def test_scopes_narrow_a_query_for_registrations(client: httpx.Client) -> None:
    register(client, "1", scope="/rivers/north")
    register(client, "2", scope=["/roads", "/rivers"])
    register(client, "3")

    def found(scopes: str) -> list[str]:
        answer = client.get("/csourceRegistrations", params={"type": "Gauge", "scopeQ": scopes})
        return [each["id"] for each in answer.json()]

    assert found("/rivers/#") == ["urn:r:1", "urn:r:2"]
    assert found("/roads;/rivers") == ["urn:r:2"]
    assert found("/sea") == []
