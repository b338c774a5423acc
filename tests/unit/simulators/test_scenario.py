import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami_simulators.__main__ import app
from machinami_simulators.errors import InvalidOption
from machinami_simulators.scenario import find_scenario, outing, read_scenario, scenario_files, scenarios
from typer.testing import CliRunner

HEAD = 'title = { ja = "雨", en = "Rain" }\ndescription = "rain"\n'


def test_those_that_are_asked_for_are_there():
    assert set(scenarios()) >= {
        "ordinary-day", "ordinary-week", "typhoon", "festival", "heatwave", "irrigation-season",
        "sensor-decay", "gateway-outage", "heavy-rain",
    }  # fmt: skip
    assert next(iter(scenarios())) == "ordinary-day"


@given(number=st.integers(0, 9999), unit=st.sampled_from([("s", 1), ("min", 60), ("h", 3600), ("d", 86_400)]))
def test_time_spans_are_read_with_their_unit(number, unit):
    text = f'{HEAD}[[storm]]\nriver = "nami"\npeak = 1\nafter = "{number} {unit[0]}"\n'
    assert read_scenario(text, "x").storms[0].after == number * unit[1]


@given(st.text())
def test_any_text_that_is_no_scenario_is_an_error_that_names_it(text):
    with pytest.raises(InvalidOption, match="scenario mine: "):
        read_scenario(text, "mine")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('[[storm]]\nriver = "nami"\npeak = 1\nafter = 20', "no time span"),
        ('[[storm]]\nriver = "nami"\npeak = 1\nafter = "20 m"', "'20 m' is no time span"),
        ("[[storm]]\npeak = 1", "river"),
        ('[[fault]]\nkind = "tired"', "tired"),
        ("rain = 3", "rain"),
        ("= 3", "line 3"),
    ],
)
def test_what_is_wrong_is_named(line, said):
    with pytest.raises(InvalidOption, match=said):
        read_scenario(f"{HEAD}{line}\n", "mine")


def test_outings_of_the_same_time_add_up():
    typhoon = find_scenario("typhoon")
    assert outing(typhoon, 0).visitors == 1.0
    assert outing(typhoon, 10 * 3600).visitors == 0.04
    assert outing(typhoon, math.inf).riders == 1.0


@pytest.mark.parametrize(("start", "days"), [(0.0, 254), (250 * 86_400.0, 4)])
def test_a_season_shifts_the_calendar_not_the_clock(start, days):
    assert find_scenario("typhoon").season_shift(start, 9 * 3600) == days * 86_400
    assert find_scenario("ordinary-day").season_shift(start, 9 * 3600) == 0


def run(*words):
    return CliRunner().invoke(app, ["scenario", *map(str, words)])


def test_list_and_show():
    listed = run("list")
    assert listed.exit_code == 0
    assert all(name in listed.output and s.title.ja in listed.output for name, s in scenarios().items())
    assert run("show", "typhoon").output == scenario_files()["typhoon"]
    assert run("show", "tsunami").exit_code == 2


def test_new_writes_one_that_can_be_shown_and_played(tmp_path):
    path = tmp_path / "flood.toml"
    assert run("new", path).exit_code == 0
    assert find_scenario(str(path)).storms[0].river == "enoki"
    assert run("show", path).output == path.read_text(encoding="utf-8")
    words = ["simulate", "--print", "--minutes", "0.5", "--scenario", str(path), "--from", "2026-09-01"]
    played = CliRunner().invoke(app, words)
    assert played.exit_code == 0, played.output
    again = run("new", path)
    assert again.exit_code == 2
    assert "cannot be written" in again.output
    assert run("new", tmp_path / "flood").exit_code == 2


def test_a_file_that_is_gone_is_named(tmp_path):
    with pytest.raises(InvalidOption, match="cannot be read"):
        find_scenario(str(tmp_path / "gone.toml"))
