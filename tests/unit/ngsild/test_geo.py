"""Geo-queries (clause 4.10)."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami.errors import BadRequestData
from machinami.ngsild.context import CORE, build_context
from machinami.ngsild.geo import EARTH_RADIUS, GeoQuery, distance, parse_geo
from shapely.geometry import Point, shape

SQUARE = [[[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0], [0.0, 0.0]]]
DEGREE = math.radians(EARTH_RADIUS)
"""Metres of one degree of latitude."""


def point(longitude: float, latitude: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [longitude, latitude]}


def polygon(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def query(georel: str, geometry: str = "Polygon", coordinates: Any = SQUARE) -> GeoQuery:
    return parse_geo(georel, geometry, coordinates, None, CORE)


@pytest.mark.parametrize(
    ("georel", "target", "answer"),
    [
        ("within", point(5, 5), True),
        ("within", point(15, 5), False),
        ("within", polygon(1, 1, 2, 2), True),
        ("contains", polygon(-1, -1, 11, 11), True),
        ("contains", point(5, 5), False),
        ("intersects", polygon(9, 9, 12, 12), True),
        ("intersects", point(10, 5), True),
        ("intersects", point(11, 5), False),
        ("overlaps", polygon(9, 9, 12, 12), True),
        ("overlaps", polygon(1, 1, 2, 2), False),
        ("disjoint", point(11, 5), True),
        ("disjoint", point(5, 5), False),
        ("equals", {"type": "Polygon", "coordinates": [SQUARE[0][2:] + SQUARE[0][1:3]]}, True),
        ("equals", polygon(0, 0, 10, 9), False),
        ("near;maxDistance==1", point(5, 5), True),
        ("near;maxDistance==111500", point(11, 0), True),
        ("near;maxDistance==111000", point(11, 0), False),
        ("near;minDistance==111000", point(11, 0), True),
        ("near;minDistance==1", point(5, 5), False),
    ],
)
def test_relations(georel: str, target: dict[str, Any], answer: bool):
    assert query(georel).matches(target) is answer


@pytest.mark.parametrize("target", [None, "here", 5, {"type": "Nonsense", "coordinates": [1, 2]}, {}])
def test_what_is_no_geometry_does_not_match(target: object):
    for georel in ("within", "disjoint", "near;minDistance==1"):
        assert not query(georel).matches(target)


def test_a_ring_that_crosses_itself_has_answers():
    bow = {"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]}
    for georel in ("within", "contains", "intersects", "equals", "disjoint", "overlaps"):
        assert query(georel).matches(bow) in (True, False)
        assert query(georel, **bow_arguments(bow)).matches(polygon(0, 0, 1, 1)) in (True, False)
    assert query("within").matches(bow)


def bow_arguments(geometry: dict[str, Any]) -> dict[str, Any]:
    return {"geometry": geometry["type"], "coordinates": geometry["coordinates"]}


def test_the_property_asked_for_is_expanded():
    context = build_context({"place": "https://ex.org/place"}, dict)
    assert parse_geo("within", "Polygon", SQUARE, "place", context).geoproperty == "https://ex.org/place"
    assert query("within").geoproperty == "https://uri.etsi.org/ngsi-ld/location"


def test_coordinates_may_be_json_text():
    asked = parse_geo("near;maxDistance==2000", "Point", "[8,40]", None, CORE)
    assert (asked.max_distance, asked.min_distance, asked.geometry) == (2000, None, point(8, 40))


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("near", "Point", "[8,40]"), "georel"),
        (("near;maxDistance==0", "Point", "[8,40]"), "georel"),
        (("near;maxDistance==-5", "Point", "[8,40]"), "georel"),
        (("near;maxDistance==1e999", "Point", "[8,40]"), "georel"),
        (("near;maxDistance=5", "Point", "[8,40]"), "georel"),
        (("near;maxDistance==5;minDistance==1", "Point", "[8,40]"), "georel"),
        (("beside", "Point", "[8,40]"), "georel"),
        (("within;maxDistance==5", "Point", "[8,40]"), "georel"),
        (("within", "Point", "[8,40"), "coordinates"),
        (("within", "Point", "[40,135,0]x"), "coordinates"),
        (("within", "Point", "[35,135]"), "geometry"),
        (("within", "GeometryCollection", "[]"), "geometry"),
        (("within", "Polygon", "[[[0,0],[1,1],[0,1]]]"), "geometry"),
    ],
)
def test_what_breaks_the_grammar_is_refused(arguments: tuple[str, str, str], field: str):
    with pytest.raises(BadRequestData) as caught:
        parse_geo(*arguments, None, CORE)
    assert caught.value.field == field


@given(st.text(max_size=30), st.sampled_from(["Point", "Polygon", "x"]), st.text(max_size=20))
def test_any_text_is_a_query_or_bad_request_data(georel: str, geometry: str, coordinates: str):
    try:
        parse_geo(georel, geometry, coordinates, None, CORE)
    except BadRequestData:
        return
    assert georel


@pytest.mark.parametrize(
    ("one", "other", "metres"),
    [
        ((139.7671, 35.6812), (135.4959, 34.7024), 403_000),  # Tokyo and Osaka stations
        ((179.9, 0), (-179.9, 0), 0.2 * DEGREE),
        ((-179.9, 60), (179.9, 60), 0.1 * DEGREE),
        ((0, 89.9), (180, 89.9), 0.2 * DEGREE),
        ((10, 0), (10, 1), DEGREE),
        ((5, 5), (5, 5), 0),
    ],
)
def test_distances_are_metres_on_the_globe(one: Any, other: Any, metres: float):
    assert distance(Point(one), Point(other)) == pytest.approx(metres, rel=2e-3)


def test_a_distance_goes_to_the_nearest_point():
    north = shape({"type": "LineString", "coordinates": [[0, 60], [10, 60]]})
    # 0.4° of longitude at 60° north are nearer than 0.3° of latitude.
    assert distance(Point(10.4, 60), north) == pytest.approx(0.2 * DEGREE, rel=1e-2)
    assert distance(Point(5, 60.3), north) == pytest.approx(0.3 * DEGREE, rel=1e-2)


def meets(bounds: tuple[float, ...], longitude: float, latitude: float) -> bool:
    west, south, east, north = bounds
    return west <= longitude <= east and south <= latitude <= north


longitudes, latitudes = st.floats(-180, 180), st.floats(-90, 90)


@given(longitudes, latitudes, longitudes, latitudes, st.floats(1, 2e7))
def test_the_box_has_every_match(lon: float, lat: float, other_lon: float, other_lat: float, metres: float):
    near = query(f"near;maxDistance=={metres:.3f}", "Point", [lon, lat])
    bounds = near.bounds()
    assert bounds is not None
    assert not near.matches(point(other_lon, other_lat)) or meets(bounds, other_lon, other_lat)


def test_boxes_are_narrow_where_they_can_be():
    assert query("within").bounds() == (0, 0, 10, 10)
    west, south, east, north = query("near;maxDistance==1000", "Point", [135, 35]).bounds() or ()
    assert (east - west, north - south) == pytest.approx((0.0222, 0.0182), rel=1e-2)
    assert query("disjoint").bounds() is None
    assert query("near;minDistance==5").bounds() is None
