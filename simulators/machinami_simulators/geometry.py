"""Plane geometry in metres, and the way from there to latitude and longitude."""

import math
from collections.abc import Sequence
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray
from shapely import transform
from shapely.geometry.base import BaseGeometry

Point: TypeAlias = tuple[float, float]
Floats: TypeAlias = NDArray[np.float64]

_METRES_PER_DEGREE = 111_195.0  # of latitude, on a sphere of 6,371 km
_STEPS = 8  # points drawn between two given ones


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """Metres east and north of an origin ↔ degrees (WGS 84); good to some centimetres over ten kilometres."""

    lat: float
    lon: float

    def degrees(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Latitude and longitude of points in metres."""
        east = _METRES_PER_DEGREE * math.cos(math.radians(self.lat))
        return self.lat + y / _METRES_PER_DEGREE, self.lon + x / east

    def place(self, point: Point) -> Point:
        """Latitude and longitude of one point, to 7 digits (a centimetre)."""
        lat, lon = self.degrees(np.array(point[0]), np.array(point[1]))
        return round(float(lat), 7), round(float(lon), 7)

    def wkt(self, shape: BaseGeometry) -> str:
        """The shape in degrees as WKT, longitude first."""

        def to_degrees(points: Floats) -> Floats:
            lat, lon = self.degrees(points[:, 0], points[:, 1])
            return np.round(np.column_stack([lon, lat]), 7)

        return transform(shape, to_degrees).wkt


def curve(points: Sequence[Point], *, closed: bool = False) -> list[Point]:
    """A smooth line through the points (Catmull–Rom spline)."""
    given = np.array(points, dtype=float)
    around = np.vstack([given[-1], given, given[:2]] if closed else [given[0], given, given[-1]])
    t = np.linspace(0, 1, _STEPS, endpoint=False)[:, None]
    pieces = [_spline(around[i : i + 4], t) for i in range(len(around) - 3)]
    last = given[:1] if closed else given[-1:]
    return [(round(float(x), 2), round(float(y), 2)) for x, y in np.vstack([*pieces, last])]


def _spline(four: Floats, t: Floats) -> Floats:
    before, start, end, after = four
    return 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * start - before - 3 * end + after) * t**3
    )


def turned(points: Floats, *, degrees: float, about: Point = (0.0, 0.0)) -> Floats:
    """Points (n × 2) turned counter-clockwise around (0, 0), which then lies at `about`."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return points @ np.array([[cos, sin], [-sin, cos]]) + np.array(about)
