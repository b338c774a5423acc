"""Roles without `machinami up`: servers are named by the environment, as in deploy/compose.yaml."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from machinami.local.broker import Broker
from machinami.local.ports import free_ports
from machinami.stream.client import open_stream
from system.conftest import PATIENCE, machinami, wait_for

pytestmark = pytest.mark.system

TOPIC, PAYLOAD = "ul/namiki-river/g001/attrs", b"2026-11-21T01:02:03Z|l|2.345|b|12.41"
ENTITY = "/ngsi-ld/v1/entities/urn:ngsi-ld:FloodMonitoring:namiki:g001?options=keyValues"


@contextmanager
def role(name: str, environment: dict[str, str]) -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-m", "machinami", name], env=environment) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) in {0, -signal.SIGTERM}


async def publish(broker: Broker) -> None:
    async with open_stream(broker.nats, broker.password) as stream:
        await stream.publish(TOPIC, PAYLOAD)


def level(api: str) -> object:
    try:
        answer = httpx.get(api + ENTITY, timeout=10)
    except httpx.TransportError:
        return None
    return answer.json()["currentLevel"] if answer.is_success else None


def test_each_role_finds_the_servers_that_its_environment_names(tmp_path: Path, database_url: str):
    with ExitStack() as running, Broker(tmp_path / "broker") as broker:
        port = str(free_ports(1)[0])
        environment = {
            **os.environ,
            "MACHINAMI_DATA_DIR": str(tmp_path / "role"),
            "MACHINAMI_NATS_ADDRESS": broker.nats,
            "MACHINAMI_NATS_PASSWORD": broker.password,
            "MACHINAMI_DATABASE_URL": database_url,
            "MACHINAMI_API_PORT": port,
        }
        prepared = machinami("prepare", env=environment)
        assert prepared.returncode == 0, prepared.stderr
        asyncio.run(publish(broker))
        for name in ("ingest", "api", "notify"):
            running.enter_context(role(name, environment))
        assert wait_for("the level", lambda: level(f"http://127.0.0.1:{port}")) == 2.345
