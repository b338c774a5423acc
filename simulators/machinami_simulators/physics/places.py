"""Places where people go: the shape of their day, how long people stay, who comes, and where they go next."""

import msgspec
import numpy as np

from machinami_simulators.city import City
from machinami_simulators.geometry import Floats

_M = 60.0
_ANYWAY = 1e-6  # share of the peak that makes a way possible where everything is closed
_NEAR = 1_600.0  # metres after which the pull of a next place has fallen to a third


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """The day of a kind of place.

    Attributes:
        weekday, weekend: share of the peak at 0, 3, 6 … 21 o'clock.
        dwell: seconds that a person stays, on average.
        visitors: share of those who come that do not live in the city.
        next_pull: how much it draws people who leave another place.
        hours: opens, closes (o'clock); the last come half an hour before it closes, and nobody stays on.
    """

    weekday: tuple[float, ...]
    weekend: tuple[float, ...]
    dwell: float
    visitors: float
    next_pull: float
    hours: tuple[float, float] = (0.0, 24.0)


SHAPES = {
    "station": Shape(
        weekday=(0.08, 0.02, 0.55, 0.75, 0.55, 0.6, 1.0, 0.5),
        weekend=(0.1, 0.02, 0.25, 0.6, 0.7, 0.75, 0.75, 0.4),
        dwell=9 * _M,
        visitors=0.3,
        next_pull=1.0,
    ),
    "market": Shape(
        weekday=(0.05, 0.02, 0.06, 0.35, 0.65, 0.55, 0.8, 0.35),
        weekend=(0.08, 0.02, 0.08, 0.55, 1.0, 0.95, 0.8, 0.35),
        dwell=28 * _M,
        visitors=0.3,
        next_pull=1.5,
    ),
    "morning-market": Shape(
        weekday=(0.02, 0.1, 0.7, 0.8, 0.45, 0.25, 0.08, 0.03),
        weekend=(0.02, 0.1, 0.8, 1.0, 0.7, 0.4, 0.1, 0.03),
        dwell=25 * _M,
        visitors=0.35,
        next_pull=0.7,
    ),
    "office": Shape(
        weekday=(0.04, 0.03, 0.08, 0.85, 0.9, 1.0, 0.45, 0.1),
        weekend=(0.03, 0.03, 0.05, 0.15, 0.2, 0.2, 0.12, 0.05),
        dwell=80 * _M,
        visitors=0.1,
        next_pull=0.3,
    ),
    "counter": Shape(  # closed at night, as the three below
        weekday=(0.0, 0.0, 0.0, 0.85, 0.8, 1.0, 0.2, 0.0),
        weekend=(0.0, 0.0, 0.0, 0.2, 0.3, 0.3, 0.05, 0.0),
        dwell=50 * _M,
        visitors=0.08,
        next_pull=0.3,
        hours=(8.5, 19.0),
    ),
    "shops": Shape(
        weekday=(0.0, 0.0, 0.0, 0.35, 0.65, 0.55, 0.8, 0.25),
        weekend=(0.0, 0.0, 0.0, 0.55, 1.0, 0.95, 0.8, 0.25),
        dwell=40 * _M,
        visitors=0.15,
        next_pull=1.3,
        hours=(10.0, 21.0),
    ),
    "stand": Shape(
        weekday=(0.0, 0.0, 0.05, 0.8, 0.6, 0.4, 0.1, 0.0),
        weekend=(0.0, 0.0, 0.05, 1.0, 0.9, 0.6, 0.1, 0.0),
        dwell=20 * _M,
        visitors=0.35,
        next_pull=0.7,
        hours=(7.0, 18.0),
    ),
    "hall": Shape(
        weekday=(0.0, 0.0, 0.0, 0.3, 0.5, 0.5, 0.05, 0.0),
        weekend=(0.0, 0.0, 0.0, 0.6, 1.0, 0.95, 0.1, 0.0),
        dwell=60 * _M,
        visitors=0.7,
        next_pull=1.4,
        hours=(9.0, 17.5),
    ),
    "school": Shape(
        weekday=(0.02, 0.01, 0.08, 0.95, 1.0, 0.9, 0.35, 0.1),
        weekend=(0.02, 0.01, 0.03, 0.15, 0.22, 0.2, 0.08, 0.03),
        dwell=120 * _M,
        visitors=0.02,
        next_pull=0.1,
    ),
    "sight": Shape(
        weekday=(0.02, 0.01, 0.04, 0.35, 0.5, 0.5, 0.15, 0.04),
        weekend=(0.02, 0.01, 0.05, 0.65, 1.0, 0.95, 0.25, 0.05),
        dwell=45 * _M,
        visitors=0.75,
        next_pull=1.6,
    ),
    "park": Shape(
        weekday=(0.03, 0.02, 0.25, 0.4, 0.45, 0.5, 0.4, 0.1),
        weekend=(0.04, 0.02, 0.3, 0.75, 0.95, 1.0, 0.5, 0.12),
        dwell=35 * _M,
        visitors=0.3,
        next_pull=0.9,
    ),
    "onsen": Shape(
        weekday=(0.2, 0.12, 0.25, 0.3, 0.45, 0.6, 0.85, 0.6),
        weekend=(0.3, 0.2, 0.3, 0.5, 0.7, 0.85, 1.0, 0.7),
        dwell=95 * _M,
        visitors=0.7,
        next_pull=1.0,
    ),
}


def days(city: City) -> tuple[Floats, Floats]:
    """Weekday and weekend of all places: (9 times of day × places), the last as the first."""
    shapes = [SHAPES[place.kind] for place in city.plan.place]
    weekday = np.array([(*shape.weekday, shape.weekday[0]) for shape in shapes]).T
    weekend = np.array([(*shape.weekend, shape.weekend[0]) for shape in shapes]).T
    return weekday, weekend


def hours(city: City) -> Floats:
    """When each place of an island opens and closes (places × 2), o'clock."""
    return np.array([SHAPES[place.kind].hours for place in city.plan.place])


def distances(city: City) -> Floats:
    """Metres between places."""
    at = np.array([place.at for place in city.plan.place])
    return np.hypot(*np.moveaxis(at[:, None, :] - at, 2, 0))


def next_places(city: City, busy: Floats, *, visitors: bool) -> Floats:
    """Where people go on to: the cumulated chances, by pull, nearness and hour, of places (row: from)."""
    shapes = [SHAPES[place.kind] for place in city.plan.place]
    share = np.array([shape.visitors if visitors else 1 - shape.visitors for shape in shapes])
    room = np.array([place.crowd * place.receivers for place in city.plan.place])  # for people, at the peak
    comes = room * [shape.next_pull / shape.dwell for shape in shapes] * share
    chances = comes * (busy + _ANYWAY) * np.exp(-distances(city) / _NEAR)
    np.fill_diagonal(chances, 0.0)
    return np.cumsum(chances / chances.sum(axis=1, keepdims=True), axis=1)
