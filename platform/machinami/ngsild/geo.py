"""The geo-query language (clause 4.10): a relation between a GeoProperty and a reference geometry."""

import math
import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeAlias

import msgspec
import orjson
import shapely
from shapely import affinity
from shapely.geometry import Point, shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import nearest_points

from machinami.errors import BadRequestData
from machinami.ngsild.context import Context
from machinami.ngsild.geometry import check_geometry, looks_like_geometry

EARTH_RADIUS = 6_371_008.8
"""Mean radius of WGS 84 in metres."""

Bounds: TypeAlias = tuple[float, float, float, float]
"""West, south, east, north in degrees."""

_METRES_PER_DEGREE = math.radians(EARTH_RADIUS)
_WORLD: Bounds = (-180.0, -90.0, 180.0, 90.0)
_NEAR = re.compile(r"near;(maxDistance|minDistance)==((?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)", re.ASCII)


class GeoRelation(StrEnum):
    """``georel`` without its modifier."""

    NEAR = "near"
    WITHIN = "within"
    CONTAINS = "contains"
    INTERSECTS = "intersects"
    EQUALS = "equals"
    DISJOINT = "disjoint"
    OVERLAPS = "overlaps"


# What holds between target and reference (OGC Simple Features, DE-9IM).
_PREDICATES: dict[GeoRelation, Callable[[BaseGeometry, BaseGeometry], bool]] = {
    GeoRelation.WITHIN: lambda target, reference: target.within(reference),
    GeoRelation.CONTAINS: lambda target, reference: target.contains(reference),
    GeoRelation.INTERSECTS: lambda target, reference: target.intersects(reference),
    GeoRelation.EQUALS: lambda target, reference: target.equals(reference),
    GeoRelation.DISJOINT: lambda target, reference: target.disjoint(reference),
    GeoRelation.OVERLAPS: lambda target, reference: target.overlaps(reference),
}


class GeoQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A geo-query ready to be asked.

    Attributes:
        georel: relation of the target to the reference.
        geometry: the reference as GeoJSON.
        geoproperty: expanded name of the GeoProperty meant.
        max_distance: metres, for near; a target at this distance still matches.
        min_distance: metres, for near; a target at this distance matches no more.
        reference: `geometry` for shapely.
    """

    georel: GeoRelation
    geometry: dict[str, Any]
    geoproperty: str
    max_distance: float | None = None
    min_distance: float | None = None
    reference: BaseGeometry

    def bounds(self) -> Bounds | None:
        """A box that the bounding box of every match meets; None where matches may be anywhere."""
        if self.georel is GeoRelation.DISJOINT or self.min_distance is not None:
            return None
        bounds = self.reference.bounds
        return bounds if self.max_distance is None else _widen(bounds, self.max_distance)

    def matches(self, geometry: object) -> bool:
        """Whether a GeoProperty's value stands in the relation; a value that is no geometry does not."""
        if not looks_like_geometry(geometry):
            return False
        target = _shape(geometry)
        if self.max_distance is not None:
            return distance(target, self.reference) <= self.max_distance
        if self.min_distance is not None:
            return distance(target, self.reference) > self.min_distance
        return bool(_PREDICATES[self.georel](target, self.reference))

    def may_match_in(self, area: object) -> bool:
        """Whether a geometry somewhere in that area may stand in the relation (clause 5.10.2.4)."""
        if not looks_like_geometry(area):
            return False
        region = _shape(area)
        if self.max_distance is not None:
            return distance(region, self.reference) <= self.max_distance
        if self.min_distance is not None:
            return True
        if self.georel is GeoRelation.DISJOINT:
            return not region.within(self.reference)
        return region.intersects(self.reference)


def parse_geo(
    georel: str, geometry: str, coordinates: str | list[Any], geoproperty: str | None, context: Context
) -> GeoQuery:
    """Reads the parameters of a geo-query.

    Args:
        coordinates: JSON text (URL) or a JSON array (subscription, query by POST).
        geoproperty: a name; None means ``location``.

    Raises:
        BadRequestData: an unknown relation, a distance that is not positive, a geometry that is none.
    """
    relation, limits = _relation(georel)
    reference = check_geometry({"type": geometry, "coordinates": read_coordinates(coordinates)}, "geometry")
    return GeoQuery(
        georel=relation,
        geometry=reference,
        geoproperty=context.expand(geoproperty or "location"),
        reference=_shape(reference),
        **limits,
    )


def distance(one: BaseGeometry, other: BaseGeometry) -> float:
    """Metres between the nearest points of two WGS 84 geometries, on the sphere of mean radius.

    The nearest points are sought on a plane around them: exact for points, off by less than one in a hundred
    for shapes a few hundred kilometres apart.
    """
    if isinstance(one, Point) and isinstance(other, Point):
        return _haversine(one.x, one.y, other.x, other.y)
    turn = 360.0 * round((other.centroid.x - one.centroid.x) / 360.0)  # the shorter way round the globe
    narrow = max(math.cos(math.radians((one.centroid.y + other.centroid.y) / 2)), 1e-9)
    flat = [affinity.scale(geometry, xfact=narrow, origin=(0, 0)) for geometry in (one, other)]
    near, far = nearest_points(affinity.translate(flat[0], xoff=turn * narrow), flat[1])
    return _haversine(near.x / narrow, near.y, far.x / narrow, far.y)


def _haversine(west: float, south: float, east: float, north: float) -> float:
    latitude, other = math.radians(south), math.radians(north)
    half = math.sin((other - latitude) / 2) ** 2
    half += math.cos(latitude) * math.cos(other) * math.sin(math.radians(east - west) / 2) ** 2
    return 2 * EARTH_RADIUS * math.asin(min(1.0, math.sqrt(half)))


def _widen(bounds: Bounds, metres: float) -> Bounds:
    """Bounds with a margin; the whole width of the world where a pole or the 180th meridian is reached."""
    west, south, east, north = bounds
    margin = metres / _METRES_PER_DEGREE * 1.01  # the plane of `distance` is not the sphere
    south, north = max(south - margin, -90.0), min(north + margin, 90.0)
    narrowest = math.cos(math.radians(max(abs(south), abs(north))))
    if narrowest * 180 <= margin:
        return (_WORLD[0], south, _WORLD[2], north)
    west, east = west - margin / narrowest, east + margin / narrowest
    if west < _WORLD[0] or east > _WORLD[2]:
        west, east = _WORLD[0], _WORLD[2]
    return west, south, east, north


def _shape(geometry: dict[str, Any]) -> BaseGeometry:
    """The geometry for shapely, mended where its rings cross, so that every predicate has an answer."""
    plane = shape(geometry)
    return plane if plane.is_valid else shapely.make_valid(plane)


def _relation(georel: str) -> tuple[GeoRelation, dict[str, float]]:
    if near := _NEAR.fullmatch(georel):
        modifier, number = near.groups()
        metres = float(number)
        if 0 < metres < math.inf:
            return GeoRelation.NEAR, {"max_distance" if modifier == "maxDistance" else "min_distance": metres}
    elif georel in set(GeoRelation) - {GeoRelation.NEAR}:
        return GeoRelation(georel), {}
    known = ", ".join(sorted(set(GeoRelation) - {GeoRelation.NEAR}))
    cure = f"Use near;maxDistance==METRES, near;minDistance==METRES, {known}"
    raise BadRequestData(f"georel is none: {georel!r}", field="georel", value=georel, cure=cure)


def read_coordinates(coordinates: object) -> object:
    """Coordinates out of JSON text (URL), or as they are (body)."""
    if not isinstance(coordinates, str):
        return coordinates
    try:
        return orjson.loads(coordinates)
    except orjson.JSONDecodeError as error:
        raise BadRequestData(
            f"coordinates are no JSON: {coordinates!r:.200}",
            field="coordinates",
            value=coordinates,
            cure="Write them such as [135.1,35.2]",
        ) from error
