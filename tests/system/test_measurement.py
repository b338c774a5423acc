"""The way of a measurement, end to end, on real input: device to browser."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import psutil
import pytest
from browser.conftest import chromium as chromium
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page
from system.conftest import RunningCity, machinami, running_city, wait_for

pytestmark = pytest.mark.system

DAY = "fukui-river-level/data/2023-07-13.csv"
STATIONS = "fukui-river-level/stations.csv"
JST = timezone(timedelta(hours=9))
ENTITIES = "/ngsi-ld/v1/entities?limit=1000&options=keyValues&type="


@pytest.fixture
def own_city(tmp_path: Path) -> Iterator[RunningCity]:
    with running_city(tmp_path / "city") as city:
        yield city


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCity]:
    folder = tmp_path_factory.mktemp("simulated") / "city"
    with running_city(folder, "--simulator") as city:
        wait_for("bikes", lambda: city.ask(ENTITIES + "Vehicle"))
        yield city


def rows(path: Path) -> list[tuple[str, str, str]]:
    """(time, level, gauge) of each row as the file has it."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()[1:]
    return [(cells[0], cells[1], cells[2]) for cells in (line.split(",") for line in lines)]


def ledger(city: RunningCity) -> dict[str, Any]:
    return json.loads(machinami("ledger", "--json", "--data-dir", str(city.data_dir)).stdout)


def replay(city: RunningCity, recording: str, path: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "machinami", "replay", recording, str(path), "--speed", "max"]
    return subprocess.Popen([*command, "--data-dir", str(city.data_dir)], stdout=subprocess.DEVNULL)


def history(city: RunningCity, gauge: str) -> dict[datetime, float]:
    path = f"/ngsi-ld/v1/temporal/entities/urn:ngsi-ld:FloodMonitoring:fukui:{gauge}"
    found = city.ask(path + "?options=temporalValues&attrs=currentLevel&lastN=1000")
    pairs = found["currentLevel"]["values"] if found else []
    return {datetime.fromisoformat(at): value for value, at in pairs}


@pytest.mark.real_data
def test_a_recorded_day_arrives_to_the_row(own_city: RunningCity, shared_data: Path) -> None:
    day = shared_data / "real" / DAY
    machinami(
        "import",
        "fukui-river/stations",
        str(shared_data / "real" / STATIONS),
        "--data-dir",
        str(own_city.data_dir),
    )
    assert replay(own_city, "fukui-river", day).wait(60) == 0
    account = ledger(own_city)
    readable = [row for row in rows(day) if row[1] not in ("", "*")]
    unreadable = [row for row in rows(day) if row[1] in ("", "*")]
    assert account["kinds"]["fukui-river"]["committed"] == len(readable)
    assert (account["quarantined"], account["missing"], account["doubled"]) == (len(unreadable), 0, 0)
    for gauge in ("9", "124"):
        expected = {
            datetime.fromisoformat(at).replace(tzinfo=JST): float(value)
            for at, value, number in readable
            if number == gauge
        }
        assert history(own_city, gauge) == expected
    kept = json.loads(
        machinami(
            "quarantine", "list", "--json", "--limit", "100", "--data-dir", str(own_city.data_dir)
        ).stdout
    )
    assert kept["total"] == len(unreadable)
    assert {item["field"] for item in kept["messages"]} == {"河川水位"}
    assert all(item["reason"] and item["cure"] for item in kept["messages"])


@pytest.mark.real_data
def test_a_gauge_past_its_danger_level_is_level_4_on_the_map(
    own_city: RunningCity, shared_data: Path, chromium: Browser
) -> None:
    folder = ["--data-dir", str(own_city.data_dir)]
    machinami("import", "fukui-river/stations", str(shared_data / "real" / STATIONS), *folder)
    assert replay(own_city, "fukui-river", shared_data / "real" / DAY).wait(60) == 0
    assert ledger(own_city)["balanced"]
    page = chromium.new_page()
    # 07:20 is when gauges 9 (原目) and 124 (江波) stood above their 氾濫危険水位.
    page.goto(f"{own_city.addresses.api}/apps/safety/?lang=ja&network=fukui-river&at=2023-07-13T07:25")
    page.wait_for_function("() => window.machinami?.counts?.level4 >= 2", timeout=60_000)
    gauges = page.evaluate("() => window.machinami.gauges")
    for number in ("9", "124"):
        assert gauges[f"urn:ngsi-ld:FloodMonitoring:fukui:{number}"]["state"] == "level4"
    assert "原目" in page.inner_text("body")
    page.close()


@pytest.mark.real_data
def test_a_worker_killed_in_mid_replay_loses_and_doubles_nothing(
    own_city: RunningCity, shared_data: Path
) -> None:
    day = shared_data / "real/fukui-wifi-packet/detections_20241021.csv"
    running = replay(own_city, "fukui-wifi", day)
    for _ in range(3):
        time.sleep(1)
        if psutil.pid_exists(own_city.roles()["ingest"]["pid"]):
            own_city.kill("ingest")
        wait_for("ingest is back", lambda: own_city.roles()["ingest"]["state"] == "running")
    assert running.wait(90) == 0
    account = ledger(own_city)
    assert account["sent"] == account["acknowledged"] == account["committed"] == 35_067
    assert (account["missing"], account["doubled"], account["balanced"]) == (0, 0, True)


def test_all_four_kinds_come_by_api_with_their_history(simulated: RunningCity) -> None:
    counts = {"AgriParcelRecord": 300, "FloodMonitoring": 65, "CrowdFlowObserved": 120, "Vehicle": 200}
    for kind, count in counts.items():

        def all_there(kind: str = kind, count: int = count) -> bool:
            return len(simulated.ask(ENTITIES + kind) or ()) == count

        wait_for(f"{count} of {kind}", all_there)
    gauge = simulated.ask(ENTITIES + "FloodMonitoring")[0]["id"]
    path = f"/ngsi-ld/v1/temporal/entities/{gauge}?attrs=currentLevel"
    # Master data made the gauge; its first reading follows within seconds.
    assert wait_for("its history", lambda: (simulated.ask(path) or {}).get("currentLevel"))


def test_bikes_move_in_a_real_browser(simulated: RunningCity, chromium: Browser) -> None:
    page = chromium.new_page()
    page.goto(f"{simulated.addresses.api}/apps/tourism/?lang=en")

    wait_in(page, "() => window.machinami?.connection === 'live' && window.machinami.map")
    wait_in(page, "() => Object.keys(window.machinami.vehicles()).length === 200")
    page.evaluate("() => { window.before = window.machinami.vehicles(); }")
    moved = "([id, point]) => JSON.stringify(point) !== JSON.stringify(window.before[id])"
    wait_in(page, f"() => Object.entries(window.machinami.vehicles()).filter({moved}).length > 5")
    assert "Namiki" in page.inner_text("body")
    page.close()


def wait_in(page: Page, condition: str) -> None:
    page.wait_for_function(condition, timeout=60_000)


class Flood:
    """Publishes and counts what it sent."""

    def __init__(self, city: RunningCity) -> None:
        self.sent = 0
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="flood")
        self._client.connect(str(city.addresses.mqtt["host"]), int(city.addresses.mqtt["port"]))
        self._client.loop_start()

    def send(self, topic: str, payloads: list[bytes]) -> None:
        handed = [self._client.publish(topic, payload, qos=1) for payload in payloads]
        for information in handed:
            information.wait_for_publish(30)
        self.sent += len(payloads)

    def end(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


TOPICS = [
    "ul/namiki-river/x/attrs",
    "v3/namiki-paddy@namiki/devices/x/up",
    "minew/namiki/x/status",
    "owntracks/namiki/x",
    "gbfs/namiki/station_status/x",
    "replay/fukui-river/1",
    "replay/fukui-wifi/1",
    "replay/kakogawa-probe/1",
    "nobody/declared/this",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())


def test_ten_thousand_random_payloads_stop_no_role(own_city: RunningCity) -> None:
    flood = Flood(own_city)
    pids = {name: role["pid"] for name, role in own_city.roles().items()}

    @settings(
        max_examples=100,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(st.sampled_from(TOPICS), st.lists(st.binary(max_size=60) | JSON, min_size=100, max_size=120))
    def shower(topic: str, payloads: list[bytes]) -> None:
        flood.send(topic, payloads)

    shower()
    flood.end()
    assert flood.sent >= 10_000

    def all_read() -> bool:
        counters = own_city.status()["counters"]
        return counters["committed"] + counters["quarantined"] >= flood.sent

    wait_for("everything is read", all_read)
    counters = own_city.status()["counters"]
    assert counters["committed"] + counters["quarantined"] == flood.sent
    assert {name: role["pid"] for name, role in own_city.roles().items()} == pids
    assert own_city.ask("/machinami/v1/health")


def test_observation_times_are_utc(own_city: RunningCity) -> None:
    flood = Flood(own_city)
    flood.send("replay/fukui-river/77", ['{"日時":"2023-07-13T07:20","河川水位":"1.5","id":"77"}'.encode()])
    flood.end()
    found = wait_for("the row", lambda: history(own_city, "77"))
    assert found == {datetime(2023, 7, 12, 22, 20, tzinfo=UTC): 1.5}
