"""The platform against the truth: a scenario through a real city loses and changes nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from system.conftest import RunningCity, machinami, running_city, wait_for

pytestmark = pytest.mark.system

RAIN = (
    "simulate",
    "--scenario",
    "heavy-rain",
    "--scale",
    "hamlet",
    "--speed",
    "max",
    "--from",
    "2026-09-12T07:00",
)


@pytest.fixture(scope="module")
def rained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCity]:
    """A city with its master data, into which an hour and five minutes of heavy rain were played."""
    with running_city(tmp_path_factory.mktemp("judge") / "city") as city:
        masters, where = city.data_dir / "masters", ("--data-dir", str(city.data_dir))
        for words in (
            ("simulate", "--masters", str(masters)),
            ("import", str(masters), *where),
            (*RAIN, "--minutes", "65", *where),
        ):
            done = machinami(*words)
            assert done.returncode == 0, done.stdout + done.stderr
        sent = int(done.stdout.rpartition("sent ")[2].partition(",")[0])
        wait_for("every message", lambda: city.status()["counters"]["committed"] >= sent)
        yield city


def figures(city: RunningCity) -> dict[str, dict[str, Any]]:
    done = machinami("judge", "--json", "--data-dir", str(city.data_dir))
    assert done.returncode == 0, done.stderr
    return {each["name"]: each for each in json.loads(done.stdout)["figures"]}


def test_nothing_is_lost_and_nothing_changed(rained: RunningCity):
    found = figures(rained)
    for each in found.values():
        assert each["missing"] == each["invented"] == 0, each
        assert each["platform"] is None or each["platform"]["worst"] == pytest.approx(0, abs=1e-9), each
    assert found["gauge level"]["completeness"] == 100
    assert found["gauge level"]["platform"]["worst"] == 0
    assert found["alert 1 水防団待機"]["completeness"] == 100


def test_truth_does_not_need_the_platform(rained: RunningCity, tmp_path: Path):
    record = next((rained.data_dir / "truth").glob("*.sqlite"))
    done = machinami("truth", "thresholds", "--json", "--file", str(record), "--data-dir", str(tmp_path))
    assert json.loads(done.stdout)


def test_thresholds_with_a_wrong_factor_are_noticed(rained: RunningCity):
    """As if an import took metres for centimetres."""
    with httpx.Client(base_url=f"{rained.addresses.api}/ngsi-ld/v1", timeout=30) as client:
        query = {"type": "FloodMonitoring", "q": "standbyLevel", "options": "keyValues", "limit": "1000"}
        for gauge in client.get("/entities", params=query).json():
            wrong = {"type": "Property", "value": 100 * gauge["standbyLevel"], "unitCode": "MTR"}
            answer = client.patch(f"/entities/{gauge['id']}/attrs", json={"standbyLevel": wrong})
            assert answer.is_success, answer.text
    found = figures(rained)
    assert found["alert 1 水防団待機"]["completeness"] == 0
    assert found["alert 2 氾濫注意"]["completeness"] == 100
