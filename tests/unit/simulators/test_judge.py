"""The judge, on an hour of a played city and a platform in memory that may be spoilt."""

import json
import math
import re
import shutil

import httpx
import msgspec
import pytest
from machinami_simulators import city, plan
from machinami_simulators.__main__ import app
from machinami_simulators.judge.judgement import judge
from machinami_simulators.judge.platform import Platform, PlatformUnreachable
from machinami_simulators.judge.sent import find_sent
from machinami_simulators.ledger import Ledger
from machinami_simulators.scale import find_scale
from machinami_simulators.scenario import find_scenario
from machinami_simulators.truth import Run, TruthLog
from machinami_simulators.truth_record import find_truth
from machinami_simulators.world import World
from typer.testing import CliRunner
from unit.simulators.fake_api import FakeApi

START = 1_789_164_000.0  # 2026-09-12T07:00:00+09:00
HOUR = 3600.0
NOTHING_HAPPENED = {"alert underpass 冠水危険"}  # too little of this rain is there to stop a car


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A data folder of a town: ten dry minutes, in which people ride, then an hour of heavy rain."""
    downpour = find_scenario("heavy-rain")
    storms = [msgspec.structs.replace(storm, after=storm.after + 600) for storm in downpour.storms]
    folder = tmp_path_factory.mktemp("played")
    run = Run(scenario="heavy-rain", seed=3, start=START, scale="town", utc_offset_hours=9)
    with TruthLog(folder / "truth", run) as truth, Ledger(folder / "ledger", "simulate") as ledger:
        world = World(
            city.build(plan.namiki()), msgspec.structs.replace(downpour, storms=storms), start=START, seed=3,
            scale=find_scale("town"), truth=truth,
        )  # fmt: skip
        while world.now < START + HOUR + 600:
            ledger.write(world.step())
    return folder


@pytest.fixture
def api(played):
    return FakeApi(next((played / "ledger").glob("*.sqlite")))


def judged(folder, api, start=None, end=None):
    with find_truth(folder) as record, api.client() as client:
        span = record.span(start, end)
        return judge(record, find_sent(record, folder), Platform(client), span, lambda names, _: names)


def figures(found):
    return {each.name: each for each in found.figures}


def test_a_platform_that_loses_nothing_makes_no_error(played, api):
    found = judged(played, api)
    for each in figures(found).values():
        assert (each.missing, each.invented) == (0, 0)
        if each.name in NOTHING_HAPPENED:
            assert not each.sent
            continue
        assert each.completeness == 100
        assert each.platform is not None
        assert each.platform.worst == pytest.approx(0, abs=1e-9)
        assert each.total.mae == pytest.approx(each.sensors.mae, abs=1e-9)
    assert found.notes == []
    assert found.latency is not None
    assert found.latency.count == figures(found)["gauge level"].sent
    assert found.latency.median > 0


def test_the_sensors_err_as_their_data_sheet_says(played, api):
    found = figures(judged(played, api))
    assert 0.002 < found["gauge level"].sensors.rmse < 0.006  # 4 mm
    assert 0 < found["alert 4 氾濫危険"].sensors.mae <= 60  # a reading a minute
    assert found["paddy depth"].sensors.worst < 6


def test_cameras_are_judged_by_who_came_through_the_door(played, api):
    found = figures(judged(played, api))
    arrivals = found["arrivals by place and hour"]
    assert arrivals.true == arrivals.sent == arrivals.answered == 8
    assert -0.2 < arrivals.sensors.bias / 200 < 0  # they miss some, and more in a throng
    assert found["who came past a camera"].sensors.percent < 25


def test_counts_that_a_platform_doubles_are_noticed(played, api):
    for name, history in api.history.items():
        if ":ItemFlowObserved:" in name:
            for instance in history["peopleCountTowards"]:
                instance["value"] *= 2
    found = figures(judged(played, api))["arrivals by place and hour"]
    assert found.platform.percent == pytest.approx(100)


def test_a_lost_reading_is_missing(played, api):
    history = next(iter(api.history[name] for name in api.history if ":FloodMonitoring:" in name))
    del history["currentLevel"][10:20]
    found = figures(judged(played, api))["gauge level"]
    assert found.missing == 10
    assert found.completeness == pytest.approx(100 * (1 - 10 / found.sent))
    assert found.platform.worst == 0


def test_a_connector_with_a_wrong_factor_is_noticed(played, api):
    for name, history in api.history.items():
        if ":FloodMonitoring:" in name:
            for instance in history["currentLevel"]:
                instance["value"] *= 100
    found = figures(judged(played, api))
    assert found["gauge level"].platform.percent == pytest.approx(9900)
    assert found["gauge level"].sensors.mae < 0.01
    assert found["alert 4 氾濫危険"].missing > 0


def test_a_wrong_threshold_is_noticed(played, api):
    for name, entity in api.entities.items():
        if ":FloodMonitoring:" in name:
            entity["dangerLevel"] = 1e6
    found = figures(judged(played, api))
    assert found["alert 4 氾濫危険"].completeness == 0
    assert found["alert 3 避難判断"].completeness == 100


def test_what_nobody_sent_is_invented(played, api):
    gauge = next(name for name in api.history if ":FloodMonitoring:" in name)
    api.history[gauge]["currentLevel"].append(
        {"value": 1.0, "observedAt": "2026-09-11T22:30:00Z", "modifiedAt": "2026-09-11T22:30:01Z"}
    )
    api.history[gauge]["currentLevel"][-1]["observedAt"] = "2026-09-11T22:29:59.5Z"
    assert figures(judged(played, api))["gauge level"].invented == 1


def test_lacking_master_data_is_said(played, api):
    for entity in api.entities.values():
        for name in set(entity) - {"id", "type"}:
            del entity[name]
    notes = " ".join(judged(played, api).notes)
    for what in ("thresholds of gauges", "places of receivers and cameras", "locations of ports"):
        assert f"knows no {what}" in notes


def test_without_the_ledger_what_was_sent_is_not_known(played, api, tmp_path):
    shutil.copytree(played / "truth", tmp_path / "truth")
    found = judged(tmp_path, api)
    assert figures(found)["bike trips"].sent is None
    assert figures(found)["bike trips"].platform is None
    assert figures(found)["gauge level"].completeness == 100
    assert "ledger of this run is not here" in found.notes[0]


def test_a_part_of_the_time_is_judged(played, api):
    found = judged(played, api, "2026-09-12T07:10", "2026-09-12T07:20")
    assert 0 < figures(found)["gauge level"].sent <= 10 * 65
    assert figures(found)["people by place and hour"].true == 0
    assert "No whole hour" in found.notes[0]


def test_a_platform_that_does_not_answer_is_named(played):
    def refuse(_request):
        raise httpx.ConnectError("refused")

    client = httpx.Client(base_url="http://platform", transport=httpx.MockTransport(refuse))
    with pytest.raises(PlatformUnreachable, match=r"no API answers at http://platform \(refused\)"):
        Platform(client).entities("Vehicle")


def test_an_error_of_the_platform_is_shown(played):
    transport = httpx.MockTransport(lambda _: httpx.Response(503, text="tired"))
    client = httpx.Client(base_url="http://platform", transport=transport)
    with pytest.raises(PlatformUnreachable, match="answers 503: tired"):
        Platform(client).entities("Vehicle")


@pytest.fixture
def run(monkeypatch, api):
    monkeypatch.delenv("MACHINAMI_DATA_DIR", raising=False)
    client = api.client()
    monkeypatch.setattr(httpx, "Client", lambda **_: client)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_the_table_has_a_row_for_each_figure(run, played):
    result = run("judge", "--data-dir", played, "--url", "http://platform")
    assert result.exit_code == 0, result.output
    assert re.search(r"gauge level .* 100 % .*\+0 ± 0", result.output)
    assert "From publish to stored row: median" in result.output


def test_json_has_all_of_it(run, played):
    result = run("judge", "--json", "--data-dir", played, "--url", "http://platform")
    found = json.loads(result.stdout)
    assert {each["name"] for each in found["figures"]} > {"gauge level", "bike trips"}
    assert all(math.isfinite(each["total"]["rmse"]) for each in found["figures"] if each["sent"])
    assert found["by_fault"] == []


def test_no_record_is_a_clear_error(run, tmp_path):
    result = run("judge", "--data-dir", tmp_path, "--url", "http://platform")
    assert result.exit_code == 4
    assert "there is no record of a simulator" in result.output
