import json

import pytest
from machinami_loadtests.cli import app
from typer.testing import CliRunner

_KEYS = {"messages_per_second", "limit_messages_per_second", "ratio", "p50_ms", "p99_ms", "lost", "doubled"}


@pytest.mark.system
def test_the_bench_measures_and_finds_every_message() -> None:
    command = ["ingest", "--json", "--messages", "2000", "--devices", "50", "--latency-seconds", "1"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report.keys() >= _KEYS
    assert (report["lost"], report["doubled"]) == (0, 0)
    assert 0 < report["p50_ms"] <= report["p99_ms"]
    assert report["ratio"] == pytest.approx(
        report["messages_per_second"] / report["limit_messages_per_second"]
    )
    assert set(report["cpu_microseconds"]) == {"broker", "database", "worker", "swarm"}
