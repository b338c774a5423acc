import json

import numpy as np
import pytest
from machinami_simulators.__main__ import app
from machinami_simulators.truth import TABLES, Crossing, Dwell, Fault, Flow, Level, Run, TruthLog
from machinami_simulators.truth_cli import QUESTIONS
from typer.testing import CliRunner

START = 1_789_164_000.0  # 2026-09-12T07:00:00+09:00


@pytest.fixture
def ask(tmp_path, monkeypatch):
    monkeypatch.delenv("MACHINAMI_DATA_DIR", raising=False)

    def invoke(*words):
        return CliRunner().invoke(app, ["truth", *words, "--data-dir", str(tmp_path)])

    return invoke


@pytest.fixture
def played(tmp_path):
    run = Run(scenario="typhoon", seed=7, start=START, scale="town", utc_offset_hours=9)
    with TruthLog(tmp_path / "truth", run) as log:
        minutes = START + 60.0 * np.arange(10)
        for gauge, height in (("gauge-a", 1.0), ("gauge-b", 2.0)):
            log.add(Level, gauge=gauge, time=minutes, level=height + np.arange(10) / 10, flow=5.0)
        log.add(Crossing, gauge="gauge-b", time=START + 180, threshold=2, rising=True)
        log.add(Dwell, place="castle", start=START, seconds=[600.0, 1200.0], visitor=[True, False])
        log.add(Flow, origin="castle", destination="market", hour=START, people=[3, 4])
        log.add(Fault, device="gauge-b", start=START, kind="stuck", end=START + 60, parameters="{}")
    return tmp_path


def rows(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_without_a_question_it_says_what_was_played(ask, played):
    (run,) = rows(ask("--json"))
    assert (run["scenario"], run["seed"], run["start"]) == ("typhoon", 7, "2026-09-12T07:00:00+09:00")
    assert run["end"] == "2026-09-12T07:09:00+09:00"


def test_levels_are_summed_up_in_the_time_asked_for(ask, played):
    (found,) = rows(
        ask("levels", "--of", "gauge-a", "--from", "2026-09-12T07:02", "--to", "2026-09-12T07:05", "--json")
    )
    assert found == {
        "gauge": "gauge-a", "minutes": 3, "lowest": 1.2, "highest": 1.4,
        "highest_at": "2026-09-12T07:04:00+09:00", "latest": 1.4, "most_flow": 5.0,
    }  # fmt: skip


def test_every_row_can_be_had(ask, played):
    assert len(rows(ask("levels", "--each", "--json"))) == 20


def test_thresholds_stays_flows_and_faults(ask, played):
    (crossing,) = rows(ask("thresholds", "--json"))
    assert (crossing["gauge"], crossing["time"]) == ("gauge-b", "2026-09-12T07:03:00+09:00")
    (dwell,) = rows(ask("dwell", "--json"))
    assert (dwell["stays"], dwell["by_visitors"], dwell["mean"]) == (2, 1, 15.0)
    (flow,) = rows(ask("flows", "--json"))
    assert flow["people"] == 7
    (fault,) = rows(ask("faults", "--json"))
    assert (fault["device"], fault["kind"]) == ("gauge-b", "stuck")


@pytest.mark.parametrize("what", QUESTIONS)
def test_every_question_has_a_table(ask, played, what):
    assert ask(what).exit_code == 0
    assert ask(what, "--each").exit_code == 0
    assert QUESTIONS[what].table in {table.__name__.lower() for table in TABLES}


def test_the_table_is_readable(ask, played):
    assert "gauge-b" in ask("thresholds").output
    assert "Nothing of it in this time." in ask("shelters").output


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["rain"], 2, "'rain' is no question"),
        (["levels", "--from", "noon"], 2, "--from: 'noon' is no time"),
        (["levels", "--to", "2020-01-01"], 2, "nothing lies between"),
    ],
)
def test_mistakes_are_named(ask, played, words, code, said):
    result = ask(*words)
    assert result.exit_code == code
    assert said in result.output


def test_no_record_and_no_such_record(ask, tmp_path):
    assert "there is no record of a simulator" in ask("levels").output
    wrong = tmp_path / "wrong.sqlite"
    wrong.write_text("no database, but long enough to be taken for one" * 50)
    result = ask("levels", "--file", str(wrong))
    assert result.exit_code == 4
    assert "is no record of a simulator" in result.output
