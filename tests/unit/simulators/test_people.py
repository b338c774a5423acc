"""A tourism officer finds nothing silly."""

import json
from collections import Counter, defaultdict
from datetime import datetime

import numpy as np
import pytest
from machinami_simulators import wire
from machinami_simulators.truth import Dwell, Flow, Presence, Reading
from unit.simulators.test_world import START, make, play
from unit.simulators.truths import Remembered


@pytest.fixture(scope="module")
def day(namiki):
    truth = Remembered()
    start = datetime.fromisoformat("2026-11-20T04:00:00+09:00").timestamp()
    world = make(namiki, start=start, truth=truth)
    world.people.advance(start + 24 * 3600)
    return world, truth


def test_people_follow_the_hour(namiki):
    at = {hour: datetime.fromisoformat(f"2026-11-20T{hour:02d}:00:00+09:00").timestamp() for hour in (3, 18)}
    station = [i for i, receiver in enumerate(namiki.receivers) if receiver.place.kind == "station"]
    counts = {hour: make(namiki, start=start).people.present()[station].sum() for hour, start in at.items()}
    assert counts[18] > 10 * counts[3]


def test_nobody_is_in_shops_and_museums_in_the_small_hours(day):
    _, truth = day
    small_hours = {datetime.fromisoformat(f"2026-11-21T0{hour}:00:00+09:00").timestamp() for hour in (2, 3)}
    people = {row.place: row.mean for row in truth.of(Presence) if row.hour in small_hours}
    closed = {"museum", "nishihama-aquarium", "craft-village", "shopping-mall", "city-hall", "farm-stand"}
    assert max(people[place] for place in closed) < 1
    assert people["yunotani-onsen"] > 5  # its guests sleep there


def test_nobody_is_in_a_museum_before_it_opens_or_after_it_closes(day):
    crowds = defaultdict(float)
    for row in day[1].of(Presence):
        crowds[row.place, (row.hour + 9 * 3600) // 3600 % 24] += row.mean
    assert all(crowds["museum", hour] == 0 for hour in (6, 7, 8, 18, 19, 20, 21))
    assert crowds["museum", 10] > 5
    assert crowds["museum", 16] > 5


def test_crowds_stay_in_balance(namiki):
    world = make(namiki, start=START + 3600)
    world.people.advance(START + 3 * 3600)
    expected = world.people.expected(world.people.time).sum()
    assert world.people.present().sum() == pytest.approx(expected, rel=0.12)


def test_people_are_neither_made_nor_lost(day):
    """Who came to a place has left it, is there, or is just being counted; the same for the whole city."""
    world, truth = day
    came, went = Counter(), Counter()
    for flow in truth.of(Flow):
        came[flow.destination] += flow.people
        went[flow.origin] += flow.people
    stays = Counter(dwell.place for dwell in truth.of(Dwell))
    there = world.people.here.place
    for index, place in enumerate(world.people.tally.names):
        under_way = (world.people._coming.place == index).sum()
        assert came[place] == stays[place] + (there == index).sum() + under_way
    going_on = sum(came.values()) - came["home"] - came["outside"] - went["home"] - went["outside"]
    gone_home = came["home"] + came["outside"]
    assert sum(stays.values()) == going_on + gone_home


def test_people_go_on_to_other_places_and_more_to_near_ones(day):
    flows = Counter()
    for flow in day[1].of(Flow):
        flows[flow.origin, flow.destination] += flow.people
    assert flows["castle-ruin", "market-street"] > flows["castle-ruin", "misaki-lighthouse"]
    assert sum(people for (origin, _), people in flows.items() if origin == "museum") > 100


def test_visitors_see_sights_and_residents_go_to_school(day):
    seen = defaultdict(Counter)
    for row in day[1].of(Presence):
        seen[row.place].update(residents=row.residents, visitors=row.visitors)
    assert seen["castle-ruin"]["visitors"] > seen["castle-ruin"]["residents"]
    assert seen["namiki-university"]["residents"] > 10 * seen["namiki-university"]["visitors"]


def test_presence_of_an_hour_is_what_dwell_times_add_up_to(day):
    truth = day[1]
    spent = sum(dwell.seconds for dwell in truth.of(Dwell) if dwell.place == "market-street")
    mean = sum(row.mean for row in truth.of(Presence) if row.place == "market-street")
    assert mean * 3600 == pytest.approx(spent, rel=0.05)


def test_a_typhoon_drives_tourists_away(namiki):
    truth = Remembered()
    world = make(namiki, "typhoon", truth=truth)
    world.skip_to(START + 13 * 3600)
    visitors = Counter()
    for row in truth.of(Presence):
        visitors[(row.hour - START) // 3600] += row.visitors
    assert visitors[11.0] < 0.25 * visitors[3.0]


def test_addresses_are_random_ones_and_change_after_a_quarter_of_an_hour(namiki):
    world = make(namiki)
    first, second = (_addresses(play(world, 60)) for _ in range(2))
    assert all(address[1] in "26AE" for address in first)
    assert len(first & second) > 0.6 * len(first)
    people = world.people
    everybody = np.arange(people.here.place.size)
    now, soon, later = (
        people.addresses(everybody, np.full(everybody.size, world.now + s)) for s in (0, 10, 900)
    )
    assert 0.95 < (now == soon).mean() < 1.0
    on = now > 0
    assert 0.88 < on.mean() < 0.95
    assert (now[on] != later[on]).all()


def test_staff_never_leave(namiki):
    world = make(namiki)
    play(world, 60)
    staff = [_addresses(play(world, 60), "iBeacon") for _ in range(2)]
    assert len(staff[0]) == 240
    assert staff[0] == staff[1]


def test_a_camera_counts_about_as_many_as_come_and_go(namiki):
    truth = Remembered()
    counts = [
        json.loads(message.payload)
        for message in play(make(namiki, truth=truth), 3600)
        if message.topic == "camera/namiki/camera-namiki-station/count"
    ]
    spans = [datetime.fromisoformat(c["to"]) - datetime.fromisoformat(c["from"]) for c in counts]
    assert {span.total_seconds() for span in spans[2:]} == {300.0}
    rows = [row for row in truth.of(Reading) if row.device == "camera-namiki-station"]
    assert [row.reported for row in rows] == [count["in"] for count in counts]
    entered, seen = sum(row.true for row in rows), sum(row.reported for row in rows)
    assert entered > 1000
    assert 0.7 * entered < seen < entered
    assert sum(count["out"] for count in counts) == pytest.approx(seen, rel=0.3)


def _addresses(messages, kind="Unknown"):
    reports = [json.loads(m.payload) for m in messages if m.kind == wire.PEOPLE_FLOW]
    return {record["mac"] for report in reports for record in report if record["type"] == kind}
