import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami_simulators.judge import derive
from machinami_simulators.judge.derive import Fix, Ride, Visit
from machinami_simulators.judge.figures import deviation, figure, latency

PORTS = {"a": (151.5, 30.5), "b": (151.51, 30.5)}


def test_an_alert_is_raised_once_until_the_level_fell_well_below():
    levels = [(0, 1.9), (60, 2.0), (120, 1.995), (180, 2.01), (240, 1.9), (300, 2.2)]
    assert derive.rises(levels, 2.0) == [60, 300]


def test_a_level_that_is_high_from_the_start_did_not_rise():
    assert derive.rises([(0, 3.0), (60, 3.1)], 2.0) == []
    assert derive.rises([], 2.0) == []


def test_people_are_addresses_less_staff_times_the_factor():
    assert derive.people([(0, 2), (60, 2)]) == 0
    assert derive.people([(0, 1)]) == 0
    assert derive.people([(0, 12), (60, 14)]) == pytest.approx(11 / (0.88 * 11 / 12))


def test_devices_that_stay_put_are_no_visits():
    reports = [(60.0 * n, "r", ["staff", *(["guest"] if n < 5 else [])]) for n in range(60)]
    assert derive.visits(reports) == [Visit("guest", "r", 0, 240, 5)]


def test_a_mean_stay_is_found_behind_changing_addresses():
    """Stays of 20 minutes, addresses that change every 15, 88 % heard: the mean comes out again."""
    luck, reports = random.Random(1), {60.0 * minute: [] for minute in range(360)}
    for person in range(4_000):
        came, phase = luck.uniform(-3600, 21_600), luck.uniform(0, 900)
        leaves = came + luck.expovariate(1 / 1200)
        for at, heard in reports.items():
            if came <= at < leaves and luck.random() < derive.HEARD:
                heard.append(f"{person}-{(at + phase) // 900}")
    visits = derive.visits((at, "r", heard) for at, heard in reports.items())
    assert derive.dwell(visits, 21_600, 60) == pytest.approx(1200, rel=0.1)


def test_too_few_addresses_say_nothing_about_stays():
    assert derive.dwell([Visit("a", "r", 0, 60, 2)] * 50, 3600, 60) is None


def test_a_way_seen_stands_for_those_unseen():
    visits = [Visit("a", "r1", 0, 100, 2), Visit("a", "r2", 550, 600, 1), Visit("b", "r1", 0, 60, 1)]
    found = derive.ways(visits, {"r1": "castle", "r2": "market"})
    assert found == {("castle", "market"): pytest.approx(1 / (0.5 * 11 / 12))}


def test_a_way_within_a_place_is_none():
    visits = [Visit("a", "r1", 0, 100, 2), Visit("a", "r2", 300, 600, 1)]
    assert derive.ways(visits, {"r1": "castle", "r2": "castle"}) == {}


def test_a_ride_goes_from_rest_to_rest():
    on_the_way = 151.505, 30.5
    fixes = [
        Fix(0, PORTS["a"], False), Fix(600, PORTS["a"], False), Fix(700, PORTS["a"], True),
        Fix(710, on_the_way, True), Fix(900, PORTS["b"], False),
    ]  # fmt: skip
    assert list(derive.rides("bike", fixes, PORTS)) == [Ride("bike", "a", "b", 700, 900)]
    assert derive.nearest(on_the_way, PORTS) is None
    assert derive.nearest(on_the_way, {}) is None
    assert derive.metres(PORTS["a"], PORTS["b"]) == pytest.approx(958, abs=2)


@given(true=st.sets(st.integers(0, 1000)), found=st.sets(st.integers(0, 1000)))
def test_a_match_uses_each_moment_once(true, found):
    pairs = derive.match(sorted(true), sorted(found), 10)
    assert set(pairs) <= true
    assert set(pairs.values()) <= found
    assert len(set(pairs.values())) == len(pairs)
    assert all(abs(one - other) <= 10 for one, other in pairs.items())
    assert true & found <= set(pairs)


def test_a_deviation_has_bias_and_size():
    found = deviation({("a",): 10.0, ("b",): 20.0, ("c",): 1.0}, {("a",): 11.0, ("b",): 17.0})
    assert (found.count, found.bias, found.mae, found.worst) == (2, -1, 2, 3)
    assert found.rmse == pytest.approx(5**0.5)
    assert found.percent == pytest.approx(100 * 2 / 15)
    assert deviation({}, {("a",): 1.0}) is None


def test_a_figure_parts_the_error_between_sensors_and_platform():
    found = figure(
        "level", "m", true={("a",): 1.0, ("b",): 1.0}, sent={("a",): 1.5, ("b",): 1.0},
        answered={("a",): 1.0, ("x",): 3.0},
    )  # fmt: skip
    assert (found.completeness, found.missing, found.invented) == (50, 1, 1)
    assert (found.sensors.bias, found.platform.bias, found.total.bias) == (0.25, -0.5, 0)


def test_latency_has_its_percentiles():
    found = latency([float(n) for n in range(100, 0, -1)])
    assert (found.count, found.median, found.p99, found.worst) == (100, 50, 99, 100)
    assert latency([]) is None
