"""`machinami load` against a real city: every message is found, and two reports can be compared."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from system.conftest import PATIENCE, RunningCity, machinami

pytestmark = pytest.mark.system


def load(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and report of a run."""
    answer = machinami("load", "--json", *arguments)
    assert answer.stdout, answer.stderr
    return answer.returncode, json.loads(answer.stdout)


@pytest.fixture(scope="module")
def report(city: RunningCity, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("load") / "report"
    code, found = load(
        *("--devices", "50", "--rate", "300", "--duration", "3s", "--connections", "3"),
        *("--data-dir", str(city.data_dir), "--out", str(folder)),
    )
    assert code == 0
    return folder, found


def test_every_message_is_stored_once(report: tuple[Path, dict[str, Any]]) -> None:
    ledger = report[1]["ledger"]
    assert ledger["sent"] == ledger["acknowledged"] == ledger["stored"] == 900
    assert (ledger["lost"], ledger["doubled"], ledger["quarantined"]) == (0, 0, 0)


def test_the_report_holds_rates_latencies_roles_and_the_machine(report: tuple[Path, dict[str, Any]]) -> None:
    folder, found = report
    assert 0 < found["summary"]["committed"] <= found["summary"]["sent"]
    assert found["summary"]["puback"]["count"] == 900
    assert 0 < found["summary"]["stored"]["p50_ms"] <= found["summary"]["stored"]["max_ms"]
    assert found["roles"].keys() >= {"broker", "database", "ingest", "load tester"}
    assert found["roles"]["ingest"]["peak_memory"] > 1
    assert found["machine"]["postgres"][0].isdigit()
    assert json.loads((folder / "report.json").read_bytes()) == found
    assert "Nothing lost, nothing doubled" in (folder / "report.html").read_text(encoding="utf-8")


def test_reports_are_compared(report: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = report
    answer = machinami("load", "compare", str(folder), str(folder / "report.json"))
    assert answer.returncode == 0, answer.stderr
    assert "can be compared" in answer.stdout
    assert "publish → queryable, p99" in answer.stdout


def test_somebody_elses_broker_gives_rates_and_puback_only(city: RunningCity, tmp_path: Path) -> None:
    mqtt = city.addresses.mqtt
    url = f"mqtt://{mqtt['host']}:{mqtt['port']}"
    code, found = load(
        *("--broker", url, "--devices", "5", "--rate", "100", "--duration", "1", "--out", str(tmp_path / "r"))
    )
    assert code == 0
    assert (found["ledger"], found["summary"]["committed"]) == (None, None)
    assert found["summary"]["puback"]["count"] == 100


def test_nobody_there_is_said_at_once_and_leaves_no_report(tmp_path: Path) -> None:
    out = tmp_path / "report"
    answer = machinami("load", "--broker", "mqtt://127.0.0.1:9", "--out", str(out))
    assert answer.returncode == 4
    assert "takes no MQTT connection" in answer.stderr
    assert not out.exists()


def test_ctrl_c_ends_the_sending_and_the_report_is_written_all_the_same(
    city: RunningCity, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "machinami", "load", "--json", "--duration", "1h", "--rate", "200"]
    process = subprocess.Popen(
        [*command, "--data-dir", str(city.data_dir), "--out", str(tmp_path / "report")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    for line in process.stderr:
        if "acknowledged" in line or "sent " in line:
            break
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, errors
    found = json.loads(output)
    assert found["ended"] == "stopped by Ctrl-C"
    assert found["ledger"]["sent"] > 0
    assert (found["ledger"]["lost"], found["ledger"]["doubled"]) == (0, 0)
