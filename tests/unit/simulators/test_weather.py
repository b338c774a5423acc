from datetime import datetime

import numpy as np
import pytest
from machinami_simulators.physics import storms
from machinami_simulators.scenario import find_scenario
from unit.simulators.test_world import make

JUNE, AUGUST, JANUARY = (
    datetime.fromisoformat(f"2026-{day}T00:00:00+09:00").timestamp() for day in ("06-15", "08-05", "01-25")
)


def skies(namiki, start, scenario="ordinary-day", days=3):
    weather = make(namiki, scenario, start=start).weather
    return [weather.sky(start + 1800 * k) for k in range(48 * days)]


def test_summer_is_warm_and_winter_is_not(namiki):
    summer, winter = ([sky.temperature for sky in skies(namiki, start)] for start in (AUGUST, JANUARY))
    assert 24 < np.mean(summer) < 31
    assert 8 < np.mean(winter) < 16
    assert 3 < max(summer) - min(summer) < 14


def test_the_sun_shines_by_day_only_and_higher_in_summer(namiki):
    summer, winter = ([sky.solar for sky in skies(namiki, start)] for start in (AUGUST, JANUARY))
    assert summer[0] == winter[0] == 0.0
    assert 700 < max(summer) < 1100
    assert max(winter) < 0.8 * max(summer)


def test_a_heatwave_is_dangerous_at_noon_and_wbgt_below_air(namiki):
    hot = skies(namiki, JANUARY, "heatwave")
    assert max(sky.wbgt for sky in hot) > 31
    assert max(sky.temperature for sky in hot) > 34
    assert max(sky.wbgt for sky in skies(namiki, JANUARY)) < 21
    assert all(20 <= sky.humidity <= 100 for sky in hot)


def test_showers_come_and_go_and_june_is_wetter_than_january(namiki):
    def rained(start):
        weather = make(namiki, start=start).weather
        return np.array([weather.rain(start + 600 * k) for k in range(6 * 24 * 28)])

    june, january = rained(JUNE), rained(JANUARY)
    assert june.sum() > 1.5 * january.sum() > 0
    assert (june.max(axis=1) < 0.1).mean() > 0.5
    assert june.max() < 60


def test_a_year_brings_as_much_rain_as_the_pacific_coast_of_japan_has_and_many_dry_days(namiki):
    weather = make(namiki, start=JANUARY).weather
    rain = np.array([weather.rain(JANUARY + 1800 * k)[0] for k in range(48 * 365)])
    by_day = rain.reshape(365, 48).mean(axis=1) * 24
    assert 1_100 < by_day.sum() < 2_300  # mm
    assert (by_day < 1).sum() > 150
    assert by_day.max() < 150


def test_a_shower_moves_from_one_catchment_to_another(namiki):
    """Rain is not the same everywhere: cells have a size and a way."""
    weather = make(namiki, start=JUNE).weather
    rain = np.array([weather.rain(JUNE + 300 * k) for k in range(12 * 24 * 7)])
    wet = rain[rain.max(axis=1) > 1]
    assert len(wet) > 20
    assert np.corrcoef(wet[:, 0], wet[:, 2])[0, 1] < 0.9


def test_rain_is_the_same_whatever_was_asked_before(namiki):
    one, other = make(namiki, start=JUNE).weather, make(namiki, start=JUNE).weather
    for k in range(0, 100_000, 700):
        one.rain(JUNE + k)
    assert (one.rain(JUNE + 50_000) == other.rain(JUNE + 50_000)).all()


def test_a_typhoon_blows_rains_and_lifts_the_sea_when_it_is_near(namiki):
    (typhoon,) = find_scenario("typhoon").typhoons
    nearest = typhoon.nearest_after
    at = {hours: nearest + 3600 * hours for hours in (-12, 0, 12)}
    wind = {hours: storms.typhoon_wind(typhoon, since) for hours, since in at.items()}
    surge = {hours: storms.typhoon_surge(typhoon, since) for hours, since in at.items()}
    rain = {hours: storms.typhoon_rain(typhoon, np.zeros((1, 2)), s)[0] for hours, s in at.items()}
    assert wind[0] > 2 * wind[-12]
    assert 0.5 < surge[0] < 2.0
    assert rain[0] > 40
    assert rain[12] < 5
    assert storms.typhoon_cloud(typhoon, at[0]) > 0.99
    assert storms.typhoon_cloud(typhoon, nearest - 48 * 3600) < 0.01
    assert storms.typhoon_centre(typhoon, nearest) == pytest.approx(
        np.array([-np.cos(np.radians(35)), np.sin(np.radians(35))]) * 30_000
    )
