import csv
import math
from collections import Counter

import msgspec
import pytest
from machinami_simulators import city, plan
from machinami_simulators.masters import write_masters
from machinami_simulators.scale import SCALES
from machinami_simulators.streets import StreetGraph
from shapely import LineString, Point, union_all


def shapes(namiki, kind):
    return [feature.shape for feature in namiki.features if feature.kind == kind]


def test_has_as_many_assets_as_the_contract_says(namiki):
    counts = (
        len(namiki.paddies),
        len(namiki.gauges),
        len(namiki.receivers),
        len(namiki.bikes),
        len(namiki.ports),
    )
    assert counts == (300, 60, 120, 200, 20)
    assert len(namiki.plan.place) == 24


def test_identifiers_are_unique(namiki):
    for things in (namiki.features, namiki.gauges, namiki.receivers, namiki.paddies, namiki.ports):
        assert max(Counter(thing.id for thing in things).values()) == 1


def test_is_the_same_in_every_run(namiki):
    again = city.build(plan.namiki())
    assert [(f.id, f.shape.wkt) for f in again.features] == [(f.id, f.shape.wkt) for f in namiki.features]
    assert [r.at for r in again.receivers] == [r.at for r in namiki.receivers]


def test_lies_in_the_open_pacific(namiki):
    lat, lon = namiki.projection.place((0, 0))
    assert (lat, lon) == (30.5, 151.5)
    lat, lon = namiki.projection.place((4000, 4000))
    assert 30.53 < lat < 30.54
    assert 151.54 < lon < 151.55


def test_districts_share_the_land_between_them(namiki):
    (land,) = shapes(namiki, "coast")
    districts = shapes(namiki, "district")
    assert len(districts) == 6
    assert union_all(districts).symmetric_difference(land).area < 1e-6 * land.area
    assert sum(d.area for d in districts) == pytest.approx(land.area)


def test_things_on_land_are_on_land(namiki):
    (land,) = shapes(namiki, "coast")
    rivers = union_all(shapes(namiki, "river"))
    for paddy in namiki.paddies:
        assert land.contains(paddy.shape)
        assert paddy.shape.distance(rivers) > 10
    assert all(land.contains(Point(port.at)) for port in namiki.ports)
    assert all(land.contains(Point(place.at)) for place in namiki.plan.place)


def test_paddies_do_not_overlap(namiki):
    parcels = [paddy.shape for paddy in namiki.paddies]
    assert union_all(parcels).area == pytest.approx(sum(parcel.area for parcel in parcels))


def test_gauges_stand_on_their_river_and_water_runs_down(namiki):
    rivers = {f.id: f.shape for f in namiki.features if f.kind == "river"}
    for gauge in namiki.gauges:
        assert rivers[f"river-{gauge.river.id}"].distance(Point(gauge.at)) < 1
        for above in gauge.above:
            upper = namiki.gauges[above]
            assert upper.river.id != gauge.river.id or upper.area_km2 < gauge.area_km2
    assert sorted(above for gauge in namiki.gauges for above in gauge.above) == [
        i for i in range(60) if i != 59
    ], "every gauge but the last gives its water to exactly one other"


def test_levels_rise_and_some_gauges_lack_one(namiki):
    for gauge in namiki.gauges:
        known = [level for level in gauge.levels if level is not None]
        assert known == sorted(set(known))
        assert known[-1] < gauge.bank_m
    assert 0 < sum(gauge.levels[2] is None for gauge in namiki.gauges) < 20


def test_most_streets_can_be_ridden_to(namiki):
    roads = shapes(namiki, "road")
    ridden = [road for road in roads if Point(namiki.streets.nearest(road.coords[0])).distance(road) < 0.2]
    assert len(ridden) > 0.9 * len(roads)


def test_all_ports_are_joined_by_streets(namiki):
    ports = [port.at for port in namiki.ports]
    for start in ports:
        ways = namiki.streets.routes(start, ports)
        assert len(ways) == 19
        assert all(
            way[0].tolist() == list(start) and way[-1].tolist() == list(end) for end, way in ways.items()
        )


def test_ports_stand_near_where_they_are_drawn(namiki):
    for drawn, port in zip(namiki.plan.port, namiki.ports, strict=True):
        assert Point(drawn.at).distance(Point(port.at)) < 120, port.id


def test_the_shortest_way_is_taken():
    square = [LineString([(0, 0), (100, 0), (100, 100)]), LineString([(0, 0), (0, 300), (100, 100)])]
    graph = StreetGraph(square)
    assert graph.routes((0.0, 0.0), [(100.0, 100.0)])[100.0, 100.0].tolist() == [[0, 0], [100, 0], [100, 100]]


def test_an_unknown_key_in_the_city_file_is_named():
    with pytest.raises(msgspec.ValidationError, match="heigth"):
        plan.read_plan('name_ja = "x"\nheigth = 3\n')


def test_master_data_of_an_archipelago_names_each_island_and_its_place(namiki, tmp_path):
    write_masters(namiki, tmp_path, SCALES["city"])
    with (tmp_path / "gauges.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert len(rows) == 14 * 65
    here, there = rows["gauge-nami-01"], rows["i0001-gauge-nami-01"]
    assert here["lat"] == there["lat"]
    east = (float(there["lon"]) - float(here["lon"])) * 111_195 * math.cos(math.radians(30.5))
    assert east == pytest.approx(12_000, abs=1)
