"""Recording from a broker, and replaying what was recorded."""

import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami_simulators.__main__ import app
from machinami_simulators.capture import CaptureFile, Head, check_capture, read_capture
from machinami_simulators.errors import InvalidOption
from machinami_simulators.privacy import Filter
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from typer.testing import CliRunner
from unit.simulators.helpers import Subscriber, running, wait_for

HEAD = Head(began="2026-09-01T00:00:00+00:00", topics=["#"], privacy=[])
MAC = "5E:00:00:00:00:01"


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.setenv("MACHINAMI_DATA_DIR", str(tmp_path))
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@given(payloads=st.lists(st.tuples(st.floats(0, 1e6), st.binary(max_size=80)), max_size=10))
def test_any_payload_survives_the_file(tmp_path_factory, payloads):
    path = tmp_path_factory.mktemp("capture") / "c.jsonl"
    with CaptureFile(path, HEAD) as file:
        for t, payload in payloads:
            file.add(t, "a/b", 1, payload)
    rows = list(read_capture([path], "1"))
    assert [row.message.payload for row in rows] == [payload for _, payload in payloads]
    assert [row.time for row in rows] == pytest.approx([t for t, _ in payloads], abs=1e-6)


@given(junk=st.binary(max_size=200))
def test_junk_is_a_clear_error(tmp_path_factory, junk):
    path = tmp_path_factory.mktemp("junk") / "c.jsonl"
    path.write_bytes(junk + b"\n")
    with pytest.raises(InvalidOption, match=r"c\.jsonl, line 1: no capture"):
        check_capture(path)


def test_a_torn_last_line_is_left_out_and_a_broken_one_named(tmp_path):
    path = tmp_path / "c.jsonl"
    with CaptureFile(path, HEAD) as file:
        file.add(0, "a", 0, b"x")
    whole = path.read_text()
    path.write_text(whole + '{"t":1,"to')
    assert len(list(read_capture([path], "1"))) == 1
    path.write_text(whole + '{"t":1}\n')
    with pytest.raises(InvalidOption, match="line 3: no capture"):
        list(read_capture([path], "1"))


def test_captures_follow_each_other(tmp_path):
    paths = [tmp_path / "1", tmp_path / "2"]
    for path in paths:
        with CaptureFile(path, HEAD) as file:
            file.add(5, "a", 0, b"x")
    assert [row.time for row in read_capture(paths, "1")] == [5, 10]


def test_a_file_that_is_there_is_not_written_over(tmp_path):
    (tmp_path / "c").write_text("precious")
    with pytest.raises(InvalidOption, match="c cannot be written"):
        CaptureFile(tmp_path / "c", HEAD)


def test_addresses_become_pseudonyms_however_they_are_written():
    hide = Filter((), ())
    seen = json.loads(hide.payload(json.dumps([{"mac": MAC}, {"mac": "5e0000000001", MAC: 1}]).encode()))
    assert re.fullmatch("anon-[0-9a-f]{16}", seen[0]["mac"])
    assert seen[1] == {"mac": seen[0]["mac"], seen[0]["mac"]: 1}
    assert hide.topic(f"phones/{MAC}/seen") == f"phones/{seen[0]['mac']}/seen"
    assert hide.payload(b"saw 5e-00-00-00-00-01 \xff") == f"saw {seen[0]['mac']} ".encode() + b"\xff"


def test_two_captures_cannot_be_linked():
    assert Filter((), ()).pseudonym(MAC) != Filter((), ()).pseudonym(MAC)


def test_what_has_no_address_stays_byte_for_byte():
    hide = Filter(("imsi",), ())
    for payload in (b'{"t":  123456789012}', b"2026-09-01T00:00:00Z|l|2.345", b"\x00\xff\xfe", b""):
        assert hide.payload(payload) == payload


def test_members_are_hidden_and_dropped_by_path():
    hide = Filter(("imsi", "seen[].id"), ("[].name", "owner.phone"), addresses=False)
    found = json.loads(
        hide.payload(b'{"a":{"imsi":44010},"seen":[{"id":"x"},{"id":null}],"owner":{"phone":1}}')
    )
    assert re.fullmatch("anon-[0-9a-f]{16}", found["a"]["imsi"])
    assert found["seen"][0]["id"].startswith("anon-")
    assert (found["seen"][1]["id"], found["owner"]) == (None, {})
    assert hide.payload(b'[{"name":"Taro","n":1}]') == b'[{"n":1}]'
    assert hide.payload(MAC.encode()) == MAC.encode()


@pytest.mark.parametrize("path", ["", "a[0]", "a[]", "[]", "a]"])
def test_a_path_that_cannot_be_read_is_named(path):
    with pytest.raises(InvalidOption, match=re.escape(f"--hide: {path!r} is no path")):
        Filter((path,), ())


@given(payload=st.binary(max_size=100))
def test_whatever_the_bytes_they_can_be_filtered(payload):
    hide = Filter(("mac", "[].mac"), ("raw",))
    once = hide.payload(payload)
    assert hide.payload(once) == once or b"mac" in payload


def publish(port, messages, pause=0.0):
    client = Client(CallbackAPIVersion.VERSION2, client_id="phone")
    client.connect("127.0.0.1", port)
    client.loop_start()
    for topic, payload in messages:
        client.publish(topic, payload, qos=1).wait_for_publish(30)
        time.sleep(pause)
    client.disconnect()
    client.loop_stop()


def test_traffic_is_recorded_filtered_and_replayed(broker, tmp_path, run):
    path, where = tmp_path / "c.jsonl", ("--mqtt-port", broker.port, "--data-dir", tmp_path)
    sent = [("minew/gate/status", json.dumps([{"n": n, "mac": MAC}])) for n in range(5)]
    with running("record", path, "--topic", "minew/#", "--seconds", 600, *where) as process:
        wait_for(lambda: path.exists(), "the file")
        probe = Subscriber(broker.port)
        # The recorder subscribes on its own time: messages of another kind come until one is heard twice.
        for _ in range(200):
            publish(broker.port, [("minew/hello", "x" * 8000)])
            if path.stat().st_size > 8000:
                break
        publish(broker.port, [("other/topic", "1"), *sent], pause=0.05)
        wait_for(lambda: (sent[-1][0], sent[-1][1].encode()) in probe.payloads, "the last message")
        probe.close()
        process.terminate()
        assert process.wait(30) == 0
    rows = [row for row in read_capture([path], "1") if row.message.topic != "minew/hello"]
    assert [row.message.topic for row in rows] == ["minew/gate/status"] * 5
    assert MAC not in path.read_text()
    assert rows[-1].time - rows[0].time >= 4 * 0.05
    heard = Subscriber(broker.port)
    result = run("replay", "capture", path, "--speed", "max", *where)
    assert result.exit_code == 0, result.output
    wait_for(lambda: len([t for t, _ in heard.payloads if t == "minew/gate/status"]) == 5, "the replay")
    heard.close()
    assert [payload for topic, payload in heard.payloads if topic == "minew/gate/status"] == [
        row.message.payload for row in rows
    ]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--mqtt-port", "1"], 4, "no MQTT broker answers at 127.0.0.1:1"),
        ([], 4, "no city runs on"),
        (["--mqtt-port", "1", "--hide", "[]"], 2, "--hide: '[]' is no path"),
        (["--mqtt-port", "1", "--ca", "/nowhere.pem"], 2, "--ca: /nowhere.pem cannot be used"),
    ],
)
def test_mistakes_are_named(run, tmp_path, words, code, said):
    result = run("record", tmp_path / "c.jsonl", *words)
    assert result.exit_code == code, result.output
    assert said in result.output
    assert not (tmp_path / "c.jsonl").exists()
