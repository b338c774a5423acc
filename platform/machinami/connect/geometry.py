"""Geometries of master data: WKT or GeoJSON text → a GeoJSON geometry in WGS 84, longitude first."""

from typing import Any

import orjson
import shapely
from shapely.errors import ShapelyError

from machinami.errors import BadRequestData


def read_geometry(value: Any) -> dict[str, Any]:
    """Read a geometry.

    Raises:
        BadRequestData: neither WKT nor GeoJSON, empty, or outside longitude ±180, latitude ±90.
    """
    if not isinstance(value, str):
        raise _refuse("not a geometry", value)
    shape = _parse(value)
    bounds: Any = shapely.bounds(shape)  # pyright: ignore[reportUnknownMemberType] - shapely annotates only some
    west, south, east, north = bounds
    if not (west >= -180 and south >= -90 and east <= 180 and north <= 90):  # an empty one's bounds are NaN
        raise _refuse("the geometry is empty or lies outside the world", value)
    return orjson.loads(shapely.to_geojson(shape))


def _parse(text: str) -> shapely.Geometry:
    read = shapely.from_geojson if text.lstrip().startswith("{") else shapely.from_wkt
    try:
        return read(text)
    except (ShapelyError, ValueError):
        raise _refuse("not a geometry", text) from None


def _refuse(reason: str, value: Any) -> BadRequestData:
    return BadRequestData(
        reason, value=value, cure="Write WKT such as POINT (136.2 36.1) or GeoJSON; longitude comes first."
    )
