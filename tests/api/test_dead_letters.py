"""Notifications that were given up: listed, shown, sent again, discarded, pruned."""

from datetime import timedelta

import httpx
import pytest
from api_receivers import Receivers, deliver, subscribe
from api_samples import gauge
from machinami.linkage.outbox import Outbox
from sqlalchemy import Engine, text

ROOT = "/machinami/v1/notifications"


@pytest.fixture
def receivers(client: httpx.Client, engine: Engine) -> Receivers:
    """One dead letter, and the receivers that did not want it."""
    receivers = Receivers()
    receivers.down.add("a")
    subscribe(client)
    client.post("/entities", json=gauge(level=3))
    deliver(engine, receivers, attempts=1)
    receivers.down.clear()
    return receivers


def test_what_was_given_up_and_why(client: httpx.Client, server: str, receivers: Receivers) -> None:
    answer = client.get(f"{server}{ROOT}", params={"count": "true"})
    [letter] = answer.json()
    assert (letter["attempts"], letter["error"]) == (1, "ConnectError: refused")
    assert answer.headers["NGSILD-Results-Count"] == "1"
    whole = client.get(f"{server}{ROOT}/{letter['id']}").json()
    assert whole["entities"][0]["id"] == gauge()["id"]
    assert client.get(f"{server}{ROOT}/999999").status_code == 404
    assert receivers.got == {}


def test_replay(client: httpx.Client, server: str, engine: Engine, receivers: Receivers) -> None:
    [letter] = client.get(f"{server}{ROOT}").json()
    of = {"subscription": letter["subscription_id"]}
    assert client.post(f"{server}{ROOT}/replay").status_code == 400  # it says not which
    assert client.post(f"{server}{ROOT}/replay", params=of).json() == {"replayed": 1}
    assert client.post(f"{server}{ROOT}/{letter['id']}/replay").json() == {"replayed": 0}
    deliver(engine, receivers)
    assert receivers.levels("a") == [3]
    assert client.get(f"{server}{ROOT}").json() == []


def test_discard(client: httpx.Client, server: str, engine: Engine, receivers: Receivers) -> None:
    [letter] = client.get(f"{server}{ROOT}").json()
    assert client.delete(f"{server}{ROOT}/{letter['id']}").status_code == 204
    assert client.delete(f"{server}{ROOT}", params={"subscription": "urn:x:other"}).status_code == 204
    assert client.get(f"{server}{ROOT}").json() == []
    deliver(engine, receivers)
    assert receivers.got == {}


def test_old_ones_are_pruned(client: httpx.Client, server: str, engine: Engine, receivers: Receivers) -> None:
    outbox = Outbox(engine)
    assert outbox.prune(1) == 0
    with engine.begin() as connection:
        connection.execute(text("UPDATE outbox SET dead_at = dead_at - :long"), {"long": timedelta(days=2)})
    assert outbox.prune(1) == 1
    assert client.get(f"{server}{ROOT}").json() == []
    assert receivers.got == {}
