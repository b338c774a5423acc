from collections import Counter, defaultdict

import numpy as np
import pytest
from machinami_simulators.physics.routes import Routes
from machinami_simulators.truth import Reading, Trip
from shapely import LineString, Point
from unit.simulators.test_world import START, make, play
from unit.simulators.truths import Remembered


def test_bikes_are_conserved_and_docks_hold_them(namiki):
    bikes = make(namiki).bikes
    capacity = np.array([port.capacity for port in namiki.ports])
    before, changed = bikes.parked.copy(), set()
    for tick in range(3 * 360):
        bikes.advance(START + 10 * tick)
        assert (bikes.parked <= capacity).all()
        assert (bikes.parked == np.bincount(bikes.port[bikes.port >= 0], minlength=20)).all()
        assert bikes.parked.sum() + bikes.moving().sum() == 200
        changed |= set(np.flatnonzero(bikes.parked != before).tolist())
    assert len(changed) > 15


def test_each_bike_goes_on_from_where_it_came_to(namiki):
    truth = Remembered()
    make(namiki, truth=truth).bikes.advance(START + 8 * 3600)
    last = {}
    for trip in truth.of(Trip):
        assert trip.start < trip.end
        assert trip.metres >= 400
        if trip.bike in last:
            assert trip.origin == last[trip.bike].destination
            assert trip.start >= last[trip.bike].end - 10
        last[trip.bike] = trip


def test_vans_carry_bikes_from_full_to_empty_ports(namiki):
    truth = Remembered()
    make(namiki, truth=truth).bikes.advance(START + 8 * 3600)
    moved = [trip for trip in truth.of(Trip) if trip.moved]
    assert 0 < len(moved) < len(truth.of(Trip)) / 5


def test_a_festival_leaves_ports_without_bikes_and_others_without_docks(namiki):
    shares = {}
    for scenario in ("ordinary-day", "festival"):
        truth = Remembered()
        play(make(namiki, scenario, truth=truth), 8 * 3600)
        ports = [row for row in truth.of(Reading) if row.quantity == "bikes"]
        capacity = {port.id: port.capacity for port in namiki.ports}
        empty = Counter(row.device for row in ports if row.true == 0)
        full = Counter(row.device for row in ports if row.true == capacity[row.device])
        shares[scenario] = (sum(empty.values()) / len(ports), sum(full.values()) / len(ports))
        assert (len(empty) > 4 and len(full) > 4) == (scenario == "festival")
    assert shares["festival"][0] > 2 * shares["ordinary-day"][0]
    assert shares["festival"][1] > shares["ordinary-day"][1]


def test_nobody_rides_in_a_typhoon(namiki):
    world = make(namiki, "typhoon")
    world.skip_to(START + 13 * 3600)
    assert world.bikes.moving().sum() < 5


def test_rain_keeps_riders_at_home(namiki):
    dry, wet = make(namiki).bikes, make(namiki).bikes
    wet._weather.rain = lambda _now: np.full(3, 10.0)
    assert wet._wanted(START) < 0.2 * dry._wanted(START)


def test_a_route_is_followed_from_end_to_end(namiki):
    routes = Routes(namiki)
    ways = defaultdict(list)
    for goal, port in enumerate(namiki.ports[1:], 1):
        (way,) = routes.between(np.array([0]), np.array([goal]))
        line = namiki.streets.routes(namiki.ports[0].at, [port.at])[port.at]
        for part in (0.0, 0.3, 0.77, 1.0, 2.0):
            (here,) = routes.at(np.array([way]), np.array([part * routes.metres[way]]))
            expected = LineString(line).interpolate(min(part, 1.0), normalized=True)
            assert Point(here).distance(expected) < 1e-6
            ways[goal].append(here)
    assert len(ways) == 19


def test_fixes_are_lost_between_high_houses(namiki):
    world = make(namiki)
    messages = [m for m in play(world, 600) if m.topic.startswith("owntracks") and b'"vel"' in m.payload]
    gaps = Counter()
    last = {}
    for message in messages:
        if message.topic in last:
            gaps[message.at - last[message.topic]] += 1
        last[message.topic] = message.at
    assert gaps[10.0] > 5 * gaps[20.0] > 0


@pytest.mark.parametrize("hour", [3, 17])
def test_demand_follows_the_hour(namiki, hour):
    bikes = make(namiki).bikes
    trips = bikes._wanted(START + (hour - 8) * 3600)
    assert 0 < trips < 0.03 if hour == 3 else trips > 0.25


def test_a_bike_makes_as_many_trips_on_a_weekday_as_those_of_docked_schemes(namiki):
    truth = Remembered()
    world = make(namiki, start=START + 64 * 3600, truth=truth)  # Monday, from midnight
    world.bikes.advance(START + 88 * 3600)
    trips = [trip for trip in truth.of(Trip) if not trip.moved]
    assert 4 < len(trips) / len(world.bikes.names) < 6
    assert 5 < np.mean([trip.end - trip.start for trip in trips]) / 60 < 15
