import asyncio
import json
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from devices import publish
from machinami.api.app import create_app
from machinami.cli.quarantine import app
from machinami.connect.devices import Devices
from machinami.connect.discovery import discover
from machinami.errors import InvalidRequest, NotFound, Unavailable
from machinami.linkage.quarantine import (
    Choice,
    Quarantined,
    chosen,
    discard,
    query_quarantine,
    replay,
    retrieve_quarantined,
)
from machinami.linkage.read import Page
from machinami.local.broker import Broker
from machinami.model import DEFAULT_TENANT
from machinami.settings import Settings
from machinami.store.queries_quarantine import SHOWN_BYTES, topic_pattern
from machinami.stream.client import MessageStream
from pipeline import METER, current, drain, history, router, rows, write_connector
from sqlalchemy import Engine
from typer.testing import CliRunner

BATTERY = METER.replace('path = "battery"', 'path = "battery"\nscale = 0.1\nmissing = ["low"]')
"""The connector, mended: the word that devices send for a flat battery is known."""


def listed(engine: Engine, choice: Choice | None = None) -> list[Quarantined]:
    found = query_quarantine(engine, DEFAULT_TENANT, choice or Choice(), Page(), lambda topic: topic)
    return found.rejections


async def test_a_mended_connector_puts_messages_where_they_belong_at_their_own_times(
    broker: Broker, stream: MessageStream, engine: Engine, tmp_path: Path
) -> None:
    connectors = write_connector(tmp_path, METER.replace('path = "level"', 'path = "lvl"\nmaximum = 1'))
    sent = [("meter/a", b'{"at":"2026-01-0%dT00:00:00Z","lvl":%d}' % (n, n)) for n in (1, 3, 2)]
    await asyncio.to_thread(publish, broker, sent)
    before = await drain(stream, engine, router(connectors))
    assert (before.committed, before.quarantined) == (1, 2)
    mended = router(write_connector(tmp_path, METER.replace('path = "level"', 'path = "lvl"')))
    assert (await replay(engine, DEFAULT_TENANT, chosen("meter", None), stream)).replayed == 2
    assert listed(engine) == []
    await drain(stream, engine, mended)
    assert [row[:2] for row in history(engine)] == [(f"2026-01-0{n}T00:00:00Z", float(n)) for n in (1, 2, 3)]
    assert current(engine, "urn:ngsi-ld:Meter:a") == 3
    assert listed(engine) == []


async def test_a_replayed_message_keeps_its_time_of_reception(
    broker: Broker, stream: MessageStream, engine: Engine, tmp_path: Path
) -> None:
    """A connector without times takes that of reception: not that of the replay."""
    received = METER.replace('{path = "at", format = "iso"}', "{received = true}")
    connectors = write_connector(tmp_path, received.replace('path = "level"', 'path = "level"\nmaximum = 1'))
    await asyncio.to_thread(publish, broker, [("meter/a", b'{"level": 2}')])
    [first] = await stream.fetch(0, 1, 1)
    await drain(stream, engine, router(connectors))
    await replay(engine, DEFAULT_TENANT, chosen(None, "meter/+"), stream)
    [again] = await stream.fetch(first.sequence, 1, 1)
    assert (again.topic, again.payload, again.received_at) == (first.topic, first.payload, first.received_at)
    await drain(stream, engine, router(write_connector(tmp_path, received)))
    assert rows(engine, "SELECT observed_at FROM observation") == [(first.received_at,)]


async def test_a_time_in_the_future_stays_refused_however_late_it_is_replayed(
    stream: MessageStream, engine: Engine, tmp_path: Path
) -> None:
    mapper = router(write_connector(tmp_path))
    received = datetime(2026, 1, 1, tzinfo=UTC)
    await stream.publish("meter/a", b'{"at":"2026-01-05T00:00:00Z","level":1}', received)
    await drain(stream, engine, mapper)
    [first] = listed(engine)
    assert first.received_at == received
    assert "ahead of its reception" in first.reason
    await replay(engine, DEFAULT_TENANT, Choice(id=first.id), stream)
    await drain(stream, engine, mapper)
    [again] = listed(engine)
    assert again.id > first.id
    assert (again.reason, again.received_at) == (first.reason, received)


async def test_a_partial_rejection_is_replayed_with_its_whole_message(
    broker: Broker, stream: MessageStream, engine: Engine, tmp_path: Path
) -> None:
    payload = b'{"at":"2026-01-01T00:00:00Z","level":2,"battery":"low","note":18014398509481984}'
    await asyncio.to_thread(publish, broker, [("meter/a", payload)])
    await drain(stream, engine, router(write_connector(tmp_path)))
    found = listed(engine)
    assert [(item.field, item.partial) for item in found] == [("note", True), ("battery", True)]
    result = await replay(engine, DEFAULT_TENANT, Choice(id=found[0].id), stream)
    assert (result.replayed, listed(engine)) == (1, [])  # the message has left with both its rejections
    counters = await drain(stream, engine, router(write_connector(tmp_path, BATTERY)))
    assert (len(history(engine)), counters.repeated) == (1, 1)
    assert [item.field for item in listed(engine)] == ["note"]


async def test_a_replay_that_dies_half_way_loses_nothing_and_doubles_nothing(
    broker: Broker, stream: MessageStream, engine: Engine, tmp_path: Path
) -> None:
    small = router(write_connector(tmp_path, METER.replace('path = "level"', 'path = "level"\nmaximum = 0')))
    sent = [("meter/a", b'{"at":"2026-01-01T00:00:%02dZ","level":1}' % n) for n in range(20)]
    await asyncio.to_thread(publish, broker, sent)
    await drain(stream, engine, small)

    class Dying:
        """Stores the tenth message and dies before it can say so."""

        stored = 0

        async def publish(self, topic: str, payload: bytes, received_at: datetime | None = None) -> None:
            await stream.publish(topic, payload, received_at)
            self.stored += 1
            if self.stored == 10:
                raise Unavailable("the broker does not answer")

    with pytest.raises(Unavailable):
        await replay(engine, DEFAULT_TENANT, chosen("meter", None), Dying())
    assert len(listed(engine)) == 11
    assert (await replay(engine, DEFAULT_TENANT, chosen("meter", None), stream)).replayed == 11
    counters = await drain(stream, engine, router(write_connector(tmp_path)))
    assert (len(history(engine)), counters.repeated, listed(engine)) == (20, 1, [])


async def test_what_the_broker_takes_from_nobody_stays(
    stream: MessageStream, engine: Engine, tmp_path: Path
) -> None:
    await stream.publish("nobody/a", b"x")
    await drain(stream, engine, router(write_connector(tmp_path)))
    large = b"x" * (2**20 + 2**10)  # redaction may make a payload longer than it was
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE quarantine SET payload = %s", (large,))
    result = await replay(engine, DEFAULT_TENANT, chosen(None, "#"), stream)
    assert (result.replayed, result.left) == (0, 1)
    [kept] = listed(engine)
    assert (kept.size, kept.payload) == (len(large), None)
    whole = retrieve_quarantined(engine, DEFAULT_TENANT, kept.id, lambda topic: topic)
    assert whole.payload == large


async def test_lists_are_paged_and_filtered(stream: MessageStream, engine: Engine, tmp_path: Path) -> None:
    for topic in ("meter/a", "nobody/a", "nobody/a/b", "nobody", "nobody/b"):
        await stream.publish(topic, b"x" * (SHOWN_BYTES + (topic == "meter/a")))
    await drain(stream, engine, router(write_connector(tmp_path)))
    devices = Devices(discover([write_connector(tmp_path)]))
    first = query_quarantine(engine, DEFAULT_TENANT, Choice(), Page(limit=2, count=True), devices.of)
    rest = query_quarantine(engine, DEFAULT_TENANT, Choice(), Page(limit=3, offset=2), devices.of)
    topics = [item.topic for item in first.rejections + rest.rejections]
    assert topics == ["nobody/b", "nobody", "nobody/a/b", "nobody/a", "meter/a"]
    assert (first.total, first.more, rest.total, rest.more) == (5, True, None, False)
    assert [item.device for item in rest.rejections] == ["", "", "a"]
    assert [item.payload is None for item in rest.rejections] == [False, False, True]
    assert [item.topic for item in listed(engine, Choice(topic="nobody/+"))] == ["nobody/b", "nobody/a"]
    assert len(listed(engine, Choice(topic="nobody/#"))) == 4
    assert len(listed(engine, Choice(topic="#"))) == 5
    assert [item.connector for item in listed(engine, Choice(connector="meter"))] == ["meter"]


async def test_discarding_takes_the_whole_message_and_no_other(
    stream: MessageStream, engine: Engine, tmp_path: Path
) -> None:
    for second in range(3):
        payload = b'{"at":"2026-01-01T00:00:0%dZ","level":"x","battery":"y"}' % second
        await stream.publish("meter/a", payload)
    await drain(stream, engine, router(write_connector(tmp_path)))
    found = listed(engine)
    assert discard(engine, DEFAULT_TENANT, Choice(id=found[0].id)) == 1
    assert [item.id for item in listed(engine)] == [item.id for item in found[2:]]
    assert discard(engine, DEFAULT_TENANT, chosen("meter", None)) == 2
    assert listed(engine) == []


async def test_an_id_that_nothing_has_and_a_choice_of_nothing_are_refused(
    stream: MessageStream, engine: Engine
) -> None:
    with pytest.raises(NotFound):
        await replay(engine, DEFAULT_TENANT, Choice(id=7), stream)
    with pytest.raises(NotFound):
        discard(engine, DEFAULT_TENANT, Choice(id=7))
    with pytest.raises(NotFound):
        retrieve_quarantined(engine, DEFAULT_TENANT, 7, str)
    with pytest.raises(InvalidRequest):
        chosen(None, None)


def test_a_topic_filter_is_no_regular_expression() -> None:
    assert topic_pattern("a.b/+/c/#") == r"^a\.b/[^/]*/c(/|$)"


async def held(stream: MessageStream, engine: Engine, tmp_path: Path) -> Settings:
    """Three messages of one meter in quarantine; the settings by which commands and API find them."""
    for second in range(3):
        await stream.publish("meter/a", b'{"at":"2026-01-01T00:00:0%dZ","battery":"low"}' % second)
    connectors = write_connector(tmp_path)
    await drain(stream, engine, router(connectors))
    write_connector(tmp_path, BATTERY)
    return Settings(data_dir=tmp_path, connector_folders=[connectors], context_fetch=False)


async def test_over_the_api(broker: Broker, stream: MessageStream, engine: Engine, tmp_path: Path) -> None:
    settings = await held(stream, engine, tmp_path)
    settings = settings.model_copy(
        update={"nats_address": broker.nats, "nats_password": broker.password, "data_dir": tmp_path / "none"}
    )
    transport = httpx.ASGITransport(create_app(settings, engine))
    root = "http://city/machinami/v1"
    async with httpx.AsyncClient(transport=transport, base_url=root) as client:
        answer = await client.get(
            "/quarantine", params={"limit": 2, "count": "true", "connector": "meter", "topic": "meter/+"}
        )
        assert answer.headers["NGSILD-Results-Count"] == "3"
        assert 'rel="next"' in answer.headers["Link"]
        newest, older = answer.json()
        assert (newest["field"], newest["value"], newest["device"]) == ("battery", "low", "a")
        assert (await client.get("/quarantine", params={"topic": "meter"})).json() == []
        whole = (await client.get(f"/quarantine/{newest['id']}")).json()
        assert whole == newest
        assert json.loads(b64decode(whole["payload"]))["battery"] == "low"
        assert (await client.delete(f"/quarantine/{newest['id']}")).status_code == 204
        assert (await client.get(f"/quarantine/{newest['id']}")).status_code == 404
        assert (await client.post(f"/quarantine/{newest['id']}/replay")).status_code == 404
        assert (await client.post(f"/quarantine/{older['id']}/replay")).json() == {"replayed": 1, "left": 0}
        assert (await client.post("/quarantine/replay")).json()["cure"].startswith("Name a connector")
        assert (await client.post("/quarantine/replay", params={"topic": "#"})).json() == {
            "replayed": 1,
            "left": 0,
        }
        assert (await client.delete("/quarantine")).status_code == 400
        assert (await client.delete("/quarantine", params={"connector": "meter"})).status_code == 204

    assert (await stream.state()).messages == 5


async def test_on_the_command_line(
    broker: Broker, stream: MessageStream, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = await held(stream, engine, tmp_path)
    monkeypatch.setenv("MACHINAMI_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("MACHINAMI_NATS_ADDRESS", broker.nats)
    monkeypatch.setenv("MACHINAMI_NATS_PASSWORD", broker.password)
    monkeypatch.setenv("MACHINAMI_CONNECTOR_FOLDERS", json.dumps([str(settings.connector_folders[0])]))

    def run(*words: str, answer: str = "") -> str:
        result = CliRunner().invoke(app, [*words, "--data-dir", str(tmp_path)], input=answer)
        assert result.exit_code == 0, result.output
        return result.output

    def use() -> None:
        found = json.loads(run("list", "--json", "--connector", "meter", "--limit", "2", "--offset", "1"))
        assert (found["total"], len(found["messages"])) == (3, 2)
        assert "3 of 3" in run("list")
        number = str(found["messages"][0]["id"])
        assert "battery" in run("show", number)
        assert json.loads(run("show", number, "--json")) == found["messages"][0]
        assert run("replay", number) == "replayed 1\n"
        assert run("discard", "--topic", "meter/a", answer="y\n").endswith("discarded 2\n")
        assert json.loads(run("list", "--json"))["total"] == 0

    await asyncio.to_thread(use)
