"""What becomes of every kind of message, from device to row: the table in docs/ingestion.md, tested."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from devices import publish
from machinami.connect.router import Router
from machinami.local.broker import LARGEST_PAYLOAD, Broker
from machinami.store.intake import Counters
from machinami.stream.client import MessageStream, StreamLimits, open_stream
from machinami.stream.qos0 import take_in_qos0
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from pipeline import METER, current, drain, history, reasons, router, rows, write_connector
from sqlalchemy import Engine

NOON = "2026-01-01T12:00:00Z"
METER_A = "urn:ngsi-ld:Meter:a"


class City:
    """A city, seen by one device and by somebody who asks the database."""

    def __init__(self, broker: Broker, stream: MessageStream, engine: Engine, mapper: Router) -> None:
        self.broker = broker
        self.stream = stream
        self.engine = engine
        self.mapper = mapper

    async def take(self, *payloads: bytes, topic: str = "meter/a") -> Counters:
        """Publish with QoS 1, in order, and store all."""
        messages = [(topic, payload) for payload in payloads]
        await asyncio.to_thread(publish, self.broker, messages)
        return await self.drain()

    async def drain(self) -> Counters:
        return await drain(self.stream, self.engine, self.mapper)

    def history(self, attribute: str = "level") -> list[tuple[Any, ...]]:
        return history(self.engine, attribute)

    def reasons(self) -> list[tuple[Any, ...]]:
        return reasons(self.engine)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One broker for all tests of this file: each empties its stream first."""
    broker = Broker(tmp_path_factory.mktemp("broker"))
    broker.start(devices=False)
    asyncio.run(make_stream(broker))
    broker.stop()
    broker.start()
    yield broker
    broker.stop()


async def make_stream(broker: Broker) -> None:
    async with open_stream(broker.nats, broker.password, StreamLimits()):
        pass


@pytest.fixture
async def stream(broker: Broker) -> AsyncIterator[MessageStream]:
    async with open_stream(broker.nats, broker.password) as stream:
        await stream.forget((await stream.state()).last)
        yield stream


@pytest.fixture
async def city(broker: Broker, stream: MessageStream, engine: Engine, tmp_path: Path) -> City:
    return City(broker, stream, engine, router(write_connector(tmp_path)))


def reading(at: str = NOON, **values: Any) -> bytes:
    return orjson.dumps({"at": at, **values})


def day(number: int) -> str:
    return f"2026-01-{number:02d}T00:00:00Z"


async def test_a_duplicate_is_stored_once(city: City) -> None:
    counters = await city.take(*[reading(level=1.5)] * 2)
    assert (counters.committed, counters.observations, counters.repeated) == (2, 1, 1)
    assert city.history() == [(NOON, 1.5, None)]


async def test_a_duplicate_in_a_later_batch_is_stored_once(city: City) -> None:
    await city.take(reading(level=1.5))
    counters = await city.take(reading(level=1.5))
    assert (counters.observations, counters.repeated) == (1, 1)


async def test_the_same_time_with_another_value_is_a_correction(city: City) -> None:
    counters = await city.take(reading(level=1), reading(level=2))
    assert (counters.observations, counters.repeated) == (1, 1)
    counters = await city.take(reading(level=3))
    assert city.history() == [(NOON, 3.0, None)]
    assert current(city.engine, METER_A) == 3
    assert (counters.observations, counters.repeated) == (1, 2)


async def test_out_of_order_and_days_late_history_has_all_and_the_newest_stays_current(city: City) -> None:
    await city.take(*(reading(day(number), level=number) for number in (20, 22, 21)))
    await city.take(reading(day(2), level=2))
    assert [row[:2] for row in city.history()] == [(day(number), float(number)) for number in (2, 20, 21, 22)]
    assert current(city.engine, METER_A) == 22


async def test_the_future_is_taken_for_a_day_and_refused_beyond(city: City) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    near, far = ((now + timedelta(hours=hours)).isoformat() for hours in (23, 25))
    counters = await city.take(reading(near, level=1), reading(far, level=2))
    assert (counters.committed, counters.quarantined) == (1, 1)
    [(field, reason, partial)] = city.reasons()
    assert (field, partial) == ("at", False)
    assert "ahead of its reception" in reason


async def test_a_clock_that_jumps_fills_history_at_the_times_it_told(city: City) -> None:
    """Ahead, which stays current until time has caught up; back; and to 1970, as without a battery."""
    jumps = ("2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-01-01T00:01:00Z", "1970-01-01T00:00:07Z")
    await city.take(*(reading(at, level=number) for number, at in enumerate(jumps)))
    assert [row[1] for row in city.history()] == [3, 0, 2, 1]
    assert current(city.engine, METER_A) == 1
    await city.take(reading("1969-12-31T23:59:59Z", level=9))
    assert city.reasons() == [("at", "the time lies outside the years 1970 to 2200", False)]


async def test_a_value_of_another_type_is_kept_where_any_json_is_declared(city: City) -> None:
    values = [5, "five", True, [5], {"five": 5}, None, 5.5]
    sent = [reading(day(number), note=value) for number, value in enumerate(values, 1)]
    await city.take(*sent)
    kept = city.history("note")
    told = [row[1] if row[2] is None else row[2]["value"] for row in kept]
    assert told == [value for value in values if value is not None]
    assert current(city.engine, METER_A, "note") == 5.5


async def test_a_value_of_another_type_is_rejected_where_a_number_is_declared(city: City) -> None:
    counters = await city.take(reading(level="high", battery=3), reading(day(2), level="2.5", battery=4))
    assert (counters.committed, counters.quarantined) == (2, 0)
    assert city.history() == [(day(2), 2.5, None)]  # many gateways quote numbers
    assert [row[1] for row in city.history("battery")] == [3, 4]
    assert city.reasons() == [("level", "not a number", True)]


@pytest.mark.parametrize(
    ("literal", "reason"),
    [
        ('"NaN"', "not a finite number"),
        ('"-inf"', "not a finite number"),
        ("1e300", "greater than 9.0072e+15"),
        ("9007199254740993", "greater than 9.0072e+15"),
    ],
)
async def test_numbers_that_are_none_or_inexact_are_rejected_alone(
    city: City, literal: str, reason: str
) -> None:
    payload = b'{"at":"%s","level":%s,"battery":3}' % (NOON.encode(), literal.encode())
    await city.take(payload)
    assert (city.history(), len(city.history("battery"))) == ([], 1)
    assert city.reasons() == [("level", reason, True)]


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999"])
async def test_literals_that_json_does_not_have_spoil_the_message(city: City, literal: str) -> None:
    payload = b'{"at":"%s","level":%s,"battery":3}' % (NOON.encode(), literal.encode())
    counters = await city.take(payload)
    assert (counters.committed, counters.quarantined) == (0, 1)
    [(field, reason, partial)] = city.reasons()
    assert (field, partial) == ("payload", False)
    assert "not JSON" in reason


async def test_a_megabyte_is_taken_and_more_closes_the_connection(city: City) -> None:
    empty = len(reading(note=""))
    largest = reading(note="x" * (LARGEST_PAYLOAD - empty))
    assert len(largest) == LARGEST_PAYLOAD
    counters = await city.take(largest)
    assert (counters.committed, counters.quarantined) == (1, 0)
    assert len(current(city.engine, METER_A, "note")) == LARGEST_PAYLOAD - empty
    assert await asyncio.to_thread(refused, city.broker, "meter/a", b"x" * (LARGEST_PAYLOAD + 1024))
    assert (await city.take(reading(day(2), level=1))).committed == 2  # the others go on


def refused(broker: Broker, topic: str, payload: bytes, **options: Any) -> bool:
    """Whether the broker closes the connection of whoever publishes this, and acknowledges nothing."""
    client = Client(CallbackAPIVersion.VERSION2, client_id="large", reconnect_on_failure=False)
    cut_off: list[object] = []
    client.on_disconnect = lambda *arguments: cut_off.append(arguments)
    client.connect(str(broker.mqtt["host"]), int(broker.mqtt["port"]))
    client.loop_start()
    information = client.publish(topic, payload, qos=1, **options)
    deadline = time.monotonic() + 60
    while not cut_off and not information.is_published() and time.monotonic() < deadline:
        time.sleep(0.01)
    client.loop_stop()
    return bool(cut_off) and not information.is_published()


async def test_ten_thousand_members_nobody_declared_are_passed_over(city: City) -> None:
    counters = await city.take(reading(level=1, **{f"member{n}": n for n in range(10_000)}))
    assert (counters.committed, counters.observations, city.reasons()) == (1, 1, [])


async def test_ten_thousand_declared_attributes_are_ten_thousand_series(
    broker: Broker, stream: MessageStream, engine: Engine, tmp_path: Path
) -> None:
    names = [f"member{n}" for n in range(10_000)]
    head = METER.partition("[[message.attribute]]")[0]
    attributes = (f'[[message.attribute]]\nname = "{name}"\npath = "{name}"\n' for name in names)
    mapper = router(write_connector(tmp_path, head + "".join(attributes)))
    city = City(broker, stream, engine, mapper)
    payload = reading(**{name: number for number, name in enumerate(names)})
    counters = await city.take(payload, payload)
    assert (counters.observations, counters.repeated) == (10_000, 10_000)
    assert current(engine, METER_A, "member9999") == 9999


@pytest.mark.parametrize(
    ("depth", "kept"), [(15, True), (17, False), (1_000, False), (100_000, False), (500_000, False)]
)
async def test_deep_nesting_is_kept_to_a_depth_and_rejected_beyond(
    city: City, depth: int, kept: bool
) -> None:
    note = b"[" * depth + b"]" * depth
    counters = await city.take(b'{"at":"%s","level":1,"note":%s}' % (NOON.encode(), note))
    assert (counters.committed + counters.quarantined, len(city.reasons())) == (1, 0 if kept else 1)
    assert len(city.history("note")) == kept


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "the payload is empty"),
        (b"\xff\xfe", "not UTF-8 at byte 0"),
        (b'{"at":"2026-01-01T00:00:00Z","level":"\xe5"}', "not UTF-8 at byte 38"),
        (b"\x00", "not JSON"),
        (b"{}", "the time is missing"),
        (b'{"at":"2026-01-01T00:00:00Z"}', "no attribute of the manifest is in the payload"),
        (b"[1,2]", "the payload is neither a JSON object nor an array of objects"),
    ],
)
async def test_unreadable_bytes_are_quarantined_as_they_came(city: City, payload: bytes, reason: str) -> None:
    counters = await city.take(payload)
    assert (counters.committed, counters.quarantined) == (0, 1)
    assert city.reasons()[0][1].startswith(reason)
    assert rows(city.engine, "SELECT topic, payload FROM quarantine") == [("meter/a", payload)]


async def test_text_that_a_database_cannot_hold_is_rejected_alone(city: City) -> None:
    await city.take(b'{"at":"%s","level":1,"note":"a\\u0000b"}' % NOON.encode())
    assert (len(city.history()), city.history("note")) == (1, [])
    assert city.reasons() == [("note", "text with NUL or broken characters", True)]


async def test_a_message_with_endless_defects_fills_no_disk(city: City) -> None:
    """An array of bad readings: the payload is kept with the first reasons only, and the rest is counted."""
    sound = reading(level=1)
    bad = [{"at": NOON, "level": "x"}] * 5_000
    counters = await city.take(orjson.dumps([orjson.loads(sound), *bad]))
    found = city.reasons()
    assert (counters.committed, counters.observations, len(found)) == (1, 1, 20)
    assert found[-1][1] == "further defects in this message: 4,981"


@pytest.mark.parametrize(
    "topic", ["nobody/asked", "nobody", "/", "meter", "meter/a/b", "日本/語", "a.b/c", "$x/y"]
)
async def test_a_topic_nobody_declared_is_quarantined(city: City, topic: str) -> None:
    counters = await city.take(b"x", topic=topic)
    assert (counters.committed, counters.quarantined) == (0, 1)
    assert rows(city.engine, "SELECT topic, reason FROM quarantine") == [
        (topic, "no connector declares this topic")
    ]


async def test_a_topic_with_a_space_closes_the_connection(city: City) -> None:
    assert await asyncio.to_thread(refused, city.broker, "meter/a b", b"x")


async def test_a_retained_message_is_stored_once_however_often_it_is_delivered(city: City) -> None:
    messages = [("meter/a", reading(level=1))]
    await asyncio.to_thread(publish, city.broker, messages, retain=True)
    await city.drain()
    for name in ("one", "two"):  # each is given the retained message when it subscribes
        await asyncio.to_thread(hear_one, city.broker, name)
    city.broker.stop()
    city.broker.start()
    state = await city.stream.state()
    counters = await city.drain()
    assert (state.messages, counters.observations, counters.repeated) == (1, 1, 0)


async def test_clearing_a_retained_message_is_an_empty_message(city: City) -> None:
    await asyncio.to_thread(publish, city.broker, [("meter/a", b"")], retain=True)
    await city.drain()
    assert city.reasons() == [("payload", "the payload is empty", False)]


def hear_one(broker: Broker, name: str) -> None:
    """Subscribe, and wait for one message."""
    heard: list[bytes] = []
    client = Client(CallbackAPIVersion.VERSION2, client_id=name)
    client.on_message = lambda _client, _data, message: heard.append(message.payload)
    client.on_connect = lambda *_: client.subscribe("meter/#", qos=1)
    client.connect(str(broker.mqtt["host"]), int(broker.mqtt["port"]))
    client.loop_start()
    deadline = time.monotonic() + 60
    while not heard and time.monotonic() < deadline:
        time.sleep(0.01)
    client.disconnect()
    client.loop_stop()
    assert heard


async def test_a_will_is_a_message_like_any_other(city: City) -> None:
    def die() -> None:
        client = Client(CallbackAPIVersion.VERSION2, client_id="dying")
        client.will_set("meter/a", reading(level=7), qos=1)
        client.connect(str(city.broker.mqtt["host"]), int(city.broker.mqtt["port"]))
        client.loop_start()
        deadline = time.monotonic() + 60
        while not client.is_connected() and time.monotonic() < deadline:
            time.sleep(0.01)
        client.socket().shutdown(2)  # no DISCONNECT: the broker publishes the will
        client.loop_stop()

    await asyncio.to_thread(die)
    async with asyncio.timeout(90):
        while not (await city.stream.state()).messages:
            await asyncio.sleep(0.05)
    await city.drain()
    assert city.history() == [(NOON, 7.0, None)]


async def test_qos_0_is_stored_while_ingest_runs(city: City) -> None:
    intake = asyncio.create_task(take_in_qos0(city.broker.nats, city.broker.password))
    async with asyncio.timeout(90):
        while not (await city.stream.state()).messages:  # the subscription gives no sign that it stands
            await asyncio.to_thread(publish, city.broker, [("meter/a", reading(level=1))], qos=0)
    intake.cancel()
    await city.drain()
    assert city.history() == [(NOON, 1.0, None)]
