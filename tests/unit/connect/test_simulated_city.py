"""The simulator and the connectors know only the wire between them: what one sends, the others read."""

from collections import Counter
from pathlib import Path

from machinami.connect.discovery import Connector, discover
from machinami.connect.masters import read_master
from machinami.connect.router import Router
from machinami.model import Change
from machinami.ngsild.context import CORE
from machinami_simulators import city, plan
from machinami_simulators.cli import simulate
from machinami_simulators.masters import write_masters
from typer import Typer
from typer.testing import CliRunner
from unit.connect.helpers import SECRET, message

COUNTS = {"bikes": 200, "gauges": 65, "cameras": 8, "paddies": 300, "ports": 20, "receivers": 120}


def read_all(connectors: dict[str, Connector], folder: Path) -> dict[str, list[Change]]:
    changes: dict[str, list[Change]] = {}
    for path in write_masters(city.build(plan.namiki()), folder):
        rule = next(c.masters[path.stem] for c in connectors.values() if path.stem in c.masters)
        mapped = list(read_master(rule, path.read_bytes()))
        assert not any(m.rejections for m in mapped)
        changes[path.stem] = [change for m in mapped for change in m.changes]
    return changes


def test_master_data_of_the_city_is_read_whole_and_refers_to_places_there_are(tmp_path: Path) -> None:
    changes = read_all(discover(), tmp_path)
    assert COUNTS.items() <= {name: len(found) for name, found in changes.items()}.items()
    places = {change.entity_id for change in changes["basemap"]}
    place = CORE.expand("refPointOfInterest")
    assert {change.attributes[place][0]["object"] for change in changes["receivers"]} <= places


def test_every_simulated_message_is_read() -> None:
    app = Typer()
    app.command()(simulate)
    printed = CliRunner().invoke(app, ["--minutes", "1", "--print", "--from", "2026-11-20T12:00:00Z"])
    assert printed.exit_code == 0
    router, kinds = Router(discover(), SECRET), Counter[str]()
    for line in printed.stdout.splitlines():
        topic, payload = line.split(" ", 1)
        mapped = router.map(message(topic, payload.encode()))
        assert not mapped.rejections, line
        kinds[topic.split("/")[0]] += len(mapped.changes)
    assert set(kinds) == {"v3", "ul", "minew", "camera", "owntracks", "gbfs"}
