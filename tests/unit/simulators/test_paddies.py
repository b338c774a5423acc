"""A farmer finds nothing silly."""

from collections import Counter
from datetime import datetime

import numpy as np
import pytest
from machinami_simulators.physics.crops import STAGES, reference_evapotranspiration, stages_at
from machinami_simulators.physics.weather import Sky
from machinami_simulators.truth import Paddy, Visit
from unit.simulators.test_world import START, make
from unit.simulators.truths import Remembered

DAY = 86_400.0


def test_the_water_balance_closes(namiki):
    world = make(namiki, "irrigation-season")
    before = world.paddies.depth.copy()
    world.paddies.advance(START + 20 * DAY)
    assert world.paddies.depth - before == pytest.approx(sum(world.paddies.passed.values()), abs=1e-6)
    assert (world.paddies.passed["irrigation"] > 0).any()
    assert (world.paddies.passed["overflow"] <= 0).all()


def test_losses_are_those_of_a_paddy(namiki):
    world = make(namiki, "heatwave")
    world.paddies.advance(START + 3 * DAY)
    lost = world.paddies.passed["evapotranspiration"] + world.paddies.passed["percolation"]
    assert 9 < -np.median(lost) / 3 < 25  # mm a day


def test_paddies_stay_wet_in_winter_and_within_their_weir(namiki):
    world = make(namiki)
    world.paddies.advance(START + 3 * DAY)
    assert (world.paddies.depth > 0).all()
    assert (world.paddies.depth <= 110).all()


def test_mid_season_drainage_dries_them(namiki):
    truth = Remembered()
    world = make(namiki, "irrigation-season", truth=truth)
    world.paddies.advance(START + 24 * DAY)
    by_stage = {}
    for row in truth.of(Paddy):
        by_stage.setdefault(row.stage, []).append(row.depth)
    assert {"tillering", "drainage", "intermittent"} <= set(by_stage)
    assert np.median(by_stage["drainage"]) < 5 < np.median(by_stage["tillering"]) < 45


def test_a_year_of_rice_in_its_order():
    days = [stages_at(day, np.array([130.0]))[0] for day in range(131, 131 + 365)]
    names = [STAGES[stage].name for stage in days]
    assert list(dict.fromkeys(names)) == [stage.name for stage in STAGES]


def test_a_farmer_with_sensors_goes_less_often_as_in_niigata(namiki):
    truth = Remembered()
    world = make(namiki, "irrigation-season", truth=truth)
    world.paddies.advance(START + 14 * DAY)
    without, with_ = (
        Counter(visit.farmer for visit in truth.of(Visit) if visit.sensor is sensor)
        for sensor in (False, True)
    )
    assert sum(without.values()) == 14 * 300
    fewer = {farmer: 1 - with_[farmer] / visits for farmer, visits in without.items()}
    assert 0.25 < np.mean(list(fewer.values())) < 0.45
    assert max(fewer.values()) < 0.85


def test_water_is_warmer_by_day_and_slower_than_air(namiki):
    truth = Remembered()
    world = make(namiki, "heatwave", truth=truth)
    world.paddies.advance(START + DAY)
    warm = {row.time: row.temperature for row in truth.of(Paddy) if row.paddy == "paddy-001"}
    at = {h: datetime.fromisoformat(f"2026-11-{d}:00:00+09:00").timestamp() for h, d in
          (("noon", "20T14"), ("dawn", "21T05"))}  # fmt: skip
    assert warm[at["noon"]] > warm[at["dawn"]] + 2


@pytest.mark.parametrize(
    ("sky", "low", "high"),
    [
        ({"temperature": 28, "humidity": 60, "solar": 800, "wind": 2}, 0.5, 0.9),
        ({"temperature": 20, "humidity": 95, "solar": 0, "wind": 1}, 0.0, 0.03),
    ],
)
def test_evapotranspiration_is_of_the_right_size(sky, low, high):
    assert low <= reference_evapotranspiration(Sky(**sky, wbgt=0, surge=0)) <= high


def test_a_fao_example_comes_out():
    """FAO 56, example 19: N'Diaye, 14:00; 38 °C, 52 %, 3.3 m/s, Rn 1.749 MJ/m²/h give 0.63 mm/h."""
    solar = (1.749 / 0.0036 + 40) / 0.77
    sky = Sky(temperature=38, humidity=52, solar=solar, wind=3.3, wbgt=0, surge=0)
    assert reference_evapotranspiration(sky) == pytest.approx(0.63, abs=0.02)
