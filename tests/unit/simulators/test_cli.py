import csv
import json
import re
import signal
from datetime import UTC, datetime

import pytest
from machinami_simulators.__main__ import app
from shapely import from_wkt
from typer.testing import CliRunner
from unit.simulators.helpers import ledger_rows, running, wait_for

RIVER = "日時,河川水位,id\n2023-07-13T07:20,2.72,1\n2023-07-13T07:20,*,2\n"


@pytest.fixture
def run(monkeypatch):
    monkeypatch.delenv("MACHINAMI_DATA_DIR", raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def invoke(*words):
        return CliRunner().invoke(app, [str(word) for word in words])

    return invoke


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "river.csv"
    path.write_text(RIVER)
    return path


def city_file(tmp_path, broker):
    (tmp_path / "city.json").write_text(
        json.dumps({"mqtt": {"host": "127.0.0.1", "port": broker.port}, "api": "x"})
    )


def test_masters_are_those_of_the_contract(run, tmp_path):
    result = run("simulate", "--masters", tmp_path)
    assert result.exit_code == 0, result.output
    files = {}
    for path in tmp_path.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            files[path.stem] = list(csv.DictReader(file))
    assert {name: len(rows) for name, rows in files.items() if name != "basemap"} == {
        "gauges": 65, "receivers": 120, "cameras": 8, "paddies": 300, "ports": 20, "bikes": 200
    }  # fmt: skip
    assert set(files["gauges"][0]) == {
        "id", "name_ja", "name_en", "river", "lat", "lon", "standby_level_m", "caution_level_m",
        "evacuation_judgement_level_m", "danger_level_m",
    }  # fmt: skip
    assert {row["kind"] for row in files["basemap"]} == {
        "district",
        "river",
        "road",
        "paddy_block",
        "place",
        "coast",
    }
    places = {row["id"] for row in files["basemap"] if row["kind"] == "place"}
    assert {row["place_id"] for row in files["receivers"]} == places
    for name in ("basemap", "paddies"):
        for row in files[name]:
            west, south, east, north = from_wkt(row["wkt"]).bounds
            assert 151.4 < west <= east < 151.6
            assert 30.4 < south <= north < 30.6
    assert any(row["evacuation_judgement_level_m"] == "" for row in files["gauges"])
    assert all(2000 < float(row["area_m2"]) < 9000 for row in files["paddies"])


@pytest.mark.parametrize("scenario", ["ordinary-day", "typhoon"])
def test_printing_shows_the_same_bytes_again(run, scenario):
    play = ("simulate", "--scenario", scenario, "--speed", "600", "--print", "--minutes", "0.2")
    words = (*play, "--seed", "7", "--from", "2026-09-01")
    first, again = run(*words), run(*words)
    assert first.exit_code == 0, first.output
    assert first.output == again.output
    assert "ul/namiki-river/gauge-nami-01/attrs 2026-08-31T15:00:" in first.output


def test_compressed_time_begins_a_day_ago(run):
    result = run("simulate", "--print", "--minutes", "1", "--speed", "60")
    moment = datetime.fromisoformat(re.search(r"attrs ([^|]+)", result.output)[1])
    assert 23.9 < (datetime.now(UTC) - moment).total_seconds() / 3600 < 24.1


def test_replay_finds_the_city_and_counts(run, broker, tmp_path, recording):
    city_file(tmp_path, broker)
    result = run("replay", "fukui-river", recording, "--speed", "max", "--data-dir", tmp_path)
    assert result.exit_code == 0, result.output
    assert "sent 2, acknowledged 2" in result.output
    # Two gauges may go by two connections, so which is first is not settled.
    assert sorted((kind, topic) for kind, topic, *_ in ledger_rows(tmp_path)) == [
        ("fukui-river", "replay/fukui-river/1"),
        ("fukui-river", "replay/fukui-river/2"),
    ]


def test_simulate_plays_for_so_many_minutes(run, broker, tmp_path):
    city_file(tmp_path, broker)
    result = run("simulate", "--minutes", "5", "--speed", "600", "--data-dir", tmp_path)
    assert result.exit_code == 0, result.output
    rows = ledger_rows(tmp_path)
    assert f"sent {len(rows)}, acknowledged {len(rows)}" in result.output
    assert {kind for kind, *_ in rows} == {
        "paddy",
        "river-gauge",
        "people-flow",
        "people-camera",
        "rental-bike",
    }
    assert all(acknowledged for *_, acknowledged in rows)


@pytest.mark.parametrize("command", ["simulate", "replay"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_with_everything_acknowledged(broker, tmp_path, command, number):
    recording = tmp_path / "slow.csv"
    recording.write_text("日時,河川水位,id\n" + "".join(f"2023-07-13T07:{n:02d},1,{n}\n" for n in range(60)))
    words = {"simulate": [], "replay": ["fukui-river", recording, "--speed", "60"]}[command]
    where = ["--data-dir", tmp_path, "--mqtt-port", broker.port]
    with running(command, *words, *where) as process:
        wait_for(lambda: ledger_rows(tmp_path), "the first messages")
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
    rows = ledger_rows(tmp_path)
    assert process.returncode == 0
    assert f"sent {len(rows)}, acknowledged {len(rows)}" in output
    assert all(acknowledged for *_, acknowledged in rows)


def test_a_second_simulator_on_the_same_city_is_refused(run, broker, tmp_path):
    where = ["--data-dir", tmp_path, "--mqtt-port", broker.port]
    with running("simulate", *where):
        wait_for(lambda: ledger_rows(tmp_path), "the first simulator")
        second = run("simulate", *where)
    assert second.exit_code == 5
    assert "another machinami simulate runs on" in second.output


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["simulate", "--scenario", "tsunami"], 2, "no scenario is named 'tsunami'. Choose one of"),
        (["simulate", "--from", "yesterday"], 2, "--from: 'yesterday' is no time"),
        (["simulate", "--print"], 2, "Add --minutes"),
        (["simulate"], 4, "no city runs on"),
        (["simulate", "--mqtt-port", "1"], 4, "no MQTT broker answers at 127.0.0.1:1"),
        (["replay", "tokyo", "FILE"], 2, "no recording is named 'tokyo'"),
        (["replay", "fukui-river", "gone.csv"], 2, "gone.csv cannot be read"),
        (["replay", "fukui-wifi", "FILE"], 2, "no column time, facility_no, device, packets; found: 日時"),
        (["replay", "fukui-river", "FILE", "--speed", "fast"], 2, "--speed: 'fast' is no speed"),
        (["replay", "fukui-river", "FILE"], 4, "no city runs on"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_cure(run, tmp_path, recording, words, code, said):
    words = [recording if word == "FILE" else word for word in words]
    result = run(*words, "--data-dir", tmp_path)
    assert result.exit_code == code, result.output
    assert said in result.output
    assert "Traceback" not in result.output


def test_a_broken_city_file_is_named(run, tmp_path):
    (tmp_path / "city.json").write_text('{"mqtt": {"host": 3}}')
    result = run("simulate", "--data-dir", tmp_path)
    assert result.exit_code == 2
    assert "city.json cannot be read" in result.output


@pytest.mark.parametrize("command", ["simulate", "replay"])
def test_help_teaches(run, command):
    output = run(command, "--help").output
    for word in ("--data-dir", "--mqtt-host", "--mqtt-port", "--speed", f"machinami {command}"):
        assert word in output
