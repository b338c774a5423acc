"""What a receiver gets (clauses 5.3.1, 5.3.2, 6.3.8)."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson
import pytest
from machinami.federation.notices import Notice, Trigger
from machinami.linkage.notified import entity_document
from machinami.linkage.outbox import Notification, Queue, StoredSubscription, Watched
from machinami.model import Entity
from machinami.ngsild.context import CORE, CORE_URL
from machinami.notify.delivery import backoff
from machinami.notify.message import Post, compose
from machinami.store.queries_registration import StoredRegistration

_NOW = datetime(2026, 11, 21, tzinfo=UTC)
_ENTITY = Entity(
    id="urn:ngsi-ld:T:1",
    types=("https://uri.etsi.org/ngsi-ld/default-context/T",),
    attributes={
        "https://uri.etsi.org/ngsi-ld/default-context/level": [{"type": "Property", "value": 3}],
        "https://uri.etsi.org/ngsi-ld/location": [
            {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [135.0, 35.0]}}
        ],
    },
    created_at=_NOW,
    modified_at=_NOW,
)


def _compose(endpoint: dict[str, Any], tenant: str = "default", **more: Any) -> tuple[Post, dict[str, Any]]:
    stored = StoredSubscription(
        tenant=1,
        id="urn:ngsi-ld:Subscription:1",
        document={"notification": {"endpoint": {"uri": "http://a/b", **endpoint}, **more}},
        context=CORE_URL,
        status={},
        created_at=_NOW,
        modified_at=_NOW,
    )
    notification = Notification(id=7, entities=[entity_document(_ENTITY)], created_at=_NOW, attempts=0)
    queue = Queue(subscription=stored, tenant_name=tenant, notifications=[notification])
    post = compose(queue, notification, CORE, link=lambda context: str(context.source), load=lambda _: [])
    return post, post.body


def test_plain_json_links_to_its_context() -> None:
    post, body = _compose({})
    assert (post.url, post.headers["Content-Type"], post.timeout) == ("http://a/b", "application/json", None)
    assert CORE_URL in post.headers["Link"]
    assert body["id"] == "urn:ngsi-ld:Notification:7"
    assert (body["type"], body["subscriptionId"]) == ("Notification", "urn:ngsi-ld:Subscription:1")
    [entity] = body["data"]
    assert entity["level"] == {"type": "Property", "value": 3}


def test_json_ld_carries_its_context() -> None:
    post, body = _compose({"accept": "application/ld+json"})
    assert "Link" not in post.headers
    assert body["@context"] == CORE_URL


def test_geojson() -> None:
    _, body = _compose({"accept": "application/geo+json"}, format="keyValues")
    assert body["data"]["type"] == "FeatureCollection"
    assert body["data"]["features"][0]["geometry"]["coordinates"] == [135.0, 35.0]
    assert body["data"]["features"][0]["properties"]["level"] == 3


@pytest.mark.parametrize(("form", "level"), [("keyValues", 3), ("simplified", 3), ("concise", 3)])
def test_formats(form: str, level: object) -> None:
    assert _compose({}, format=form)[1]["data"][0]["level"] == level


def test_system_attributes() -> None:
    assert _compose({}, sysAttrs=True)[1]["data"][0]["createdAt"] == "2026-11-21T00:00:00Z"


def test_headers_and_timeout() -> None:
    info = [{"key": "Authorization", "value": "Bearer x"}]
    post, _ = _compose({"receiverInfo": info, "timeout": 1500}, tenant="takamatsu")
    assert post.headers["Authorization"] == "Bearer x"
    assert post.headers["NGSILD-Tenant"] == "takamatsu"
    assert post.timeout == 1.5


def test_pauses_grow_and_have_an_end() -> None:
    assert 0.75 <= backoff(1) <= 1.25
    assert 6 <= backoff(4) <= 10
    assert backoff(50) <= 750


def test_a_notification_of_sources() -> None:
    stored = StoredSubscription(
        tenant=1,
        id="urn:ngsi-ld:Subscription:1",
        document={"notification": {"endpoint": {"uri": "mqtt://a/b", "accept": "application/ld+json"}}},
        context=CORE_URL,
        status={},
        created_at=_NOW,
        modified_at=_NOW,
        kind=Watched.SOURCES,
    )
    source = StoredRegistration(
        tenant=1,
        id="urn:r:1",
        document={
            "information": [{"entities": [{"type": ["https://uri.etsi.org/ngsi-ld/default-context/T"]}]}],
            "endpoint": "http://c",
        },
        status={},
        created_at=_NOW,
        modified_at=_NOW,
    )
    told = [msgspec.to_builtins(Notice(trigger=Trigger.UPDATED, registration=source))]
    notification = Notification(id=7, entities=told, created_at=_NOW, attempts=0)
    queue = Queue(subscription=stored, tenant_name="takamatsu", notifications=[notification])
    post = compose(queue, notification, CORE, link=lambda _: "", load=lambda _: [])
    assert post.headers == {"NGSILD-Tenant": "takamatsu", "Content-Type": "application/ld+json"}
    body = orjson.loads(orjson.dumps(post.body))  # as it goes over MQTT
    assert (body["@context"], body["type"]) == (CORE_URL, "ContextSourceNotification")
    assert body["triggerReason"] == "updated"
    assert body["data"] == [
        {
            "id": "urn:r:1",
            "type": "ContextSourceRegistration",
            "information": [{"entities": [{"type": ["T"]}]}],
            "endpoint": "http://c",
        }
    ]
