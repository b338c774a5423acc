"""A city: what the plan draws, and what follows from it by rule; no chance, so that masters are stable."""

import math
from collections.abc import Iterator

import msgspec
import numpy as np
from shapely import LineString, Point, Polygon, union_all
from shapely.geometry.base import BaseGeometry
from shapely.ops import polygonize

from machinami_simulators import geometry
from machinami_simulators.geometry import Floats, Projection
from machinami_simulators.plan import Name, PaddyBlock, Place, Plan, Port, River, StreetGrid
from machinami_simulators.streets import StreetGraph, cut, fan_streets, grid_streets

_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
_BANK_WIDTH = 45.0  # metres on each side of a river without streets
_FARM_PATH = 5.0  # metres between two parcels
NARROW = 38.5  # mm/h of runoff that an old bridge lets pass
_CAMERA_FROM = 6  # receivers: places with so many have a camera too


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """Something on the base map; `kind` as in basemap.csv, shape in metres."""

    id: str
    kind: str
    name: Name
    shape: BaseGeometry


class Gauge(msgspec.Struct, frozen=True, kw_only=True):
    """A river gauge: where along which river, how high the bank is, its levels.

    Attributes:
        area_km2: catchment of this river above the gauge.
        reach_m: way of the water from the gauge above.
        above: indices of the gauges whose water comes next here.
        bank_m: height of the bank over the bed.
        full_mm_h: runoff of the whole catchment above that fills the bed to its bank.
        levels: standby, caution, evacuation judgement, danger; metres over the bed, None where not set.
    """

    id: str
    name: Name
    river: River
    at: geometry.Point
    area_km2: float
    reach_m: float
    above: tuple[int, ...]
    bank_m: float
    full_mm_h: float
    levels: tuple[float, float, float | None, float]


class Receiver(msgspec.Struct, frozen=True, kw_only=True):
    """A BLE/Wi-Fi receiver at a place; `area` is the district whose gateway sends for it."""

    id: str
    name: Name
    place: Place
    area: str
    at: geometry.Point


class Camera(msgspec.Struct, frozen=True, kw_only=True):
    """A camera that counts who comes to a place and who leaves it."""

    id: str
    name: Name
    place: Place


class Paddy(msgspec.Struct, frozen=True, kw_only=True):
    """A parcel with its sensor in the middle."""

    id: str
    name: Name
    block: str
    shape: Polygon


class City(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. Positions in metres; `projection` gives degrees."""

    plan: Plan
    projection: Projection
    features: list[Feature]
    gauges: list[Gauge]
    receivers: list[Receiver]
    cameras: list[Camera]
    paddies: list[Paddy]
    ports: list[Port]
    bikes: list[str]
    streets: StreetGraph


def build(drawn: Plan) -> City:
    """Derive the city from its plan."""
    land = Polygon(geometry.curve(drawn.coast, closed=True))
    rivers = {river.id: LineString(geometry.curve(river.line)) for river in drawn.river}
    districts = list(_districts(drawn, land, rivers[drawn.river[0].id]))
    roads = list(_roads(drawn, land, rivers))
    streets = StreetGraph(road.shape for road in roads if isinstance(road.shape, LineString))
    paddies = list(_paddies(drawn))
    return City(
        plan=drawn,
        projection=drawn.origin,
        features=[
            Feature(id="coast", kind="coast", name=drawn.name_coast, shape=land),
            *districts,
            *_paddy_blocks(drawn),
            *(
                Feature(id=f"river-{r.id}", kind="river", name=r.name, shape=rivers[r.id])
                for r in drawn.river
            ),
            *roads,
            *(Feature(id=f"place-{p.id}", kind="place", name=p.name, shape=Point(p.at)) for p in drawn.place),
        ],
        gauges=_gauges(drawn, rivers),
        receivers=list(_receivers(drawn, districts)),
        cameras=[_camera(place) for place in drawn.place if place.receivers >= _CAMERA_FROM],
        paddies=paddies,
        ports=[msgspec.structs.replace(port, at=streets.nearest(port.at)) for port in drawn.port],
        bikes=[f"bike-{n:03d}" for n in range(1, drawn.bikes.count + 1)],
        streets=streets,
    )


def _districts(drawn: Plan, land: Polygon, main_river: LineString) -> Iterator[Feature]:
    lines = [land.exterior, main_river, *(LineString(geometry.curve(border)) for border in drawn.borders)]
    pieces = [piece for piece in polygonize(union_all(lines)) if land.contains(piece.representative_point())]
    for district in drawn.district:
        own = [piece for piece in pieces if any(piece.contains(Point(seed)) for seed in district.seeds)]
        yield Feature(id=f"district-{district.id}", kind="district", name=district.name, shape=union_all(own))


def _roads(drawn: Plan, land: Polygon, rivers: dict[str, LineString]) -> Iterator[Feature]:
    for road in drawn.road:
        shape = LineString(geometry.curve(road.line, closed=road.closed))
        yield Feature(id=f"road-{road.id}", kind="road", name=road.name, shape=shape)
    dry = land.buffer(-60).difference(union_all([line.buffer(_BANK_WIDTH) for line in rivers.values()]))
    taken = union_all([Point(circle.centre).buffer(circle.radius) for circle in drawn.keep_clear])
    for street in [*drawn.street_grid, *drawn.street_fan]:
        lines = grid_streets(street) if isinstance(street, StreetGrid) else fan_streets(street)
        inside = dry.difference(taken)
        parts = [part for line in lines for part in cut(line, inside)]
        for number, part in enumerate(parts, 1):
            name = Name(ja=f"{street.name.ja}{number}号線", en=f"{street.name.en} Street {number}")
            yield Feature(id=f"street-{street.id}-{number:02d}", kind="road", name=name, shape=part)
        taken = taken.union(union_all(lines).convex_hull)


def _paddy_blocks(drawn: Plan) -> Iterator[Feature]:
    for block in drawn.paddy_block:
        width, height = block.columns * block.parcel[0], block.rows * block.parcel[1]
        shape = Polygon(_rectangle(block, -2 * _FARM_PATH, -2 * _FARM_PATH, width + 10, height + 10))
        yield Feature(id=f"paddy-block-{block.id}", kind="paddy_block", name=block.name, shape=shape)


def _paddies(drawn: Plan) -> Iterator[Paddy]:
    number = 0
    for block in drawn.paddy_block:
        width, height = block.parcel
        for cell in range(block.columns * block.rows):
            number += 1
            x, y = cell % block.columns * width, cell // block.columns * height
            corners = _rectangle(block, x, y, x + width - _FARM_PATH, y + height - _FARM_PATH)
            name = Name(ja=f"{block.name.ja} {cell + 1}番田", en=f"{block.name.en} paddy {cell + 1}")
            yield Paddy(id=f"paddy-{number:03d}", name=name, block=block.id, shape=Polygon(corners))


def _rectangle(block: PaddyBlock, west: float, south: float, east: float, north: float) -> Floats:
    corners = np.array([[west, south], [east, south], [east, north], [west, north]])
    return geometry.turned(corners, degrees=block.angle, about=block.origin)


def _receivers(drawn: Plan, districts: list[Feature]) -> Iterator[Receiver]:
    number = 0
    for place in drawn.place:
        nearest = min(districts, key=lambda district: district.shape.distance(Point(place.at)))
        for k in range(place.receivers):
            number += 1
            radius = place.spread * math.sqrt((k + 0.5) / place.receivers)
            x = place.at[0] + radius * math.cos(k * _GOLDEN_ANGLE)
            y = place.at[1] + radius * math.sin(k * _GOLDEN_ANGLE)
            name = Name(ja=f"{place.name.ja} 受信機{k + 1}", en=f"{place.name.en} receiver {k + 1}")
            area = nearest.id.removeprefix("district-")
            yield Receiver(id=f"receiver-{number:03d}", name=name, place=place, area=area, at=(x, y))


def _camera(place: Place) -> Camera:
    name = Name(ja=f"{place.name.ja} カメラ", en=f"{place.name.en} camera")
    return Camera(id=f"camera-{place.id}", name=name, place=place)


def _gauges(drawn: Plan, rivers: dict[str, LineString]) -> list[Gauge]:
    gauges: list[Gauge] = []
    for river in sorted(drawn.river, key=lambda river: river.into is None):  # tributaries first
        joining = [
            (rivers[river.id].project(Point(other.line[-1])), _last(gauges, other.id))
            for other in drawn.river
            if other.into == river.id
        ]
        for k in range(river.gauges):
            gauges += [_gauge(river, rivers[river.id], k, joining, len(gauges))]
    return gauges


def _last(gauges: list[Gauge], river: str) -> int:
    return max(index for index, gauge in enumerate(gauges) if gauge.river.id == river)


def _gauge(river: River, line: LineString, k: int, joining: list[tuple[float, int]], index: int) -> Gauge:
    spacing = line.length / (river.gauges + 0.3)
    here, share = (k + 0.6) * spacing, (k + 1) / river.gauges
    above = [index - 1] if k else []
    above += [last for where, last in joining if here - spacing < where <= here]
    upper, mouth = river.bank_m
    bank = upper + (mouth - upper) * share
    full_above, full_mouth = river.full_mm_h
    point = line.interpolate(here)
    name = Name(ja=f"{river.name.ja} 第{k + 1}水位局", en=f"{river.name.en} gauge {k + 1}")
    headwater = 1 - line.length / 1000 / river.length_km  # share of the course above the drawn part
    return Gauge(
        id=f"gauge-{river.id}-{k + 1:02d}",
        name=name,
        river=river,
        at=(point.x, point.y),
        area_km2=river.catchment_km2 * (headwater + (1 - headwater) * share),
        reach_m=spacing,
        above=tuple(above),
        bank_m=bank,
        full_mm_h=NARROW if k + 1 in river.narrow else full_above + (full_mouth - full_above) * share,
        levels=_levels(bank, judged=index % 7 != 3),
    )


def _levels(bank: float, *, judged: bool) -> tuple[float, float, float | None, float]:
    """水防団待機, 氾濫注意, 避難判断, 氾濫危険水位: shares of the bank's height; some lack the third."""
    standby, caution, judgement, danger = (round(bank * share, 1) for share in (0.38, 0.5, 0.66, 0.8))
    return standby, caution, judgement if judged else None, danger
