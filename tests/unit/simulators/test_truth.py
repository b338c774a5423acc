import sqlite3

import numpy as np
import pytest
from machinami_simulators import truth
from machinami_simulators.truth import Fault, Level, Run, Truth, TruthLog, Weather

RUN = Run(scenario="typhoon", seed=7, start=1000.0, scale="town", utc_offset_hours=9)


@pytest.fixture
def log(tmp_path):
    with TruthLog(tmp_path / "truth", RUN, keep=100.0) as made:
        yield made


def rows(log, table):
    log.flush()
    database = sqlite3.connect(log.path)
    found = database.execute(f"SELECT * FROM {table}").fetchall()
    database.close()
    return found


def test_says_what_was_played(log):
    assert rows(log, "run") == [("typhoon", 7, 1000.0, "town", 9.0)]


def test_takes_columns_of_arrays_lists_and_single_values(log):
    log.add(Level, gauge=["a", "b"], time=1060.0, level=np.array([1.5, 2.5]), flow=np.array([3, 4]))
    assert rows(log, "level") == [("a", 1060.0, 1.5, 3.0), ("b", 1060.0, 2.5, 4.0)]


def test_takes_a_single_row_and_none_at_all(log):
    log.add(Fault, device="gauge-1", start=1.0, kind="stuck", end=2.0, parameters="{}")
    log.add(Level, gauge=[], time=1.0, level=np.zeros(0), flow=np.zeros(0))
    assert rows(log, "fault") == [("gauge-1", 1.0, "stuck", 2.0, "{}")]
    assert rows(log, "level") == []


def test_a_column_too_few_is_an_error(log):
    with pytest.raises(KeyError, match="flow"):
        log.add(Level, gauge="a", time=1.0, level=2.0)


def test_what_is_old_is_dropped_but_not_what_explains_it(log, monkeypatch):
    monkeypatch.setattr(truth, "_COMMIT_EVERY", 0.0)
    log.add(Level, gauge="a", time=[1000.0, 2000.0], level=1.0, flow=1.0)
    log.add(Fault, device="a", start=1000.0, kind="stuck", end=1001.0, parameters="{}")
    log.at(2010.0)
    assert [row[1] for row in rows(log, "level")] == [2000.0]
    assert len(rows(log, "fault")) == 1
    assert rows(log, "clock")[0][0] == 2010.0


def test_it_can_be_read_while_it_grows(log, tmp_path):
    log.add(Level, gauge="a", time=1.0, level=1.0, flow=1.0)
    assert truth.newest(tmp_path) == log.path
    assert len(rows(log, "level")) == 1
    log.add(Level, gauge="a", time=2.0, level=1.0, flow=1.0)
    assert len(rows(log, "level")) == 2


def test_a_run_without_truth_forgets_it():
    Truth().add(Weather, time=1.0)
    Truth().at(2.0)


def test_there_is_no_file_yet(tmp_path):
    assert truth.newest(tmp_path) is None
