"""The short form of `make soak`; the long one is kept in docs/soak.md."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from machinami_loadtests.meters import VALUES

PATIENCE = 300.0


@pytest.mark.system
def test_six_faults_under_load_lose_and_double_nothing(tmp_path: Path):
    options = ["--faults", "6", "--pause", "2", "--hold", "3", "--rate", "1000", "--out", str(tmp_path)]
    options += ["--workers", "2"]
    command = [sys.executable, "-m", "machinami", "bench", "soak", *options]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert answer.returncode == 0, answer.stderr + answer.stdout
    report = json.loads((tmp_path / "soak.json").read_bytes())
    sent = report["sender"]["sent"]
    assert report["sender"]["acknowledged"] == sent > 0
    assert report["verdict"] == {"stored": sent, "quarantined": 0, "lost": 0, "doubled": 0}
    assert report["rows"] == sent * VALUES
    assert len({event["fault"] for event in report["events"]}) == 6
    assert f"{sent:,} of {sent:,} looked for" in answer.stderr
    assert "| broker killed |" in (tmp_path / "soak.md").read_text(encoding="utf-8")


@pytest.mark.system
def test_a_broker_killed_under_full_load_has_what_it_acknowledged():
    command = [sys.executable, "-m", "machinami", "bench", "puback", "--kills", "4", "--json"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert answer.returncode == 0, answer.stderr + answer.stdout
    found = json.loads(answer.stdout)
    assert found["lost"] == 0
    assert found["acknowledged"] > 0
    assert found["in_flight"] > 0
