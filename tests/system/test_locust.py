"""The locust files, run as an operator runs them, against a real city."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from system.conftest import PATIENCE, RunningCity, wait_for

pytestmark = pytest.mark.system

LOADTESTS = Path(__file__).parents[2] / "loadtests"
COUNT = "/ngsi-ld/v1/entities?type={type}&limit=1000&options=keyValues"


def run_locust(file: str, folder: Path, *options: str) -> dict[tuple[str, str], dict[str, str]]:
    """Run headless for five seconds; one row of figures for each kind of request."""
    command = [sys.executable, "-m", "locust", "--locustfile", str(LOADTESTS / file), "--headless"]
    length = ["--users", "20", "--spawn-rate", "20", "--run-time", "5s", "--stop-timeout", "20"]
    answer = subprocess.run(
        [*command, *length, "--csv", str(folder / "report"), "--only-summary", *options],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "Traceback" not in answer.stderr, answer.stderr
    with (folder / "report_stats.csv").open(newline="", encoding="utf-8") as report:
        return {(row["Type"], row["Name"]): row for row in csv.DictReader(report)}


def requests(figures: dict[tuple[str, str], dict[str, str]], kind: str, part: str) -> int:
    """How many requests there were; none of them may have failed."""
    rows = [row for (found, name), row in figures.items() if found == kind and part in name]
    assert not [row for row in rows if row["Failure Count"] != "0"]
    return sum(int(row["Request Count"]) for row in rows)


def test_devices_publish_and_are_acknowledged_also_through_reconnect_storms(
    city: RunningCity, tmp_path: Path
):
    mqtt = city.addresses.mqtt
    host = f"mqtt://{mqtt['host']}:{mqtt['port']}"
    figures = run_locust("locust_devices.py", tmp_path, "--host", host, "--pace", "600", "--storm-every", "2")
    acknowledged = requests(figures, "MQTT", "PUBLISH")
    assert acknowledged > 20
    assert requests(figures, "MQTT", "CONNECT") >= 40  # each device, and again after each storm
    kinds = {name.split()[1] for kind, name in figures if kind == "MQTT"}
    assert len(kinds) >= 3
    done = ("committed", "quarantined")
    counters = wait_for(
        "everything that was acknowledged",
        lambda: (c := city.status()["counters"]) and sum(c[n] for n in done) >= acknowledged and c,
    )
    assert counters["quarantined"] == 0


def test_api_users_find_what_they_ask_for_and_leave_nothing_behind(city: RunningCity, tmp_path: Path):
    figures = run_locust(
        "locust_api.py", tmp_path, "--host", city.addresses.api, "--entity-type", "LocustVehicle"
    )
    assert requests(figures, "GET", "/entities?type") > 0
    assert requests(figures, "GET", "/entities?georel=near") > 0
    assert requests(figures, "GET", "/entities/{id}") > 0
    assert requests(figures, "GET", "/temporal/entities/{id}") > 0
    assert requests(figures, "PATCH", "attrs") > 0
    assert requests(figures, "POST", "/subscriptions") > 0
    assert requests(figures, "DELETE", "/subscriptions") > 0
    assert city.ask(COUNT.format(type="LocustVehicle")) == []
    assert city.ask("/ngsi-ld/v1/subscriptions") == []
