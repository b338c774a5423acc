"""Weather: rain on each catchment; temperature, humidity, sun, wind and WBGT over the whole city.

Temperature follows the year, the day, and slow changes from day to day. Sun: height by declination and
hour angle (Allen et al., FAO Irrigation and Drainage Paper 56, eqs. 24 and 28), 0.75 of it through a
clear sky, less under cloud (Kasten and Czeplak, Solar Energy 24, 1980). Vapour: Tetens's equation (FAO
56, eq. 11). WBGT out of doors: Ono and Tonouchi (小野・登内, 日本生気象学会雑誌 50, 2014), as
環境省熱中症予防情報サイト computes it. Everything is a function of the seed and the time alone, so that
steps may have any length.
"""

import math
from functools import lru_cache

import msgspec
import numpy as np

from machinami_simulators.geometry import Floats
from machinami_simulators.physics import storms
from machinami_simulators.scenario import Scenario

_HOUR, _DAY, _YEAR = 3600.0, 86_400.0, 365.2425 * 86_400.0
_COLDEST = 25 * _DAY  # late January
_SUN = 1361.0  # W/m², the solar constant
# How wet each month is against the mean of the year, January first: 梅雨 in June, typhoons in September.
_WETNESS = (0.6, 0.7, 0.9, 1.0, 1.1, 1.7, 1.3, 0.9, 1.6, 1.2, 0.8, 0.6)


class Sky(msgspec.Struct, frozen=True, kw_only=True):
    """Weather over the city at one moment; °C, %, W/m², m/s, metres of surge."""

    temperature: float
    humidity: float
    solar: float
    wind: float
    wbgt: float
    surge: float


class Climate(msgspec.Struct, frozen=True, kw_only=True):
    """Where the city lies, and in which zone its clocks are."""

    latitude: float
    longitude: float
    utc_offset: float


class Weather:
    """Rain in mm/h at each point, and the sky, at seconds since the epoch.

    Args:
        points: middles of the catchments, metres (n × 2), river by river, island by island.
        rivers: id of the river of each point.
        start: simulated start; storms of the scenario are timed from it.
    """

    def __init__(
        self,
        points: Floats,
        rivers: list[str],
        scenario: Scenario,
        start: float,
        climate: Climate,
        seed: np.random.SeedSequence,
    ) -> None:
        first, second = seed.generate_state(2).tolist()
        self._points = points
        self._of_river = {river: np.array([r == river for r in rivers], dtype=float) for river in set(rivers)}
        self._scenario = scenario
        self._start = start
        self._climate = climate
        self._entropy = first, second
        self._shift = scenario.season_shift(start, climate.utc_offset)
        self._cells = storms.Cells(points, scenario.showers, (first, second))
        self.sky = lru_cache(maxsize=64)(self._sky)
        self._day = lru_cache(maxsize=8)(self._draw_day)

    def local(self, now: float) -> float:
        """Local time of day in hours, 0 to 24."""
        return (now + self._climate.utc_offset) % _DAY / _HOUR

    def weekend(self, now: float) -> bool:
        """Saturday or Sunday, local. (The epoch was a Thursday.)"""
        return int((now + self._climate.utc_offset) // _DAY + 3) % 7 >= 5

    def season(self, now: float) -> float:
        """Day of the year, 0 to 365.24, as the scenario's season has it."""
        return (now + self._climate.utc_offset + self._shift) % _YEAR / _DAY

    def air(self, now: float) -> float:
        """Temperature of the air, °C."""
        return self.sky(now).temperature

    def rain(self, now: float) -> Floats:
        """mm/h at each point."""
        month = _WETNESS[min(int(self.season(now) / 30.44), 11)]
        rain = self._cells.rain(now, month)
        since = now - self._start
        for storm in self._scenario.storms:
            rain += storms.storm_rain(storm, since) * self._of_river[storm.river]
        for typhoon in self._scenario.typhoons:
            rain += storms.typhoon_rain(typhoon, self._points, since)
        return rain

    def _sky(self, now: float) -> Sky:
        raining = float(self.rain(now).mean())
        warmer, cloud, drier, breeze = self._between_days(now)
        typhoons, since = self._scenario.typhoons, now - self._start
        shields = [storms.typhoon_cloud(typhoon, since) for typhoon in typhoons]
        cloud = max(cloud, min(raining / 2, 1.0), *shields)
        season = -math.cos(2 * math.pi * (self.season(now) * _DAY - _COLDEST) / _YEAR)
        mean = 19.5 + 7.5 * season + warmer + self._scenario.warmer
        daily = (4.2 - 2.2 * cloud) * math.cos(2 * math.pi * (self.local(now) - 14) / 24)
        temperature = mean + daily - min(raining, 15.0) * 0.12
        solar = self._sun(now) * 0.75 * (1 - 0.75 * cloud**3.4)
        humidity = _humidity(
            temperature, mean - 0.7 * self._scenario.warmer - 4.5 + 1.5 * season - drier, raining
        )
        wind = breeze + 1.5 * solar / 800 + sum(storms.typhoon_wind(typhoon, since) for typhoon in typhoons)
        return Sky(
            temperature=temperature,
            humidity=humidity,
            solar=solar,
            wind=wind,
            wbgt=_wbgt(temperature, humidity, solar, wind),
            surge=sum(storms.typhoon_surge(typhoon, since) for typhoon in typhoons),
        )

    def _sun(self, now: float) -> float:
        """W/m² on level ground above the air."""
        turn = 2 * math.pi * self.season(now) / 365.2425
        declination = 0.409 * math.sin(turn - 1.39)
        noon = 12 + (self._climate.utc_offset / 240 - self._climate.longitude) / 15
        angle = math.pi * (self.local(now) - noon) / 12
        latitude = math.radians(self._climate.latitude)
        height = math.sin(latitude) * math.sin(declination)
        height += math.cos(latitude) * math.cos(declination) * math.cos(angle)
        return _SUN * (1 + 0.033 * math.cos(turn)) * max(height, 0.0)

    def _between_days(self, now: float) -> tuple[float, ...]:
        """Warmer, cloud, drier, breeze: drawn for each noon, and blended between two of them."""
        day, part = divmod((now + self._climate.utc_offset) / _DAY - 0.5, 1.0)
        one, next_one = self._day(int(day)), self._day(int(day) + 1)
        return tuple(a + part * (b - a) for a, b in zip(one, next_one, strict=True))

    def _draw_day(self, day: int) -> tuple[float, ...]:
        draw = np.random.default_rng([*self._entropy, day, 1])
        return draw.normal(0, 1.6), draw.beta(0.8, 1.2), draw.uniform(0, 4), 1.2 + draw.gamma(2.0, 0.8)


def saturation(temperature: float) -> float:
    """Saturation vapour pressure, kPa (Tetens; FAO 56, eq. 11)."""
    return 0.6108 * math.exp(17.27 * temperature / (temperature + 237.3))


def _humidity(temperature: float, dew_point: float, raining: float) -> float:
    dry = 100 * saturation(min(dew_point, temperature)) / saturation(temperature)
    return dry + (97 - dry) * min(raining / 3, 1.0)


def _wbgt(temperature: float, humidity: float, solar: float, wind: float) -> float:
    sun = solar / 1000  # kW/m²
    return (
        0.735 * temperature
        + 0.0374 * humidity
        + 0.00292 * temperature * humidity
        + 7.619 * sun
        - 4.557 * sun**2
        - 0.0572 * wind
        - 4.064
    )
