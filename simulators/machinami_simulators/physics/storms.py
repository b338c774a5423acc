"""Rain that moves: showers and storm cells over the city, storms that stay on a catchment, typhoons.

Cells are born as a Poisson process in space and time, move together and rain in a disc that fades
outward: the spatial–temporal cluster model of rainfall (Cox and Isham, Proc. R. Soc. A 415, 1988) with
Gaussian cells (Northrop, Proc. R. Soc. A 454, 1998). They come in spells, as fronts bring them: the more
of them in a half-day, the longer it is dry elsewhere. A typhoon's wind is Holland's profile (Mon. Weather
Rev. 108, 1980), its surge at the coast the inverse barometer plus a set-up with the square of the wind
(気象庁, 高潮の要因).
"""

import math
from functools import lru_cache

import msgspec
import numpy as np

from machinami_simulators.geometry import Floats
from machinami_simulators.scenario import Storm, Typhoon

_HOUR, _MINUTE = 3600.0, 60.0
_MARGIN = 16_000.0  # metres around the city in which cells are born
_FOOTPRINT = 70e6  # m² that a cell passes over in its life
_LONGEST = 50 * _MINUTE
_PASSING = 9.0  # m/s
_SPELL = 12  # hours
_CLUSTERED = 0.15  # shape of the gamma distribution of cells in a spell; the smaller, the more dry ones
_HEAVIEST = 60.0  # mm/h in the middle of a cell
_RAMP = 300.0  # seconds in which a storm on a catchment grows and fades
_AIR_DENSITY, _HOLLAND_B = 1.15, 1.5
_SHIELD = 400_000.0  # metres from the eye to the middle of the edge of its high cloud
_METRES_PER_HPA, _SETUP = 0.01, 0.00035  # of surge; per (m/s)²


class _Cells(msgspec.Struct, frozen=True):
    """Cells born in one hour; an array element each."""

    born: Floats
    lives: Floats
    peak: Floats
    radius: Floats
    at: Floats
    moves: Floats


class Cells:
    """Ordinary showers: a function of time and place alone, whatever the length of a step.

    Args:
        points: where rain is asked for, metres (n × 2).
        rate: chance that a cell passes over a point within an hour.
    """

    def __init__(self, points: Floats, rate: float, entropy: tuple[int, ...]) -> None:
        self._points = points
        self._low, self._high = points.min(axis=0) - _MARGIN, points.max(axis=0) + _MARGIN
        width, height = (self._high - self._low).tolist()
        self._mean: float = rate * width * height / _FOOTPRINT
        self._entropy = entropy
        self._born = lru_cache(maxsize=4)(self._draw)

    def rain(self, now: float, wetness: float) -> Floats:
        """mm/h at each point; `wetness` makes every cell heavier or lighter."""
        hour = int(now // _HOUR)
        return wetness * (self._of(self._born(hour), now) + self._of(self._born(hour - 1), now))

    def _of(self, cells: _Cells, now: float) -> Floats:
        age = (now - cells.born) / cells.lives
        alive = (age > 0) & (age < 1)
        if not alive.any():
            return np.zeros(len(self._points))
        centre = cells.at[alive] + cells.moves[alive] * (now - cells.born[alive])[:, None]
        away = ((self._points[:, None, :] - centre) ** 2).sum(axis=2)
        strength = cells.peak[alive] * np.sin(math.pi * age[alive])
        return (strength * np.exp(-away / (2 * cells.radius[alive] ** 2))).sum(axis=1)

    def _draw(self, hour: int) -> _Cells:
        draw = np.random.default_rng([*self._entropy, hour])
        count = int(draw.poisson(self._mean * self._spell(hour // _SPELL)))
        heading = draw.normal(math.radians(35), 0.3)  # they come from the south-west
        return _Cells(
            born=hour * _HOUR + draw.uniform(0, _HOUR, count),
            lives=draw.uniform(15 * _MINUTE, _LONGEST, count),
            peak=np.minimum(draw.lognormal(2.1, 0.7, count), _HEAVIEST),
            radius=draw.uniform(1_200, 3_200, count),
            at=draw.uniform(self._low, self._high, (count, 2)),
            moves=np.full((count, 2), _PASSING) * (math.cos(heading), math.sin(heading)),
        )

    def _spell(self, number: int) -> float:
        """How many cells this half-day brings against the mean."""
        draw = np.random.default_rng([*self._entropy, number, 2])
        return float(draw.gamma(_CLUSTERED, 1 / _CLUSTERED))


def storm_rain(storm: Storm, since: float) -> float:
    """mm/h on the storm's catchment, `since` seconds after the start of the simulation."""
    age = since - storm.after
    return storm.peak * max(min(age / _RAMP, (storm.lasts - age) / _RAMP, 1.0), 0.0)


def typhoon_centre(typhoon: Typhoon, since: float) -> Floats:
    """Where the eye is, metres from the middle of the city."""
    heading = math.radians(90 - typhoon.heading)
    along = (since - typhoon.nearest_after) * typhoon.speed
    ahead = np.array([math.cos(heading), math.sin(heading)])
    side = np.array([math.sin(heading), -math.cos(heading)])
    return along * ahead - typhoon.passes * side


def typhoon_rain(typhoon: Typhoon, points: Floats, since: float) -> Floats:
    """mm/h at each point: the wall around the eye, and spiral bands ahead of it."""
    from_eye = points - typhoon_centre(typhoon, since)
    radius, angle = np.hypot(*from_eye.T), np.arctan2(from_eye[:, 1], from_eye[:, 0])
    wall = np.exp(-(((radius - typhoon.radius) / (0.9 * typhoon.radius)) ** 2))
    bands = 0.5 * (1 + np.cos(2 * angle - radius / 22_000)) * np.exp(-radius / 130_000)
    return typhoon.rain * (wall + 0.45 * bands * (radius > typhoon.radius))


def typhoon_cloud(typhoon: Typhoon, since: float) -> float:
    """Share of the sky under the shield of high cloud, which reaches some 300 km beyond the eye."""
    away = float(np.hypot(*typhoon_centre(typhoon, since)))
    return math.exp(-((away / _SHIELD) ** 4))


def typhoon_wind(typhoon: Typhoon, since: float) -> float:
    """m/s in the middle of the city; over land and averaged over ten minutes 0.7 of the gradient wind."""
    radius = max(float(np.hypot(*typhoon_centre(typhoon, since))), 1_000.0)
    shape = (typhoon.radius / radius) ** _HOLLAND_B
    gradient = _HOLLAND_B / _AIR_DENSITY * shape * typhoon.deficit * 100 * math.exp(-shape)
    return 0.7 * math.sqrt(gradient)


def typhoon_surge(typhoon: Typhoon, since: float) -> float:
    """Metres by which the sea stands above the tide."""
    radius = max(float(np.hypot(*typhoon_centre(typhoon, since))), 1_000.0)
    deficit = typhoon.deficit * (1 - math.exp(-((typhoon.radius / radius) ** _HOLLAND_B)))
    return _METRES_PER_HPA * deficit + _SETUP * typhoon_wind(typhoon, since) ** 2
