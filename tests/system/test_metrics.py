"""Prometheus finds every role of a running city, and what a device sends moves its numbers."""

import json

import httpx
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from prometheus_client.parser import text_string_to_metric_families
from system.conftest import RunningCity, wait_for

pytestmark = pytest.mark.system


def numbers(url: str) -> dict[str, float]:
    families = text_string_to_metric_families(httpx.get(url).text)
    return {
        sample.name + str(sample.labels or ""): sample.value
        for family in families
        for sample in family.samples
    }


def test_each_role_serves_its_numbers(city: RunningCity):
    served = {name: role["metrics"] for name, role in city.roles().items() if role["metrics"]}
    assert set(served) == {"ingest", "api", "notify"}
    targets = json.loads((city.data_dir / "metrics-targets.json").read_text())
    assert {
        target["labels"]["role"]: f"http://{target['targets'][0]}/metrics" for target in targets
    } == served
    assert "machinami_notify_due_subscriptions" in numbers(served["notify"])
    told = numbers(served["api"])
    assert told["machinami_role_up{'role': 'ingest'}"] == 1
    assert told["machinami_broker_memory_bytes"] > 0
    assert told["machinami_lag_messages"] == 0


def test_a_message_is_counted_when_it_is_committed(city: RunningCity):
    device = Client(CallbackAPIVersion.VERSION2)
    device.connect(str(city.addresses.mqtt["host"]), int(city.addresses.mqtt["port"]))
    device.loop_start()
    device.publish("ul/namiki-river/g001/attrs", b"2026-11-21T01:02:03Z|l|2.345", qos=1).wait_for_publish(30)
    device.disconnect()
    device.loop_stop()
    url = city.roles()["ingest"]["metrics"]
    wait_for("the message", lambda: numbers(url)["machinami_ingest_committed_total"] == 1)
    assert numbers(url)["machinami_ingest_observations_total"] == 1
