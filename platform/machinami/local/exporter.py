"""What has no port of its own for Prometheus: the supervisor's roles, and the broker's own numbers.

The supervisor has no threads and so serves nothing; what it writes down is read here by whoever serves
``/metrics``, once for each scrape.
"""

import http.client
import json
from collections.abc import Iterator
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


class _Number(msgspec.Struct, frozen=True):
    """A member of what the server's monitoring port says."""

    page: str
    member: str
    name: str
    help: str
    family: type[CounterMetricFamily | GaugeMetricFamily] = GaugeMetricFamily


_BROKER = (
    _Number("/varz", "connections", "connections", "Connections that are open"),
    _Number("/varz", "in_msgs", "in_messages", "Messages taken from clients", CounterMetricFamily),
    _Number("/varz", "in_bytes", "in_bytes", "Bytes taken from clients", CounterMetricFamily),
    _Number("/varz", "out_msgs", "out_messages", "Messages given to clients", CounterMetricFamily),
    _Number("/varz", "out_bytes", "out_bytes", "Bytes given to clients", CounterMetricFamily),
    _Number("/varz", "slow_consumers", "slow_consumers", "Clients cut off: too slow", CounterMetricFamily),
    _Number("/varz", "mem", "memory_bytes", "Resident memory"),
    _Number("/jsz", "messages", "stored_messages", "Messages in all streams"),
    _Number("/jsz", "storage", "stored_bytes", "Bytes of all streams on disk"),
    _Number("/jsz", "reserved_storage", "reserved_bytes", "Bytes on disk that the streams may take"),
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
        yield from _roles(status.roles)
        if "lag" in status.counters:
            lag = GaugeMetricFamily("machinami_lag_messages", "Messages in the stream, not committed yet")
            lag.add_metric([], status.counters["lag"])
            yield lag
        yield from _broker(city.broker_monitor)

    def describe(self) -> Iterator[Metric]:
        """Nothing: what there is depends on whether a city runs."""
        return iter(())


def _roles(roles: list[RoleStatus]) -> Iterator[Metric]:
    up = GaugeMetricFamily("machinami_role_up", "1: does its work; 0: starts or has died", labels=["role"])
    restarts = CounterMetricFamily(
        "machinami_role_restarts", "How often it was started again", labels=["role"]
    )
    for role in roles:
        up.add_metric([role.role], float(role.state in _UP))
        restarts.add_metric([role.role], role.restarts)
    yield from (up, restarts)


def _broker(port: int) -> Iterator[Metric]:
    """The broker's numbers; none while it does not answer, which `machinami_role_up` says."""
    try:
        pages = {page: _page(port, page) for page in ("/varz", "/jsz")}
    except (OSError, http.client.HTTPException):
        return
    for number in _BROKER:
        family = number.family(f"machinami_broker_{number.name}", number.help)
        family.add_metric([], pages[number.page][number.member])
        yield family


def _page(port: int, path: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_TIMEOUT)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
