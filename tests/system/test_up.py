"""`machinami up`: one command starts all roles, keeps them alive, and says what it does."""

import os
import queue
import socket
from pathlib import Path

import paho.mqtt.client as mqtt
import psutil
import pytest
from system.conftest import RunningCity, machinami, running_city, wait_for

pytestmark = pytest.mark.system

ROLES = {"broker", "database", "ingest", "api", "notify"}
LEVEL = "/ngsi-ld/v1/entities/urn:ngsi-ld:FloodMonitoring:namiki:{device}?options=keyValues"


def measure(city: RunningCity, device: str, payload: str) -> None:
    """Send one river level as its gauge would, and wait for the acknowledgement."""
    connected = queue.SimpleQueue[object]()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=device)
    client.on_connect = lambda *_arguments: connected.put(True)
    client.connect(str(city.addresses.mqtt["host"]), int(city.addresses.mqtt["port"]))
    client.loop_start()
    try:
        connected.get(timeout=30)
        client.publish(f"ul/namiki-river/{device}/attrs", payload, qos=1).wait_for_publish(30)
    finally:
        client.disconnect()
        client.loop_stop()


def level(city: RunningCity, device: str) -> object:
    entity = city.ask(LEVEL.format(device=device))
    return entity["currentLevel"] if entity else None


def test_status_lists_every_role_with_process_and_address(city: RunningCity):
    roles = city.roles()
    assert set(roles) == ROLES
    assert all(psutil.pid_exists(role["pid"]) for role in roles.values())
    assert roles["api"]["address"] == city.addresses.api
    assert roles["broker"]["address"] == f"mqtt://127.0.0.1:{city.addresses.mqtt['port']}"


def test_up_prints_one_line_a_role_with_its_address(city: RunningCity):
    lines = [line.split() for line in city.said().splitlines()]
    assert {line[0] for line in lines if line[0] in ROLES} == ROLES
    assert ["api", city.addresses.api] in lines


def test_everything_listens_on_loopback_only(city: RunningCity):
    family = psutil.Process(city.process.pid).children(recursive=True)
    listening = {
        connection.laddr.ip
        for process in family
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_what_others_may_not_know_is_private(city: RunningCity):
    assert (city.data_dir / "city.json").stat().st_mode & 0o077 == 0
    assert city.data_dir.stat().st_mode & 0o077 == 0


def test_a_measurement_goes_from_the_device_to_the_api(city: RunningCity):
    measure(city, "g001", "2026-11-21T01:02:03Z|l|2.345|b|12.41")
    assert wait_for("the level", lambda: level(city, "g001")) == 2.345
    assert wait_for("the count", lambda: city.status()["counters"]["committed"]) >= 1


def test_a_second_start_on_the_same_folder_is_refused(city: RunningCity):
    answer = machinami("up", "--data-dir", str(city.data_dir), "--api-port", "0", "--mqtt-port", "0")
    assert answer.returncode == 4
    assert f"error: a city runs on {city.data_dir} already" in answer.stderr


@pytest.mark.parametrize("role", ["ingest", "api", "notify", "database", "broker"])
def test_a_killed_role_starts_again_and_the_city_works_on(city: RunningCity, role: str):
    pid = city.kill(role)
    wait_for("the kill is said", lambda: f"{role:<10} was killed by SIGKILL; starts again in" in city.said())
    city.wait_until_all_run()
    assert city.roles()[role]["pid"] != pid
    measure(city, f"after-{role}", "2026-11-21T01:02:03Z|l|1.5|b|12.4")
    assert wait_for("the level", lambda: level(city, f"after-{role}")) == 1.5


@pytest.mark.parametrize("option", ["--api-port", "--mqtt-port"])
def test_a_port_in_use_is_named_before_anything_starts(tmp_path: Path, option: str):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        ports = {"--api-port": "0", "--mqtt-port": "0", option: port}
        arguments = [part for pair in ports.items() for part in pair]
        answer = machinami("up", "--data-dir", str(tmp_path), *arguments)
    assert answer.returncode == 5
    assert f"error: port {port} on 127.0.0.1 is in use\n" in answer.stderr
    assert option in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_a_city_status_says_so(tmp_path: Path):
    answer = machinami("status", "--data-dir", str(tmp_path))
    assert answer.returncode == 4
    assert answer.stderr == f"error: no city runs on {tmp_path}\n  Start one: machinami up\n"


def test_an_external_database_is_used_and_its_password_not_shown(tmp_path: Path, database_url: str):
    role_and_password = database_url.replace("://machinami@", "://machinami:secret@")
    with running_city(tmp_path / "city", "--database", role_and_password) as city:
        measure(city, "g001", "2026-11-21T01:02:03Z|l|0.5|b|12.41")
        assert wait_for("the level", lambda: level(city, "g001")) == 0.5
        database = city.roles()["database"]
        assert (database["state"], database["pid"]) == ("external", None)
        assert "secret" not in database["address"] + city.said()
        assert not (city.data_dir / "database").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_embedded_database_does_not_run_as_root(city: RunningCity):
    assert psutil.Process(city.roles()["database"]["pid"]).uids().real != 0
