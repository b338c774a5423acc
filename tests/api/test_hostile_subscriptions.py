"""A subscription that costs too much, or cannot be read, holds up nobody else."""

import json
import logging

import httpx
import pytest
from api_samples import GAUGE, gauge
from machinami.linkage import subscriptions
from sqlalchemy import Engine, text

ENDLESS = "(a|a)*$"
NAME = "a" * 40 + "!"


def subscribe(client: httpx.Client, **more: object) -> str:
    document = {
        "type": "Subscription",
        "entities": [{"type": "FloodMonitoring"}],
        "notification": {"endpoint": {"uri": "http://receiver/notify"}},
        **more,
    }
    created = client.post("/subscriptions", json=document)
    assert created.status_code == 201, created.text
    return created.headers["Location"].removeprefix("/ngsi-ld/v1")


def due(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT subscription_id FROM outbox ORDER BY id")).scalars())


@pytest.mark.parametrize("where", ["q", "idPattern"])
def test_an_endless_pattern_fails_no_write(
    client: httpx.Client, engine: Engine, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    more = {
        "q": {"q": f'name~="{ENDLESS}"'},
        "idPattern": {"entities": [{"type": "FloodMonitoring", "idPattern": ENDLESS}]},
    }
    hostile, harmless = subscribe(client, **more[where]), subscribe(client)
    identifier = f"urn:ngsi-ld:FloodMonitoring:{NAME[:-1]}:" if where == "idPattern" else GAUGE
    entity = gauge(identifier, name={"type": "Property", "value": NAME})
    with caplog.at_level(logging.WARNING):
        assert client.post("/entities", json=entity).status_code == 201
        assert client.patch(f"/entities/{identifier}/attrs", json={"currentLevel": 2}).is_success
    assert due(engine) == [harmless.rpartition("/")[2]] * 2
    assert sum("is paused" in record.getMessage() for record in caplog.records) == 1
    assert client.get(hostile).json()["notification"]["status"] == "failed"
    assert "lastFailure" not in client.get(harmless).json()["notification"]


def test_a_paused_subscription_is_tried_again_when_it_is_changed(
    client: httpx.Client, engine: Engine
) -> None:
    path = subscribe(client, q=f'name~="{ENDLESS}"')
    client.post("/entities", json=gauge(name={"type": "Property", "value": NAME}))
    assert due(engine) == []
    assert client.patch(path, json={"q": 'name~="a!$"'}).status_code == 204
    client.patch(f"/entities/{GAUGE}/attrs", json={"currentLevel": 2})
    assert len(due(engine)) == 1


def test_many_searches_that_are_each_in_time_are_too_much_together(
    client: httpx.Client, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "MATCH_SECONDS", 0.0)
    path = subscribe(client)
    assert client.post("/entities", json=gauge()).status_code == 201
    assert due(engine) == []
    assert client.get(path).json()["notification"]["timesFailed"] == 1


def test_a_subscription_that_cannot_be_read_fails_no_write(client: httpx.Client, engine: Engine) -> None:
    broken, sound = subscribe(client, q="currentLevel>1"), subscribe(client)
    with engine.begin() as connection:
        document = {"document": json.dumps({"q": "(("}), "id": broken.rpartition("/")[2]}
        update = (
            "UPDATE subscription SET document = document || CAST(:document AS jsonb), modified_at = now()"
        )
        connection.execute(text(f"{update} WHERE id = :id"), document)
    assert client.post("/entities", json=gauge()).status_code == 201
    assert due(engine) == [sound.rpartition("/")[2]]


@pytest.mark.parametrize("pattern", ["(", "a" * 513, "\0"])
def test_an_id_pattern_that_is_none_is_refused(client: httpx.Client, pattern: str) -> None:
    document = {
        "type": "Subscription",
        "entities": [{"type": "T", "idPattern": pattern}],
        "notification": {"endpoint": {"uri": "http://receiver/notify"}},
    }
    answer = client.post("/subscriptions", json=document)
    assert (answer.status_code, answer.json()["field"]) == (400, "idPattern")
