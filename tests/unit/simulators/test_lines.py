import resource

import pytest
from machinami_simulators import lines, simulation
from machinami_simulators.errors import InvalidOption
from machinami_simulators.ledger import Ledger
from machinami_simulators.lines import find_lines
from machinami_simulators.scenario import Device, Scenario, Title, find_scenario
from machinami_simulators.sender import Sender
from machinami_simulators.stopping import Stop
from machinami_simulators.wire import Message
from machinami_simulators.world import World
from unit.simulators.helpers import Subscriber, ledger_rows, wait_for
from unit.simulators.test_world import START

MESSAGES = [Message("paddy", "gateway", f"a/{n}", b"") for n in range(100)]


def test_as_in_reality():
    line, window = find_lines("real", 700)
    assert {line(message) for message in MESSAGES} == {"gateway"}
    assert window == 20


def test_a_pool_shares_devices_out_and_each_keeps_its_connection():
    line, window = find_lines("8", 1_000_300)
    chosen = [line(message) for message in MESSAGES]
    assert len(set(chosen)) == 8
    assert chosen == [line(message) for message in MESSAGES]
    assert 1_000 < window < 65_535


def test_one_for_each_device_up_to_the_machines_limit():
    line, _ = find_lines("each", 101)
    assert len({line(message) for message in MESSAGES}) == 100
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with pytest.raises(InvalidOption, match=f"need more than the {hard:,} files that may be open"):
        find_lines("each", hard)


@pytest.mark.parametrize("text", ["0", "1000", "some", "-3"])
def test_what_is_not_understood_is_named(text):
    with pytest.raises(InvalidOption, match="Write real, each, or a number"):
        find_lines(text, 700)


@pytest.mark.parametrize("connections", ["3", "each"])
def test_all_of_it_arrives_on_any_kind_of_line(broker, tmp_path, namiki, connections):
    received = Subscriber(broker.port)
    world = World(namiki, find_scenario("ordinary-day"), start=START, seed=1)
    line, window = find_lines(connections, world.devices)
    clock = simulation.Clock(START, float("inf"))
    with (
        Ledger(tmp_path / "ledger", "test") as ledger,
        Sender("127.0.0.1", broker.port, ledger, window=window, line=line) as sender,
    ):
        result = simulation.run(world, clock, sender, Stop(), until=START + 30)
        assert len(sender._connections) == (713 if connections == "each" else 3)
    assert result.sent == result.acknowledged > 713
    wait_for(lambda: len(received.payloads) >= result.sent, "all messages")
    received.close()
    assert sorted(received.payloads) == sorted(
        (topic, payload) for _, topic, payload, _ in ledger_rows(tmp_path)
    )


def test_quality_of_service_zero_is_promised_to_nobody(broker, tmp_path, namiki):
    received = Subscriber(broker.port)
    devices = (Device(kind="river-gauge", qos=0),)
    scenario = Scenario(name="qos", title=Title(ja="", en=""), description="", devices=devices)
    world = World(namiki, scenario, start=START, seed=1)
    with (
        Ledger(tmp_path / "ledger", "test") as ledger,
        Sender("127.0.0.1", broker.port, ledger, window=100, line=lines.own_connection) as sender,
    ):
        clock = simulation.Clock(START, float("inf"))
        result = simulation.run(world, clock, sender, Stop(), until=START + 10)
        wait_for(lambda: len(received.payloads) >= 713, "all messages")
    received.close()
    assert result.sent == result.acknowledged == 713
    assert {kind for kind, *_ in ledger_rows(tmp_path)} == {
        "paddy",
        "people-flow",
        "people-camera",
        "rental-bike",
    }
