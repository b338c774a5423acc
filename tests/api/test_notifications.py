"""From a change to its receiver: matching in the writing transaction, outbox, delivery (clause 5.8.6)."""

from typing import Any

import httpx
import pytest
from api_receivers import Receivers, deliver, subscribe
from api_samples import GAUGE, gauge, point
from machinami.linkage.outbox import Outbox
from sqlalchemy import Engine, text


@pytest.fixture
def receivers() -> Receivers:
    return Receivers()


def _set_level(client: httpx.Client, level: float) -> None:
    assert client.patch(
        f"/entities/{GAUGE}/attrs", json={"currentLevel": gauge(level=level)["currentLevel"]}
    ).is_success


def _waiting(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(text("SELECT count(*) FROM outbox WHERE dead_at IS NULL")).scalar_one()


def test_each_change_arrives_once_and_in_order(
    client: httpx.Client, engine: Engine, receivers: Receivers
) -> None:
    path = subscribe(client)
    client.post("/entities", json=gauge(level=0))
    for level in range(1, 6):
        _set_level(client, level)
    deliver(engine, receivers)
    assert receivers.levels("a") == [0, 1, 2, 3, 4, 5]
    assert len({body["id"] for body in receivers.got["a"]}) == 6
    assert _waiting(engine) == 0
    status = client.get(path).json()["notification"]
    assert (status["timesSent"], status["status"]) == (6, "ok")
    assert {"lastSuccess", "lastNotification"} <= status.keys()


@pytest.mark.parametrize(
    ("more", "levels"),
    [
        ({}, [0, 5]),
        ({"q": "currentLevel>3"}, [5]),
        ({"watchedAttributes": ["other"]}, []),
        ({"watchedAttributes": ["currentLevel"]}, [0, 5]),
        ({"entities": [{"type": "Other"}]}, []),
        ({"entities": [{"type": "Other|FloodMonitoring"}]}, [0, 5]),
        ({"entities": [{"type": "*", "idPattern": "g1$"}]}, [0, 5]),
        ({"entities": [{"type": "*", "id": "urn:x:other"}]}, []),
        ({"notificationTrigger": ["entityCreated"]}, [0]),
        ({"notificationTrigger": ["attributeUpdated"]}, [5]),
        ({"isActive": False}, []),
        ({"geoQ": {"georel": "near;maxDistance==10", "geometry": "Point", "coordinates": [135, 35]}}, [0, 5]),
        ({"geoQ": {"georel": "near;maxDistance==10", "geometry": "Point", "coordinates": [0, 0]}}, []),
    ],
)
def test_what_concerns_a_subscription(
    client: httpx.Client, engine: Engine, receivers: Receivers, more: dict[str, Any], levels: list[int]
) -> None:
    subscribe(client, **more)
    client.post("/entities", json=gauge(level=0, location=point(135, 35)))
    _set_level(client, 5)
    deliver(engine, receivers)
    assert receivers.levels("a") == levels


def test_a_query_may_be_about_linked_entities(
    client: httpx.Client, engine: Engine, receivers: Receivers
) -> None:
    """Clause 4.9: what the Relationship leads to is looked up when the change is written."""
    for number, area in ((1, 5), (2, 50)):
        basin = {"id": f"urn:x:basin:{number}", "type": "Basin", "area": {"type": "Property", "value": area}}
        client.post("/entities", json=basin)
    subscribe(client, q="inBasin{Basin:area}>20")
    for number in (1, 2):
        link = {"type": "Relationship", "object": f"urn:x:basin:{number}"}
        client.post("/entities", json=gauge(f"urn:x:gauge:{number}", level=number, inBasin=link))
    deliver(engine, receivers)
    assert receivers.levels("a") == [2]


def test_a_deletion(client: httpx.Client, engine: Engine, receivers: Receivers) -> None:
    subscribe(client, notificationTrigger=["entityDeleted"])
    client.post("/entities", json=gauge())
    client.delete(f"/entities/{GAUGE}")
    deliver(engine, receivers)
    [body] = receivers.got["a"]
    assert body["data"][0]["id"] == GAUGE
    assert "deletedAt" in body["data"][0]


def test_a_changed_subscription_counts_at_once(
    client: httpx.Client, engine: Engine, receivers: Receivers
) -> None:
    path = subscribe(client, q="currentLevel>100")
    client.post("/entities", json=gauge(level=1))
    client.patch(path, json={"q": "currentLevel>1"})
    _set_level(client, 2)
    client.patch(path, json={"isActive": False})
    _set_level(client, 3)
    deliver(engine, receivers)
    assert receivers.levels("a") == [2]


def test_only_the_attributes_wanted_are_sent(
    client: httpx.Client, engine: Engine, receivers: Receivers
) -> None:
    endpoint = {"uri": "http://a/notify"}
    subscribe(client, notification={"endpoint": endpoint, "attributes": ["name"], "format": "keyValues"})
    client.post("/entities", json=gauge(name="並木"))
    deliver(engine, receivers)
    assert receivers.got["a"][0]["data"] == [{"id": GAUGE, "type": "FloodMonitoring", "name": "並木"}]


def test_a_dead_endpoint_delays_nobody_else(
    client: httpx.Client, engine: Engine, receivers: Receivers
) -> None:
    dead, alive = subscribe(client, "dead"), subscribe(client, "alive")
    receivers.down.add("dead")
    client.post("/entities", json=gauge(level=0))
    _set_level(client, 1)
    deliver(engine, receivers)
    assert receivers.levels("alive") == [0, 1]
    failed = client.get(dead).json()["notification"]
    assert (failed["status"], failed["timesFailed"]) == ("failed", 1)
    assert client.get(alive).json()["notification"]["status"] == "ok"
    receivers.down.clear()
    deliver(engine, receivers)
    assert receivers.levels("dead") == [0, 1]


def test_what_fails_waits_its_pause(client: httpx.Client, engine: Engine, receivers: Receivers) -> None:
    subscribe(client)
    receivers.down.add("a")
    client.post("/entities", json=gauge())
    deliver(engine, receivers, pause=3600)
    receivers.down.clear()
    deliver(engine, receivers)
    assert receivers.levels("a") == []
    assert _waiting(engine) == 1


def test_in_the_end_it_is_a_dead_letter(client: httpx.Client, engine: Engine, receivers: Receivers) -> None:
    subscribe(client)
    receivers.down.add("a")
    client.post("/entities", json=gauge(level=0))
    _set_level(client, 1)
    for _ in range(2):
        deliver(engine, receivers, attempts=2)
    with engine.connect() as connection:
        [letter] = connection.execute(
            text("SELECT attempts, last_error FROM outbox WHERE dead_at IS NOT NULL")
        )
    assert (letter.attempts, letter.last_error) == (2, "ConnectError: refused")
    receivers.down.clear()
    deliver(engine, receivers)
    assert receivers.levels("a") == [1]


def test_an_answer_that_is_no_success_is_a_failure(client: httpx.Client, engine: Engine) -> None:
    subscribe(client)
    client.post("/entities", json=gauge())
    deliver(engine, lambda _: httpx.Response(500), pause=3600)
    assert _waiting(engine) == 1


def test_a_killed_notifier_loses_nothing(client: httpx.Client, engine: Engine, receivers: Receivers) -> None:
    subscribe(client)
    client.post("/entities", json=gauge(level=0))
    _set_level(client, 1)
    killed = {"count": 0}

    def kill(request: httpx.Request) -> httpx.Response:
        killed["count"] += 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver(engine, kill)
    assert killed["count"] == 1
    deliver(engine, receivers)
    assert receivers.levels("a") == [0, 1]


def test_only_one_notifier_delivers(engine: Engine) -> None:
    outbox = Outbox(engine)
    with outbox.leading() as first:
        assert first is not None
        with outbox.leading() as second:
            assert second is None
    with outbox.leading() as third:
        assert third is not None


def test_a_deleted_subscription_gets_nothing(
    client: httpx.Client, engine: Engine, receivers: Receivers
) -> None:
    path = subscribe(client)
    client.post("/entities", json=gauge())
    client.delete(path)
    deliver(engine, receivers)
    assert receivers.got == {}
    assert _waiting(engine) == 0


def test_many_changes_of_one_transaction(client: httpx.Client, engine: Engine, receivers: Receivers) -> None:
    subscribe(client)
    client.post("/entityOperations/upsert", json=[gauge(f"urn:ngsi-ld:G:{n}", level=n) for n in range(250)])
    deliver(engine, receivers)
    assert sorted(receivers.levels("a")) == list(range(250))
    assert len(receivers.got["a"]) == 3
