"""Numbers of the supervisor and of the broker, read when Prometheus asks."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from machinami.local.broker import Broker
from machinami.local.exporter import CityCollector
from machinami.local.process import lock_folder
from machinami.local.state import CityStatus, RoleStatus, State, write_state
from machinami.settings import City, write_city
from prometheus_client import CollectorRegistry

CITY = City(api="", mqtt={}, nats="", database="", supervisor=os.getpid())
ROLES = [
    RoleStatus(
        role="ingest", pid=None, state=State.WAITING, restarts=2, metrics="http://127.0.0.1:9/metrics"
    ),
    RoleStatus(role="database", pid=None, state=State.EXTERNAL),
]


@pytest.fixture
def city(tmp_path: Path) -> Iterator[Path]:
    descriptor = lock_folder(tmp_path, wait=0)
    assert descriptor is not None
    write_city(tmp_path, CITY)
    write_state(tmp_path, CityStatus(roles=ROLES, counters={"lag": 7}))
    yield tmp_path
    os.close(descriptor)


def registry(data_dir: Path) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(CityCollector(data_dir))
    return registry


def test_roles_are_told_as_their_supervisor_sees_them(city: Path):
    numbers = registry(city)
    assert numbers.get_sample_value("machinami_role_up", {"role": "ingest"}) == 0
    assert numbers.get_sample_value("machinami_role_up", {"role": "database"}) == 1
    assert numbers.get_sample_value("machinami_role_restarts_total", {"role": "ingest"}) == 2
    assert numbers.get_sample_value("machinami_lag_messages") == 7


def test_a_broker_that_does_not_answer_has_no_numbers(city: Path):
    assert registry(city).get_sample_value("machinami_broker_connections") is None


def test_a_running_brokers_numbers_come_in_at_the_scrape(
    city: Path, tmp_path_factory: pytest.TempPathFactory
):
    with Broker(tmp_path_factory.mktemp("broker")) as broker:
        write_city(city, msgspec.structs.replace(CITY, broker_monitor=broker.monitor_port))
        numbers = {metric.name: metric for metric in CityCollector(city).collect()}
    assert numbers["machinami_broker_memory_bytes"].samples[0].value > 0
    assert numbers["machinami_broker_slow_consumers"].samples[0].value == 0


def test_without_a_city_there_is_nothing_to_tell(tmp_path: Path):
    assert list(CityCollector(tmp_path).collect()) == []


def test_prometheus_finds_the_roles_in_a_file(city: Path):
    targets = msgspec.json.decode((city / "metrics-targets.json").read_bytes())
    assert targets == [{"targets": ["127.0.0.1:9"], "labels": {"role": "ingest"}}]
