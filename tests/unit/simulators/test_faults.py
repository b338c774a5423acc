import json
import math
from collections import defaultdict
from datetime import datetime

import pytest
from machinami_simulators.cli import _dial
from machinami_simulators.devices.faults import KINDS
from machinami_simulators.errors import InvalidOption
from machinami_simulators.scenario import Fault, Seconds, find_scenario
from machinami_simulators.truth import Fault as TruthOfFault
from machinami_simulators.truth import Reading
from machinami_simulators.world import World
from unit.simulators.test_world import START, play
from unit.simulators.truths import Remembered

GAUGE = "gauge-nami-01"


def run(namiki, seconds, gauge=GAUGE, **fault):
    """Messages and truth of a city where one gauge has a fault."""
    truth = Remembered()
    dial = Fault(**{"of": gauge, **fault})
    world = World(namiki, find_scenario("ordinary-day"), start=START, seed=1, dials=[dial], truth=truth)
    own = [m for m in play(world, seconds) if m.topic == f"ul/namiki-river/{gauge}/attrs"]
    return own, truth


def levels(messages):
    return [float(message.payload.split(b"|")[2]) for message in messages]


def stamps(messages):
    times = [message.payload.split(b"|")[0].decode() for message in messages]
    return [datetime.fromisoformat(time).timestamp() for time in times]


def test_every_kind_is_known_to_scenario_files():
    assert set(KINDS) == set(Fault.__annotations__["kind"].__args__)


def test_a_fault_is_written_to_the_truth(namiki):
    _, truth = run(namiki, 60, kind="stuck", after=Seconds(30), lasts=Seconds(90))
    (fault,) = truth.of(TruthOfFault)
    assert (fault.device, fault.kind, fault.start, fault.end) == (GAUGE, "stuck", START + 30, START + 120)
    assert json.loads(fault.parameters) == {"chance": 1.0, "amount": 0.0}


def test_stuck_repeats_while_the_truth_moves(namiki):
    gauge = "gauge-nami-26"  # the tide never rests
    own, truth = run(namiki, 1200, gauge, kind="stuck")
    assert len(set(levels(own))) == 1
    readings = [row for row in truth.of(Reading) if row.device == gauge]
    assert len({row.reported for row in readings}) == 1
    assert len({row.true for row in readings}) > 5


def test_a_unit_mistake_is_a_hundred_times_too_much(namiki):
    right, _ = run(namiki, 600, kind="duplicate", of="paddy")
    wrong, _ = run(namiki, 600, kind="unit")
    assert levels(wrong) == pytest.approx([100 * level for level in levels(right)], rel=0.01)


@pytest.mark.parametrize(("kind", "least"), [("spike", 2.9), ("noise", 0.05), ("drift", 0.01)])
def test_spoilt_numbers_differ_from_the_truth(namiki, kind, least):
    _, truth = run(namiki, 3600, kind=kind, chance=1.0 if kind == "spike" else None)
    errors = [abs(row.reported - row.true) for row in truth.of(Reading) if row.device == GAUGE]
    assert max(errors) > least


def test_a_wrong_clock_stamps_but_does_not_delay(namiki):
    own, _ = run(namiki, 600, kind="clock-skew", amount=90.0)
    assert {stamp - message.at for stamp, message in zip(stamps(own), own, strict=True)} == {90.0}
    own, _ = run(namiki, 3600, kind="clock-drift", amount=2400.0)
    assert stamps(own)[-1] - own[-1].at == pytest.approx(100, abs=3)


def test_a_flat_battery_is_silent_for_good(namiki):
    own, truth = run(namiki, 3600, kind="battery", amount=600.0)
    (fault,) = truth.of(TruthOfFault)
    assert math.isinf(fault.end)
    assert all(message.at < fault.start for message in own)


def test_an_outage_ends_with_everything_at_once_in_order_with_its_own_times(namiki):
    own, _ = run(namiki, 3600, kind="outage", after=Seconds(600), lasts=Seconds(1800))
    late = [message for message in own if START + 2400 <= message.at < START + 2403]
    assert len(late) == 30
    assert stamps(late) == sorted(stamps(late))
    assert stamps(late)[0] < START + 670
    assert not [message for message in own if START + 600 <= message.at < START + 2400]


def test_late_messages_come_out_of_order_and_duplicates_twice(namiki):
    own, _ = run(namiki, 3600, kind="late", chance=0.3)
    assert stamps(own) != sorted(stamps(own))
    assert [message.at for message in own] == sorted(message.at for message in own)
    twice, _ = run(namiki, 600, kind="duplicate", chance=1.0)
    assert twice[::2] == twice[1::2]


def test_some_readings_get_lost_and_some_are_not_allowed(namiki):
    all_of_them, _ = run(namiki, 3600, kind="duplicate", of="paddy")
    lost, truth = run(namiki, 3600, kind="dropout", chance=0.5)
    assert 0.3 < len(lost) / len(all_of_them) < 0.7
    assert len([row for row in truth.of(Reading) if row.device == GAUGE]) == len(lost)
    rare, _ = run(namiki, 3600, kind="duty-cycle", amount=3.0)
    assert len(rare) == pytest.approx(len(all_of_them) / 3, abs=1)


def test_a_new_firmware_speaks_otherwise_for_every_kind(namiki):
    dial = Fault(kind="firmware")
    old, new = (
        {
            m.topic: m.payload
            for m in play(World(namiki, find_scenario("ordinary-day"), start=START, seed=1, dials=d), 10)
        }
        for d in ([], [dial])
    )
    assert set(old) == set(new)
    changed = defaultdict(set)
    for topic, payload in old.items():
        changed[topic.split("/")[0]].add(payload != new[topic])
    assert set(changed) == {"v3", "ul", "minew", "camera", "owntracks", "gbfs"}
    assert all(True in seen for seen in changed.values())
    assert b"|level|" in new[f"ul/namiki-river/{GAUGE}/attrs"]


def test_sensor_decay_has_every_kind_of_fault_and_the_truth_of_each(namiki):
    scenario = find_scenario("sensor-decay")
    truth = Remembered()
    World(namiki, scenario, start=START, seed=1, truth=truth)
    assert {fault.kind for fault in scenario.faults} == set(KINDS)
    assert {row.kind for row in truth.of(TruthOfFault)} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_dial_is_written_to_the_truth_with_what_it_does(namiki, kind):
    truth = Remembered()
    dial = _dial(f"{kind}=1")
    world = World(namiki, find_scenario("ordinary-day"), start=START, seed=1, dials=[dial], truth=truth)
    faults = truth.of(TruthOfFault)
    able = [each.group for each in world.sensors if each.group.values or not KINDS[kind].numbers]
    assert {fault.device for fault in faults} == {name for group in able for name in group.names}
    assert {fault.kind for fault in faults} == {kind}
    assert {json.loads(fault.parameters)["chance"] for fault in faults} == {KINDS[kind].chance}
    amounts = {json.loads(fault.parameters)["amount"] for fault in faults}
    assert all(amounts) if KINDS[kind].amount else amounts == {0}


def test_a_fault_that_no_device_can_have_is_named(namiki):
    for fault in (Fault(kind="stuck", of="people-flow"), Fault(kind="dropout", of="gauge-rhine-*")):
        with pytest.raises(InvalidOption, match=f"fault {fault.kind}: no device"):
            World(namiki, find_scenario("ordinary-day"), start=START, seed=1, dials=[fault])
