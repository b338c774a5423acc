import json
import re
from collections import Counter, defaultdict
from datetime import datetime

import numpy as np
import pytest
from machinami_simulators import wire
from machinami_simulators.scenario import SCENARIOS, find_scenario
from machinami_simulators.world import World
from shapely import LineString, Point, prepare, union_all

START = datetime.fromisoformat("2026-11-20T08:00:00+09:00").timestamp()  # a Friday morning


def make(namiki, scenario="ordinary-day", *, start=START, speed=1.0, seed=1):
    return World(namiki, find_scenario(scenario), start=start, speed=speed, seed=seed)


def play(world, seconds):
    end = world.now + seconds
    messages = []
    while world.now < end:
        messages += [(world.now, message) for message in world.step()]
    return messages


def let(world, asset, seconds, dt=60.0):
    """Only one kind of device, in long steps."""
    end = world.now + seconds
    while world.now < end:
        world.now += dt
        list(asset.step(world.now, dt))


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("speed", [1, 600])
def test_same_seed_gives_the_same_bytes_in_the_same_order(namiki, scenario, speed):
    one, other = (play(make(namiki, scenario, speed=speed), 300) for _ in range(2))
    assert one == other


def test_another_seed_gives_another_day(namiki):
    assert play(make(namiki, seed=1), 60) != play(make(namiki, seed=2), 60)


def test_every_device_reports_within_ten_seconds(namiki):
    topics = {message.topic for _, message in play(make(namiki), 10)}
    assert len(topics) == 300 + 60 + 120 + 200 + 20


def test_devices_report_at_their_interval(namiki):
    world = make(namiki)
    play(world, 600)
    counts = Counter(message.topic for _, message in play(world, 1200))
    by_form = defaultdict(set)
    for topic, count in counts.items():
        by_form[re.sub(r"[a-z]*-?\d+$|(paddy|receiver|gauge-[a-z]+)-\d+", "*", topic)].add(count)
    assert by_form["v3/namiki-paddy@namiki/devices/*/up"] == {2}
    assert by_form["ul/namiki-river/*/attrs"] == {20}
    assert by_form["minew/namiki/*/status"] == {20}
    assert by_form["gbfs/namiki/station_status/*"] == {10}


def test_no_device_says_two_things_for_the_same_second(namiki):
    seen = Counter((now, message.topic) for now, message in play(make(namiki), 1800))
    assert max(seen.values()) == 1


def test_topics_and_clients_suit_the_broker(namiki):
    for _, message in play(make(namiki), 60):
        assert not re.search(r"[ +#.]", message.topic)
        assert not re.search(r"[ .]", message.connection)
        assert message.kind in wire.KINDS


def test_connections_are_those_of_reality(namiki):
    by_kind = defaultdict(set)
    for _, message in play(make(namiki), 15):
        by_kind[message.kind].add(message.connection)
    assert {kind: len(names) for kind, names in by_kind.items()} == {
        "paddy": 1,
        "river-gauge": 60,
        "people-flow": 6,
        "rental-bike": 201,
    }


def test_moving_bikes_keep_to_the_streets(namiki):
    roads = union_all([f.shape for f in namiki.features if f.kind == "road"]).buffer(25, quad_segs=2)
    prepare(roads)
    metres = 111_195.0
    moving = 0
    for _, message in play(make(namiki), 300):
        if not message.topic.startswith("owntracks"):
            continue
        fix = json.loads(message.payload)
        y = (fix["lat"] - 30.5) * metres
        x = (fix["lon"] - 151.5) * metres * np.cos(np.radians(30.5))
        assert roads.contains(Point(x, y)), fix
        moving += "vel" in fix
    assert moving > 100


def test_bikes_are_somewhere_and_ports_count_them(namiki):
    world = make(namiki)
    capacity = np.array([port.capacity for port in namiki.ports])
    before = world.fleet.parked()
    changed = set()
    for _ in range(3 * 360):
        let(world, world.fleet, 10, dt=10.0)
        parked = world.fleet.parked()
        assert (parked <= capacity).all()
        assert parked.sum() + (world.fleet.port < 0).sum() == 200
        changed |= set(np.flatnonzero(parked != before).tolist())
    assert len(changed) > 15


def test_a_bike_does_not_jump(namiki):
    last = {}
    for now, message in play(make(namiki), 900):
        if message.topic.startswith("owntracks"):
            fix = json.loads(message.payload)
            here = fix["lat"] * 111_195, fix["lon"] * 95_800
            if message.topic in last:
                then, there = last[message.topic]
                assert Point(here).distance(Point(there)) < 6 * (now - then) + 40
            last[message.topic] = now, here


def test_heavy_rain_passes_the_danger_level_of_one_river_within_twenty_minutes(namiki):
    world = make(namiki, "heavy-rain")
    play(world, 20 * 60)
    over = Counter(
        gauge.river.id
        for gauge, level in zip(namiki.gauges, world.rivers.levels(world.now), strict=True)
        if level > gauge.levels[3]
    )
    assert over["sagisawa"] >= 5
    assert set(over) <= {"sagisawa", "nami"}


def test_a_flood_travels_downstream(namiki):
    world = make(namiki, "heavy-rain")
    passed = {}
    for _ in range(360):
        let(world, world.rivers, 10, dt=10.0)
        for index, level in enumerate(world.rivers.levels(world.now)[:16]):
            if level > namiki.gauges[index].levels[1]:
                passed.setdefault(index, world.now)
    times = [passed[index] for index in range(16)]
    assert times == sorted(times)
    assert times[-1] - times[0] > 300


def test_an_ordinary_day_passes_no_threshold(namiki):
    world = make(namiki)
    for _ in range(24 * 6):
        let(world, world.rivers, 600)
        levels = world.rivers.levels(world.now)
        assert all(level < gauge.levels[1] for gauge, level in zip(namiki.gauges, levels, strict=True))
        assert (levels > 0).all()


def test_water_is_neither_made_nor_lost_on_its_way(namiki):
    """After hours of steady rain each gauge lets pass what falls on the land above it."""
    world = make(namiki, speed=600)
    world.weather.rain = lambda _now: np.full(3, 10.0)
    let(world, world.rivers, 12 * 3600)
    out = world.rivers._storage / world.rivers._lag
    assert out == pytest.approx(world.rivers._area * (0.45 + 0.7 * 10.0), rel=0.01)


def test_paddies_stay_wet_and_within_their_ridges(namiki):
    world = make(namiki, speed=600)
    start = world.paddies.depth.copy()
    let(world, world.paddies, 2 * 86_400)
    assert (world.paddies.depth > 0).all()
    assert (world.paddies.depth <= 110).all()
    assert (world.paddies.depth != start).all()


def test_an_unvisited_paddy_falls_by_its_loss(namiki):
    world = make(namiki, speed=600)
    world.weather.rain = lambda _now: np.zeros(3)
    world.paddies._open[:] = False
    world.paddies._visit[:] = 99.0
    before = world.paddies.depth.copy()
    let(world, world.paddies, 86_400)
    assert before - world.paddies.depth == pytest.approx(np.minimum(before, world.paddies._loss), rel=1e-6)


def test_people_follow_the_hour(namiki):
    at = {hour: datetime.fromisoformat(f"2026-11-20T{hour:02d}:00:00+09:00").timestamp() for hour in (3, 18)}
    station = [i for i, receiver in enumerate(namiki.receivers) if receiver.place.kind == "station"]
    counts = {hour: make(namiki, start=start).people.present()[station].sum() for hour, start in at.items()}
    assert counts[18] > 10 * counts[3]


def test_people_flow_stays_in_balance(namiki):
    world = make(namiki, start=START + 3600)
    let(world, world.people, 3600)
    expected = world.people.expected(world.now).sum()
    assert world.people.present().sum() == pytest.approx(expected, rel=0.1)


def test_addresses_are_random_ones_and_stay_for_a_visit(namiki):
    world = make(namiki)
    first, second = (_addresses(play(world, 60)) for _ in range(2))
    assert all(address[1] in "26AE" for address in first)
    assert len(first & second) > 0.6 * len(first)
    let(world, world.people, 4 * 3600)
    assert len(first & _addresses(play(world, 60))) < 0.1 * len(first)


def _addresses(messages):
    reports = [json.loads(m.payload) for _, m in messages if m.kind == wire.PEOPLE_FLOW]
    return {record["mac"] for report in reports for record in report if record["type"] == "Unknown"}


def test_the_same_physics_whatever_the_step(namiki):
    slow, fast = make(namiki, "heavy-rain", speed=1), make(namiki, "heavy-rain", speed=600)
    play(slow, 1800)
    play(fast, 1800)
    assert fast.rivers.levels(fast.now) == pytest.approx(slow.rivers.levels(slow.now), rel=0.05, abs=0.02)


def test_roads_are_lines(namiki):
    assert all(isinstance(f.shape, LineString) for f in namiki.features if f.kind in ("road", "river"))
