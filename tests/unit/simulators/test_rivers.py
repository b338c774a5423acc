"""A hydrologist finds nothing silly."""

from collections import defaultdict

import numpy as np
import pytest
from machinami_simulators.physics import rivers
from machinami_simulators.truth import Crossing, Level, Shelter, Underpass
from unit.simulators.test_world import START, make, play
from unit.simulators.truths import Remembered


def flood(namiki, scenario, hours):
    truth = Remembered()
    world = make(namiki, scenario, truth=truth)
    world.skip_to(START + hours * 3600)
    return world, truth


@pytest.fixture(scope="module")
def typhoon(namiki):
    return flood(namiki, "typhoon", 26)


def test_heavy_rain_passes_the_danger_level_of_one_river_within_twenty_minutes(namiki):
    world, truth = flood(namiki, "heavy-rain", 1 / 3)
    over = {crossing.gauge for crossing in truth.of(Crossing) if crossing.threshold == 4}
    assert sum("sagisawa" in gauge for gauge in over) >= 5
    assert not any("enoki" in gauge for gauge in over)
    assert world.rivers.worst().max() >= 4


def test_a_flood_travels_downstream(namiki):
    _, truth = flood(namiki, "heavy-rain", 1)
    passed = {c.gauge: c.time for c in truth.of(Crossing) if c.threshold == 2 and "sagisawa" in c.gauge}
    times = [passed[f"gauge-sagisawa-{n:02d}"] for n in range(1, 17)]
    assert times == sorted(times)
    assert times[-1] - times[0] > 300


def test_an_ordinary_day_passes_no_threshold_but_the_lowest(namiki):
    world, truth = flood(namiki, "ordinary-day", 24)
    assert not [crossing for crossing in truth.of(Crossing) if crossing.threshold > 1]
    assert (world.rivers.levels(world.now) > 0).all()


def test_water_is_neither_made_nor_lost_on_its_way(namiki):
    """After a day of steady rain each gauge lets pass what falls on the land above it."""
    world = make(namiki)
    world.weather.rain = lambda _now: np.full(3, 5.0)
    world.rivers.advance(START + 86_400)
    rain = world.rivers.area * (5.0 + 0.45) * 1000 / 3600  # m³/s; the ground is wet, all of it runs off
    assert world.rivers.flow() == pytest.approx(rain, rel=0.01)


def test_dry_ground_keeps_a_part_of_the_rain(namiki):
    world = make(namiki)
    world.weather.rain = lambda _now: np.full(3, 5.0)
    world.rivers.advance(START + 6 * 3600)
    assert world.rivers.runoff() == pytest.approx(0.45 + 0.7 * 5.0, rel=0.05)


def test_level_rises_with_flow_where_no_tide_comes(typhoon):
    by_gauge = defaultdict(list)
    for row in typhoon[1].of(Level):
        by_gauge[row.gauge].append((row.flow, row.level))
    inland = [pairs for gauge, pairs in by_gauge.items() if not gauge.startswith("gauge-nami-2")]
    assert len(inland) == 53
    for pairs in inland:
        levels = [level for _, level in sorted(pairs)]
        assert np.diff(levels).min() > -1e-9


def test_the_higher_the_flood_the_faster_it_travels(namiki):
    """Kinematic waves: the front of the typhoon's flood overtakes the wave of light rain."""

    def travel(rain):
        world = make(namiki)
        world.weather.rain = lambda now: np.full(3, rain if now < START + 3 * 3600 else 0.0)
        middle = {}
        for minute in range(900):
            world.rivers.advance(START + 60 * minute)
            for gauge in (18, 40):  # one river's
                middle.setdefault(gauge, []).append(world.rivers.flow()[gauge])
        return np.argmax(middle[40]) - np.argmax(middle[18])

    assert travel(40.0) <= travel(3.0)


def test_a_typhoon_passes_all_levels_in_order_up_and_down(typhoon):
    truth = typhoon[1]
    times = defaultdict(dict)
    for crossing in truth.of(Crossing):
        times[crossing.gauge].setdefault((crossing.threshold, crossing.rising), crossing.time)
    inland = [seen for gauge, seen in times.items() if not gauge.startswith("gauge-nami-2")]
    for seen in inland:
        up = [seen[level, True] for level in (1, 2, 3, 4) if (level, True) in seen]
        down = [seen[level, False] for level in (4, 3, 2, 1) if (level, False) in seen]
        assert len(up) == len(down) >= 2
        assert up == sorted(up)
        assert down == sorted(down)
        assert up[-1] < down[0]
    whole = {
        gauge.split("-")[1] for gauge, seen in times.items() if {(n, True) for n in (1, 2, 3, 4)} <= set(seen)
    }
    assert whole == {"nami", "sagisawa", "enoki"}


def test_a_typhoon_overtops_the_old_bridges_alone(namiki, typhoon):
    """All gauges pass caution, more than half danger, and water leaves the bed where bridges narrow it."""
    passed = defaultdict(set)
    for crossing in typhoon[1].of(Crossing):
        passed[crossing.threshold].add(crossing.gauge)
    assert len(passed[2]) == len(namiki.gauges)
    assert len(namiki.gauges) / 2 < len(passed[4]) < 0.8 * len(namiki.gauges)
    assert passed[5] == {"gauge-sagisawa-05", "gauge-enoki-15", "gauge-nami-07", "gauge-nami-16"}


def test_a_typhoon_floods_underpasses_and_fills_shelters(namiki, typhoon):
    truth = typhoon[1]
    assert len({row.underpass for row in truth.of(Underpass) if row.depth > 0.1}) >= 2
    assert sum(shelter.holds for shelter in namiki.plan.shelter) * 0.6 < sum(
        max(row.people for row in truth.of(Shelter) if row.shelter == shelter.id)
        for shelter in namiki.plan.shelter
    )


def test_a_river_over_its_bank_runs_into_the_underpass_beside_it(typhoon):
    world, truth = typhoon
    deepest: dict[str, float] = defaultdict(float)
    for row in truth.of(Underpass):
        deepest[row.underpass] = max(deepest[row.underpass], row.depth)
    assert deepest["underpass-higashi"] > 0.5  # 200 m from the Enoki; its pumps alone lift the rain
    assert deepest["underpass-higashi"] > deepest["underpass-joka"] + 0.3  # 1.7 km from any river
    assert (world.rivers.over_bank(np.arange(len(world.rivers.names))) == 0).all()  # the day after


def test_an_underpass_gauge_reports_the_water_on_the_road(namiki):
    world = make(namiki, "typhoon")
    world.skip_to(START + 15 * 3600)
    depths = dict(zip(world.underpasses.names, world.underpasses.depth.tolist(), strict=True))
    said = {
        message.topic.split("/")[2]: float(message.payload.split(b"|")[2])
        for message in play(world, 60)
        if "underpass" in message.topic
    }
    assert max(depths.values()) > 0.3
    assert said == pytest.approx(depths, abs=0.03)


def test_the_sea_rises_and_falls_twice_a_day_and_reaches_only_the_mouth(namiki):
    sea = np.array([rivers.tide(START + 600 * k) for k in range(6 * 24 * 28)])
    highs = ((sea[1:-1] > sea[:-2]) & (sea[1:-1] > sea[2:])).sum()
    assert 50 <= highs <= 56  # 28 days of 24 h 50 min, two of each
    assert 0.8 < sea.max() - sea.min() < 1.5
    world = make(namiki)
    world.rivers.advance(START + 6 * 3600)
    assert (world.rivers._tidal > 0).sum() == 4


def test_a_gauge_reports_what_is_so_to_a_centimetre(namiki):
    world = make(namiki)
    for message in play(world, 60):
        if message.topic == "ul/namiki-river/gauge-enoki-05/attrs":
            level = float(message.payload.split(b"|")[2])
            names = world.rivers.names
            assert level == pytest.approx(
                world.rivers.levels(world.now)[names.index("gauge-enoki-05")], abs=0.02
            )
