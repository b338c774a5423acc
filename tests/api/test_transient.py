"""Entities and attributes that are stored for a while only (clause 4.22)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from machinami.linkage.expiry import sweep
from machinami.linkage.write import Linkage
from machinami.model import format_time
from sqlalchemy import Engine, text

ALERT = "urn:ngsi-ld:Alert:1"
PATH = f"/entities/{ALERT}"
LATER = "2090-01-01T00:00:00Z"


def _alert(**members: object) -> dict[str, object]:
    return {"id": ALERT, "type": "Alert", "level": 1, **members}


def _shown(client: httpx.Client, query: str = "?options=sysAttrs") -> dict[str, Any]:
    answer = client.get(PATH + query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _let_pass(engine: Engine) -> None:
    """Turn the clock of everything that expires back by a century."""
    turned = """
        UPDATE entity SET expires_at = expires_at - interval '100 years',
        due_at = due_at - interval '100 years',
        attributes = CAST(replace(CAST(attributes AS text), '2090', '1990') AS jsonb)"""
    with engine.begin() as connection:
        connection.execute(text(turned))


@pytest.fixture
def alert(client: httpx.Client) -> None:
    assert client.post("/entities", json=_alert(expiresAt=LATER)).status_code == 201


@pytest.mark.usefixtures("alert")
def test_expires_at_is_a_system_attribute(client: httpx.Client) -> None:
    """Clause 6.3.11."""
    assert _shown(client)["expiresAt"] == LATER
    assert "expiresAt" not in _shown(client, "")


@pytest.mark.usefixtures("alert")
@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("PATCH", PATH, {"expiresAt": "2080-01-01T00:00:00Z"}, "2080-01-01T00:00:00Z"),
        ("PATCH", PATH, {"expiresAt": "urn:ngsi-ld:null"}, None),
        ("PATCH", PATH, {"level": 2}, LATER),
        ("POST", f"{PATH}/attrs", {"expiresAt": "2080-01-01T00:00:00Z"}, "2080-01-01T00:00:00Z"),
        ("PUT", PATH, {"level": 2}, None),
    ],
)
def test_the_time_is_changed(
    client: httpx.Client, method: str, path: str, body: dict[str, object], expected: str | None
) -> None:
    assert client.request(method, path, json=body).status_code == 204
    assert _shown(client).get("expiresAt") == expected


@pytest.mark.usefixtures("alert")
@pytest.mark.parametrize(("sign", "found"), [("<", 1), (">", 0)])
def test_queries_ask_for_it(client: httpx.Client, sign: str, found: int) -> None:
    query = {"type": "Alert", "q": f"expiresAt{sign}2095-01-01T00:00:00Z"}
    assert len(client.get("/entities", params=query).json()) == found


@pytest.mark.usefixtures("alert")
def test_what_is_past_its_time_is_not_found(client: httpx.Client, engine: Engine) -> None:
    _let_pass(engine)
    assert client.get(PATH).status_code == 404
    assert client.get("/entities?type=Alert").json() == []
    assert client.get("/types").json()["typeList"] == client.get("/attributes").json()["attributeList"] == []
    assert client.patch(PATH, json={"level": 2}).status_code == 404


@pytest.mark.usefixtures("alert")
def test_its_id_is_free_again(client: httpx.Client, engine: Engine) -> None:
    _let_pass(engine)
    assert client.post("/entities", json=_alert(level=2, kind="flood")).status_code == 201
    found = _shown(client)
    assert (found["level"]["value"], "expiresAt" in found) == (2, False)
    assert found["createdAt"] == found["modifiedAt"]


def test_the_sweep_tells_history_and_leaves_nothing(client: httpx.Client, engine: Engine) -> None:
    client.post("/entities", json=_alert(expiresAt=LATER, scope="/a"))
    _let_pass(engine)
    assert (sweep(engine, Linkage(engine)), sweep(engine, Linkage(engine))) == (1, 0)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM entity")).scalar_one() == 0
        graves = text("SELECT count(*) FROM observation WHERE document ? 'deletedAt'")
        assert connection.execute(graves).scalar_one() == 2


def test_attributes_expire_alone(client: httpx.Client, engine: Engine) -> None:
    level = [{"value": 1, "expiresAt": LATER}, {"value": 2, "datasetId": "urn:d:1"}]
    name = {"value": "a", "expiresAt": LATER}
    assert client.post("/entities", json=_alert(level=level, name=name)).status_code == 201
    assert _shown(client)["name"]["expiresAt"] == LATER
    _let_pass(engine)
    left = {"id": ALERT, "type": "Alert", "level": {"type": "Property", "value": 2, "datasetId": "urn:d:1"}}
    assert _shown(client, "") == left
    assert sweep(engine, Linkage(engine)) == 1
    assert _shown(client, "") == left
    assert client.patch(f"{PATH}/attrs/name", json={"value": "b"}).status_code == 404


def test_an_attribute_written_without_it_stays(client: httpx.Client, engine: Engine) -> None:
    client.post("/entities", json=_alert(level={"value": 1, "expiresAt": LATER}))
    assert client.post(f"{PATH}/attrs", json={"level": 2}).status_code == 204
    _let_pass(engine)
    assert sweep(engine, Linkage(engine)) == 0
    assert _shown(client, "")["level"]["value"] == 2


def test_what_is_written_with_a_past_time_expires_at_once(client: httpx.Client) -> None:
    """Clause 4.22 forbids no moment."""
    past = format_time(datetime.now(UTC) - timedelta(seconds=1))
    assert client.post("/entities", json=_alert(expiresAt=past)).status_code == 201
    assert client.get(PATH).status_code == 404
    assert client.post("/entities", json=_alert()).status_code == 201
    assert client.patch(PATH, json={"expiresAt": past}).status_code == 204
    assert client.get(PATH).status_code == 404


def test_attributes_of_attributes_expire_alone(client: httpx.Client, engine: Engine) -> None:
    inner = {"by": {"value": "a", "expiresAt": LATER, "since": {"value": 1}}, "unit": {"value": "m"}}
    deep = {"value": 2, "about": {"value": "x", "of": {"value": "y", "expiresAt": LATER}}}
    assert client.post("/entities", json=_alert(level={"value": 1, **inner}, deep=deep)).status_code == 201
    assert _shown(client)["level"]["by"]["expiresAt"] == LATER
    assert "expiresAt" not in client.get(PATH).text
    _let_pass(engine)
    left = client.get(PATH).json()
    assert left["level"].keys() == {"type", "value", "unit"}
    assert left["deep"]["about"].keys() == {"type", "value"}
    assert (sweep(engine, Linkage(engine)), sweep(engine, Linkage(engine))) == (1, 0)
    assert client.get(PATH).json() == left
    assert client.patch(f"{PATH}/attrs/level", json={"value": 2}).status_code == 204
    assert _shown(client)["level"].keys() >= {"value", "unit"}


@pytest.mark.usefixtures("alert")
def test_an_expiry_is_a_deletion_to_subscriptions(client: httpx.Client, engine: Engine) -> None:
    subscription = {
        "type": "Subscription",
        "entities": [{"type": "Alert"}],
        "notificationTrigger": ["entityDeleted"],
        "notification": {"endpoint": {"uri": "http://127.0.0.1:9/none"}},
    }
    assert client.post("/subscriptions", json=subscription).status_code == 201
    _let_pass(engine)
    sweep(engine, Linkage(engine))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM outbox")).scalar_one() == 1
