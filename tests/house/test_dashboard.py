"""What the dashboard draws, and what docs/metrics.md says, is what the roles serve."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import machinami.api.metrics as api
import machinami.ingest.metrics as ingest
import machinami.notify.metrics as notify
import pytest
import yaml
from machinami.local import exporter
from machinami.local.state import RoleStatus, State
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import Metric

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "deploy/grafana/machinami.json").read_text(encoding="utf-8"))
PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes"}
NAME = re.compile(r"\b(?:machinami|process)_[a-z_]+\b")
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def declared() -> Iterator[Metric]:
    for module in (api, ingest, notify):
        for metric in vars(module).values():
            if isinstance(metric, Counter | Gauge | Histogram):
                yield from metric.describe()
    yield from exporter.lag(0)
    yield from exporter.roles([RoleStatus(role="api", pid=None, state=State.RUNNING)])
    for number in exporter.BROKER:
        yield number.family(number.name, number.help)


def series() -> set[str]:
    return {metric.name + suffix for metric in declared() for suffix in SUFFIXES[metric.type]} | PROCESS


def expressions() -> Iterable[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


@pytest.mark.parametrize("expression", expressions())
def test_each_metric_of_the_dashboard_exists(expression: str):
    names = set(NAME.findall(expression))
    assert names
    assert names <= series()


def test_the_dashboard_leaves_nothing_out():
    drawn = {name for expression in expressions() for name in NAME.findall(expression)}
    for metric in declared():
        assert drawn & {metric.name + suffix for suffix in SUFFIXES[metric.type]}, metric.name


def test_panels_stand_side_by_side():
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)


def test_the_page_of_the_docs_names_each_metric():
    page = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    assert (
        set(re.findall(r"`((?:machinami|process)_[a-z_]+)`", page))
        == {metric.name + ("_total" if metric.type == "counter" else "") for metric in declared()} | PROCESS
    )


def test_the_scrape_configuration_reads_the_list_that_the_city_writes():
    configuration = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    files = configuration["scrape_configs"][0]["file_sd_configs"][0]["files"]
    assert [Path(file).name for file in files] == ["metrics-targets.json"]
