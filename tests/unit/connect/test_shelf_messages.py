"""The seven connectors on messages as devices send them."""

import json
from datetime import UTC, datetime

import pytest
from machinami.connect.discovery import discover
from machinami.connect.router import Router
from machinami.model import Mapped, Message
from machinami.ngsild.context import CORE

NOW = datetime(2026, 11, 21, 1, 2, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def router() -> Router:
    return Router(discover(), b"a secret of the tests")


def send(router: Router, topic: str, payload: object) -> Mapped:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return router.map(Message(sequence=1, topic=topic, payload=data, received_at=NOW))


def test_gauge_gives_level_and_voltage_with_units_and_its_own_time(router: Router) -> None:
    mapped = send(router, "ul/namiki-river/g-01/attrs", b"2026-11-21T01:02:03Z|l|2.345|b|12.41")
    (change,) = mapped.changes
    at = "2026-11-21T01:02:03Z"
    assert change.entity_id == "urn:ngsi-ld:FloodMonitoring:namiki:g-01"
    assert change.only_newer
    assert change.attributes == {
        CORE.expand("currentLevel"): [
            {"type": "Property", "value": 2.345, "unitCode": "MTR", "observedAt": at}
        ],
        CORE.expand("batteryVoltage"): [
            {"type": "Property", "value": 12.41, "unitCode": "VLT", "observedAt": at}
        ],
    }


def test_undeclared_topic_is_a_rejection_without_connector(router: Router) -> None:
    (rejection,) = send(router, "no/such/topic", b"{}").rejections
    assert (rejection.connector, rejection.field, rejection.value) == ("", "topic", "no/such/topic")
