import json
import re
from collections import Counter, defaultdict
from datetime import datetime

import numpy as np
import pytest
from machinami_simulators import wire
from machinami_simulators.scale import SCALES
from machinami_simulators.scenario import Device, Scenario, Seconds, Title, find_scenario, scenarios
from machinami_simulators.world import World
from shapely import LineString, Point, prepare, union_all

START = datetime.fromisoformat("2026-11-20T08:00:00+09:00").timestamp()  # a Friday morning


def make(namiki, scenario="ordinary-day", *, start=START, seed=1, **more):
    return World(namiki, find_scenario(scenario), start=start, seed=seed, **more)


def play(world, seconds):
    end = world.now + seconds
    messages = []
    while world.now < end:
        messages += world.step()
    return messages


@pytest.mark.parametrize("scenario", scenarios())
def test_same_seed_gives_the_same_bytes_in_the_same_order(namiki, scenario):
    one, other = (play(make(namiki, scenario), 300) for _ in range(2))
    assert one == other


def test_a_pause_in_between_changes_no_physics(namiki):
    through, paused = make(namiki, "heavy-rain"), make(namiki, "heavy-rain")
    play(through, 1800)
    play(paused, 300)
    paused.skip_to(START + 1800)
    assert paused.now == through.now
    assert (paused.rivers.levels(paused.now) == through.rivers.levels(through.now)).all()


def test_another_seed_gives_another_day(namiki):
    assert play(make(namiki, seed=1), 60) != play(make(namiki, seed=2), 60)


def test_messages_leave_in_order_and_within_the_tick(namiki):
    world = make(namiki)
    for _ in range(30):
        at = [message.at for message in world.step()]
        assert at == sorted(at)
        assert world.now - 10 < at[0]
        assert at[-1] <= world.now


def test_every_device_reports_within_ten_seconds(namiki):
    topics = {message.topic for message in play(make(namiki), 10)}
    assert len(topics) == 300 + 60 + 5 + 120 + 8 + 200 + 20


def test_devices_report_at_their_interval(namiki):
    world = make(namiki)
    play(world, 600)
    counts = Counter(message.topic for message in play(world, 1200))
    by_form = defaultdict(set)
    for topic, count in counts.items():
        by_form[re.sub(r"[a-z]*-?\d+$|(paddy|receiver|gauge-[a-z]+)-\d+", "*", topic)].add(count)
    assert by_form["v3/namiki-paddy@namiki/devices/*/up"] == {2}
    assert by_form["ul/namiki-river/*/attrs"] == {20}
    assert by_form["camera/namiki/camera-harbour/count"] == {4}
    assert by_form["minew/namiki/*/status"] == {20}
    assert by_form["gbfs/namiki/station_status/*"] == {10}


def test_no_device_says_two_things_for_the_same_second(namiki):
    seen = Counter((message.at, message.topic) for message in play(make(namiki), 1800))
    assert max(seen.values()) == 1


def test_topics_and_clients_suit_the_broker(namiki):
    for message in play(make(namiki), 60):
        assert not re.search(r"[ +#.]", message.topic)
        assert not re.search(r"[ .]", message.connection)
        assert message.kind in wire.KINDS


def test_connections_are_those_of_reality(namiki):
    by_kind = defaultdict(set)
    for message in play(make(namiki), 15):
        by_kind[message.kind].add(message.connection)
    assert {kind: len(names) for kind, names in by_kind.items()} == {
        "paddy": 1,
        "river-gauge": 65,
        "people-flow": 6,
        "people-camera": 8,
        "rental-bike": 201,
    }


def test_moving_bikes_keep_to_the_streets(namiki):
    roads = union_all([f.shape for f in namiki.features if f.kind == "road"]).buffer(25, quad_segs=2)
    prepare(roads)
    metres = 111_195.0
    moving = 0
    for message in play(make(namiki), 300):
        if not message.topic.startswith("owntracks"):
            continue
        fix = json.loads(message.payload)
        y = (fix["lat"] - 30.5) * metres
        x = (fix["lon"] - 151.5) * metres * np.cos(np.radians(30.5))
        assert roads.contains(Point(x, y)), fix
        moving += "vel" in fix
    assert moving > 100


def test_a_bike_does_not_jump(namiki):
    last = {}
    for message in play(make(namiki), 900):
        if message.topic.startswith("owntracks"):
            fix = json.loads(message.payload)
            here = fix["lat"] * 111_195, fix["lon"] * 95_800
            now = message.at
            if message.topic in last:
                then, there = last[message.topic]
                assert Point(here).distance(Point(there)) < 6 * (now - then) + 40
            last[message.topic] = now, here


def test_an_island_has_its_own_weather_people_and_names(namiki):
    world = World(namiki, find_scenario("ordinary-day"), start=START, seed=1, scale=SCALES["city"])
    assert world.devices == 9_982
    topics = {message.topic for message in play(world, 10)}
    assert len(topics) == 9_982
    assert "ul/namiki-river/i0013-gauge-nami-01/attrs" in topics
    assert not (world.people.present()[:120] == world.people.present()[120:240]).all()


def test_a_hamlet_carries_a_hundred_devices_on_the_same_physics(namiki):
    hamlet, town = make(namiki, scale=SCALES["hamlet"]), make(namiki)
    own, all_of_them = play(hamlet, 120), play(town, 120)
    assert hamlet.devices == len({message.topic for message in own}) == 103
    assert {message.topic for message in own} < {message.topic for message in all_of_them}
    assert (hamlet.paddies.depth == town.paddies.depth).all()


def test_a_metropolis_has_a_million_devices():
    scale = SCALES["metropolis"]
    assert scale.islands * 713 == 1_000_339
    assert len({tuple(place) for place in scale.offsets().tolist()}) == scale.islands


def test_a_scenario_sets_interval_and_quality_of_service(namiki):
    often = Device(kind="river-gauge", interval=Seconds(30), qos=0)
    scenario = Scenario(name="often", title=Title(ja="", en=""), description="", devices=(often,))
    world = World(namiki, scenario, start=START, seed=1)
    play(world, 60)
    gauges = [message for message in play(world, 300) if message.kind == wire.RIVER_GAUGE]
    assert len(gauges) == 650
    assert {message.qos for message in gauges} == {0}


def test_roads_are_lines(namiki):
    assert all(isinstance(f.shape, LineString) for f in namiki.features if f.kind in ("road", "river"))
