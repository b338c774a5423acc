"""GeoJSON geometries as values of GeoProperties (RFC 7946, clause 4.7): WGS 84, longitude first."""

import math
from collections.abc import Callable
from typing import Any, TypeGuard, cast

import orjson

from machinami.errors import BadRequestData

Check = Callable[[Any], str | None]
"""Takes coordinates, gives what is wrong with them or None."""


def _position(value: object) -> str | None:
    if not isinstance(value, list) or not 2 <= len(cast("list[object]", value)) <= 4:
        return "a position is a list of longitude, latitude and perhaps altitude"
    if not all(_is_number(number) for number in cast("list[object]", value)):
        return "a position has finite numbers only"
    longitude, latitude = cast("list[float]", value)[:2]
    if abs(longitude) > 180 or abs(latitude) > 90:
        return "longitude comes first and is within ±180, latitude second and within ±90"
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _many(check: Check, least: int, what: str) -> Check:
    def check_all(value: object) -> str | None:
        if not isinstance(value, list) or len(cast("list[object]", value)) < least:
            return f"{what} is a list of at least {least}"
        return next((wrong for entry in cast("list[object]", value) if (wrong := check(entry))), None)

    return check_all


def _ring(value: Any) -> str | None:
    if wrong := _RING_POSITIONS(value):
        return wrong
    return None if value[0] == value[-1] else "a polygon's ring ends where it begins"


_LINE = _many(_position, 2, "a line")
_RING_POSITIONS = _many(_position, 4, "a polygon's ring")
_POLYGON = _many(_ring, 1, "a polygon")

GEOMETRIES: dict[str, Check] = {
    "Point": _position,
    "MultiPoint": _many(_position, 1, "a multi-point"),
    "LineString": _LINE,
    "MultiLineString": _many(_LINE, 1, "a multi-line"),
    "Polygon": _POLYGON,
    "MultiPolygon": _many(_POLYGON, 1, "a multi-polygon"),
}
"""Geometry types of NGSI-LD (GeometryCollection is none) and the check of their coordinates."""


def looks_like_geometry(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a value claims to be a supported GeoJSON geometry, sound or not."""
    if not isinstance(value, dict) or "coordinates" not in value:
        return False
    kind = cast("dict[str, object]", value).get("type")
    return isinstance(kind, str) and kind in GEOMETRIES


def check_geometry(value: object, field: str) -> dict[str, Any]:
    """The geometry itself; a geometry in a JSON string is parsed (clause 4.7.2).

    Raises:
        BadRequestData: no supported geometry, naming the part of RFC 7946 that it breaks.
    """
    geometry = _parse(value) if isinstance(value, str) else value
    if not looks_like_geometry(geometry):
        wrong = f"a geometry has coordinates and a type of {', '.join(GEOMETRIES)}"
    else:
        wrong = GEOMETRIES[geometry["type"]](geometry["coordinates"])
        if wrong is None:
            return geometry
    raise BadRequestData(
        f"{field} is not a GeoJSON geometry: {wrong}",
        field=field,
        value=value,
        cure="Write it as RFC 7946 says",
    )


def _parse(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
