import json
from pathlib import Path

import pytest
from machinami.cli.connectors import app
from machinami.connect.discovery import discover
from machinami.errors import InvalidRequest, MachinamiError, NotFound
from typer.testing import CliRunner, Result
from unit.connect.helpers import HEAD, TEMPERATURE, write_connector


@pytest.fixture(autouse=True)
def _data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction] # pytest uses it
    monkeypatch.setenv("MACHINAMI_DATA_DIR", str(tmp_path / "data"))


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def test_list_names_every_connector_its_topics_and_masters() -> None:
    rows = {row["name"]: row for row in json.loads(run("list", "--json").stdout)}
    assert set(rows) == set(discover())
    assert rows["river-gauge"]["topics"] == ["ul/namiki-river/{device}/attrs"]
    assert rows["river-gauge"]["masters"] == ["river-gauge/gauges"]
    assert "河川水位計" in run("list").stdout


def test_list_reads_the_folders_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_connector(tmp_path, HEAD + TEMPERATURE).folder
    monkeypatch.setenv("MACHINAMI_CONNECTOR_FOLDERS", json.dumps([str(folder)]))
    assert "weather" in {row["name"] for row in json.loads(run("list", "--json").stdout)}


def test_check_runs_the_samples() -> None:
    result = run("check", "river-gauge")
    assert result.exit_code == 0
    assert "✓ reading" in result.stdout
    assert "river-gauge: manifest sound, 3 samples, 0 differ" in result.stdout


def test_check_fails_when_a_sample_differs(tmp_path: Path) -> None:
    samples = write_connector(tmp_path, HEAD + TEMPERATURE).folder / "samples"
    samples.mkdir()
    (samples / "one.json").write_text("{}", "utf-8")
    (samples / "one.toml").write_text(
        'payload = "one.json"\ntopic = "weather/w1"\nreceived_at = 2026-11-21T01:02:10Z\n', "utf-8"
    )
    result = run("check", str(samples.parent))
    assert result.exit_code == InvalidRequest.exit_code
    assert "✗ one" in result.stdout
    assert "rejection given, not expected" in result.stdout


def test_check_of_a_payload_shows_each_rule(tmp_path: Path) -> None:
    payload = tmp_path / "reading.txt"
    payload.write_bytes(b"2026-11-21T01:02:03Z|l|2.345|b|12.41")
    result = run("check", "river-gauge", str(payload), "--topic", "ul/namiki-river/g1/attrs")
    assert result.exit_code == 0
    assert "2.345 MTR" in result.stdout


def test_check_of_a_bad_payload_fails_and_says_why(tmp_path: Path) -> None:
    payload = tmp_path / "reading.txt"
    payload.write_bytes(b"2026-11-21T01:02:03Z|l|[x]|b|12.41")
    result = run("check", "river-gauge", str(payload), "--topic", "ul/namiki-river/g1/attrs")
    assert result.exit_code == InvalidRequest.exit_code
    assert "not a number" in result.stdout
    assert "[x]" in result.stdout


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["check", "nothing"], NotFound),
        (["check", "river-gauge", "no-such-file", "--topic", "t"], InvalidRequest),
        (["check", "river-gauge", __file__], InvalidRequest),
    ],
)
def test_what_cannot_be_done_is_an_error_with_a_cure(words: list[str], error: type[MachinamiError]) -> None:
    result = run(*words)
    assert isinstance(result.exception, error)
    assert result.exception.cure
