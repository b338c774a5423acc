"""Recording from a broker that wants encryption, a user and a password."""

import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from machinami_simulators.capture import read_capture
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from unit.simulators.helpers import Broker

USER, PASSWORD = "reader", "secret"
MAC = "5E:00:00:00:00:01"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def guarded(tmp_path: Path, authority: trustme.CA) -> Iterator[Broker]:
    """A broker with a certificate of our own authority, which already keeps a message."""
    own = authority.issue_cert("127.0.0.1")
    own.private_key_pem.write_to_path(tmp_path / "key.pem")
    own.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    folder = tmp_path / "broker"
    folder.mkdir()
    server = Broker(
        folder,
        mqtt=f'tls {{ cert_file: "{tmp_path}/cert.pem", key_file: "{tmp_path}/key.pem" }}',
        more=f"authorization {{ users: [{{ user: {USER}, password: {PASSWORD} }}] }}",
    )
    server.start()
    keep(server.port, authority)
    yield server
    server.kill()


def keep(port: int, authority: trustme.CA) -> None:
    """Publish a message that whoever subscribes is given at once."""
    client = Client(CallbackAPIVersion.VERSION2, client_id="phone")
    client.username_pw_set(USER, PASSWORD)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    client.tls_set_context(trust)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.publish("meter/1", f'{{"mac":"{MAC}","m3":12.5}}', qos=1, retain=True).wait_for_publish(30)
    client.disconnect()
    client.loop_stop()


@pytest.fixture
def record(guarded, tmp_path, monkeypatch):
    """`machinami record` for two seconds, with this password, in a process of its own."""

    def run(*words, word=PASSWORD):
        monkeypatch.setenv("MACHINAMI_MQTT_PASSWORD", word)
        place = ("--mqtt-host", "127.0.0.1", "--mqtt-port", guarded.port, "--data-dir", tmp_path)
        line = ("record", tmp_path / "c.jsonl", "--seconds", 2, *place, *words)
        command = [sys.executable, "-m", "machinami_simulators", *map(str, line)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_a_guarded_broker_is_recorded(record, tmp_path):
    result = record("--ca", tmp_path / "ca.pem", "--user", USER)
    assert result.returncode == 0, result.stderr
    (row,) = read_capture([tmp_path / "c.jsonl"], "1")
    assert row.message.topic == "meter/1"
    assert row.message.payload.startswith(b'{"mac":"anon-')
    assert PASSWORD not in (tmp_path / "c.jsonl").read_text()


def test_a_wrong_password_is_told(record, tmp_path):
    result = record("--ca", tmp_path / "ca.pem", "--user", USER, word="guess")
    assert result.returncode == 4
    assert "the MQTT broker refuses the connection" in result.stderr
    assert not (tmp_path / "c.jsonl").exists()


def test_an_authority_that_nobody_trusts_is_told(record, tmp_path):
    result = record("--tls", "--user", USER)
    assert result.returncode == 4
    assert "certificate verify failed" in result.stderr
    assert "--ca" in result.stderr
    assert not (tmp_path / "c.jsonl").exists()
