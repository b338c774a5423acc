from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami.model import Message
from machinami_loadtests.bare import FIELDS, rows
from machinami_loadtests.meters import Plan
from machinami_simulators import packets

# Written out from the examples of MQTT 3.1.1, clauses 2.2.3, 3.1, 3.3 and 3.4.
_CONNECT = bytes.fromhex("100d 0004 4d515454 04 02 003c 0001 61")
_PUBLISH = bytes.fromhex("32 09 0003 612f62 000a 4869")


def test_connect_is_as_the_standard_writes_it() -> None:
    assert packets.connect("a") == _CONNECT


def test_publish_is_as_the_standard_writes_it() -> None:
    assert packets.publish("a/b", b"Hi", 10) == _PUBLISH


def test_a_session_may_be_kept_and_a_message_sent_again() -> None:
    assert packets.connect("a", clean=False) == _CONNECT.replace(b"\x04\x02\x00", b"\x04\x00\x00")
    assert packets.publish("a/b", b"Hi", 10, again=True) == b"\x3a" + _PUBLISH[1:]


@pytest.mark.parametrize(("size", "length"), [(0, 1), (122, 1), (123, 2), (16_378, 2), (16_379, 3)])
def test_remaining_length_grows_by_seven_bits(size: int, length: int) -> None:
    # topic "t" and packet id take five bytes of the remaining length
    assert len(packets.publish("t", bytes(size), 1)) == 1 + length + 5 + size


@given(st.integers(0, 200_000))
def test_packet_ids_are_never_zero_and_never_the_same_within_a_window(number: int) -> None:
    assert 1 <= packets.packet_id(number) <= packets.LAST_ID
    assert packets.packet_id(number) != packets.packet_id(number + 4_096)


def test_acknowledgements_are_those_of_the_packets() -> None:
    assert packets.acknowledgements(65_534, 65_536) == bytes.fromhex("4002ffff 40020001")


def numbered(messages: int, devices: int) -> Plan:
    return Plan(name="p", messages=messages, devices=devices, start=datetime(2026, 1, 1, tzinfo=UTC))


@given(messages=st.integers(1, 200), devices=st.integers(1, 50), connections=st.integers(1, 4))
def test_a_plan_sends_every_message_once_and_each_device_by_one_connection(
    messages: int, devices: int, connections: int
) -> None:
    plan = numbered(messages, devices)
    sent = [list(plan.numbers(line, connections)) for line in range(connections)]
    assert sorted(number for line in sent for number in line) == list(range(messages))
    assert len({plan.message(number) for number in range(messages)}) == messages
    assert sum(plan.shares(connections)) == pytest.approx(1)
    used = [{plan.device(number) for number in line} for line in sent]
    assert sum(len(part) for part in used) == len(set().union(*used))


@given(
    messages=st.integers(1, 700),
    devices=st.integers(1, 50),
    connections=st.integers(1, 4),
    qos=st.integers(0, 1),
)
def test_packets_made_from_pieces_are_those_of_the_messages(
    messages: int, devices: int, connections: int, qos: int
) -> None:
    plan = numbered(messages, devices)
    for line in range(connections):
        whole = map(plan.message, plan.numbers(line, connections))
        assert list(plan.packets(line, connections, qos)) == packets.publishes(whole, qos)


def test_bare_rows_are_four_a_message() -> None:
    plan = Plan(name="p", messages=3, devices=2, start=datetime(2026, 1, 1, tzinfo=UTC))
    messages = [
        Message(sequence=n, topic=topic, payload=payload, received_at=plan.start)
        for n, (topic, payload) in enumerate(map(plan.message, range(3)), 1)
    ]
    series: dict[str, int] = {}
    data = rows(messages, series)
    assert len(data) == 19 + 3 * len(FIELDS) * 34 + 2
    assert list(series.values()) == [0, 4]
