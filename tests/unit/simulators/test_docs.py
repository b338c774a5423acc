"""docs/simulator.md says what the code does."""

import re
import shlex
from pathlib import Path

import pytest
from machinami_simulators.__main__ import app
from machinami_simulators.capture import CaptureFile, Head
from machinami_simulators.recordings import RECORDINGS
from machinami_simulators.scenario import scenario_files, scenarios
from typer.testing import CliRunner

PAGE = (Path(__file__).parents[3] / "docs/simulator.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^machinami (.+)$", PAGE, re.MULTILINE)


def test_every_scenario_and_recording_has_its_row():
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| ([^|]+) \|", PAGE, re.MULTILINE))
    assert set(scenarios()) <= set(rows)
    for name, recording in RECORDINGS.items():
        assert rows[name] == ", ".join(recording.columns)
        device = "/".join(f"{{{column}}}" for column in recording.device)
        assert f"`replay/{name}/{device}`" in PAGE


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_understood(command, tmp_path, monkeypatch):
    """All is read and checked up to the address of the broker, where there is none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MACHINAMI_DATA_DIR", str(tmp_path))
    Path("2023-07-13.csv").write_text("日時,河川水位,id\n")
    if not command.startswith("scenario "):
        Path("flood.toml").write_text(scenario_files()["festival"])
    with CaptureFile(Path("afternoon.jsonl"), Head(began="", topics=[], privacy=[])) as file:
        file.add(0, "a", 0, b"x")
    if command.startswith("record "):
        Path("afternoon.jsonl").unlink()
        command = command.replace("broker.example", "127.0.0.1").replace("--mqtt-port 8883", "--mqtt-port 1")
    Path("recordings/fukui-river-level/data").mkdir(parents=True)
    Path("recordings/fukui-river-level/data/2023-07-13.csv").write_text(
        "日時,河川水位,id\n2023-07-13T07:20,1,2\n"
    )
    Path("probe.csv").write_text("vehicle_id,timestamp,lat,lon\n")
    result = CliRunner().invoke(app, shlex.split(command))
    ends = command.startswith("scenario ") or "--print" in command or "--masters" in command
    assert result.exit_code == (0 if ends else 4), result.output


def test_there_are_commands():
    assert len(COMMANDS) >= 5
