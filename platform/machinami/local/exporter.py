"""What has no port of its own for Prometheus: the supervisor's roles, and the broker's own numbers.

The supervisor has no threads and so serves nothing; what it writes down is read here by whoever serves
``/metrics``, once for each scrape.
"""

import http.client
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from machinami.errors import Unavailable
from machinami.local.ports import LOOPBACK
from machinami.local.state import RoleStatus, State, read_state
from machinami.settings import read_city

_UP = (State.RUNNING, State.EXTERNAL)
_TIMEOUT = 2.0  # seconds


class Number(msgspec.Struct, frozen=True):
    """A member of what the server's monitoring port says, and its name here."""

    page: str
    member: str
    name: str
    help: str
    family: type[CounterMetricFamily | GaugeMetricFamily] = GaugeMetricFamily


BROKER = (
    Number("/varz", "connections", "machinami_broker_connections", "Connections that are open"),
    Number(
        "/varz", "in_msgs", "machinami_broker_in_messages", "Messages taken from clients", CounterMetricFamily
    ),
    Number("/varz", "in_bytes", "machinami_broker_in_bytes", "Bytes taken from clients", CounterMetricFamily),
    Number(
        "/varz", "out_msgs", "machinami_broker_out_messages", "Messages given to clients", CounterMetricFamily
    ),
    Number("/varz", "out_bytes", "machinami_broker_out_bytes", "Bytes given to clients", CounterMetricFamily),
    Number(
        "/varz",
        "slow_consumers",
        "machinami_broker_slow_consumers",
        "Clients cut off: too slow",
        CounterMetricFamily,
    ),
    Number("/varz", "mem", "machinami_broker_memory_bytes", "Resident memory"),
    Number("/jsz", "messages", "machinami_broker_stored_messages", "Messages in all streams"),
    Number("/jsz", "storage", "machinami_broker_stored_bytes", "Bytes of all streams on disk"),
    Number(
        "/jsz",
        "reserved_storage",
        "machinami_broker_reserved_bytes",
        "Bytes on disk that the streams may take",
    ),
)


class CityCollector(Collector):
    """Numbers of the city that `machinami up` runs on a data folder; none while none runs there."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def collect(self) -> Iterator[Metric]:
        """Read and give them (Prometheus's interface of a collector)."""
        try:
            status, city = read_state(self._data_dir), read_city(self._data_dir)
        except Unavailable:
            return
        yield from roles(status.roles)
        if "lag" in status.counters:
            yield from lag(status.counters["lag"])
        yield from _broker(city.broker_monitor)

    def describe(self) -> Iterator[Metric]:
        """Nothing: what there is depends on whether a city runs."""
        return iter(())


def lag(messages: float) -> Iterator[Metric]:
    """How far ingest is behind."""
    family = GaugeMetricFamily("machinami_lag_messages", "Messages in the stream, not committed yet")
    family.add_metric([], messages)
    yield family


def roles(found: Iterable[RoleStatus]) -> Iterator[Metric]:
    """How the roles fare, in their supervisor's eyes."""
    up = GaugeMetricFamily("machinami_role_up", "1: does its work; 0: starts or has died", labels=["role"])
    restarts = CounterMetricFamily(
        "machinami_role_restarts", "How often it was started again", labels=["role"]
    )
    for role in found:
        up.add_metric([role.role], float(role.state in _UP))
        restarts.add_metric([role.role], role.restarts)
    yield from (up, restarts)


def _broker(port: int) -> Iterator[Metric]:
    """The broker's numbers; none while it does not answer, which `machinami_role_up` says."""
    try:
        pages = {page: _page(port, page) for page in ("/varz", "/jsz")}
    except (OSError, http.client.HTTPException):
        return
    for number in BROKER:
        family = number.family(number.name, number.help)
        family.add_metric([], pages[number.page][number.member])
        yield family


def _page(port: int, path: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_TIMEOUT)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
