"""Recordings of real devices, with their real defects."""

import csv
import io
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from machinami.connect.discovery import discover, find_master
from machinami.connect.masters import read_master
from machinami.connect.router import Router
from machinami.model import Mapped
from machinami.ngsild.context import CORE
from unit.connect.helpers import SECRET, message

pytestmark = pytest.mark.real_data
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture(scope="module")
def router() -> Router:
    return Router(discover(), SECRET)


def rows(path: Path, encoding: str = "utf-8") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding), newline="")))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_fukui_day_is_read_to_the_row(router: Router, shared_data: Path, encoding: str) -> None:
    day = rows(shared_data / "real/fukui-river-level/data/2023-07-13.csv", encoding)
    mapped = [router.map(message(f"replay/fukui-river/{row['id']}", row, NOW)) for row in day]
    assert (len(day), sum(len(m.changes) for m in mapped)) == (1823, 1788)
    reasons = Counter(rejection.reason for m in mapped for rejection in m.rejections)
    assert sum(reasons.values()) == 35
    assert set(reasons) <= {"missing (marked '')", "missing (marked '*')"}
    assert {len(change.attributes) for m in mapped for change in m.changes} == {1}


def test_wifi_detections_lose_their_device(router: Router, shared_data: Path) -> None:
    detections = rows(shared_data / "real/fukui-wifi-packet/detections_20241020.csv")[:5_000]
    mapped = [router.map(message(f"replay/fukui-wifi/{row['facility_no']}", row, NOW)) for row in detections]
    assert not any(m.rejections for m in mapped)
    assert len({c.entity_id for m in mapped for c in m.changes}) == len(
        {(row["facility_no"], row["device"]) for row in detections}
    )
    assert not any(row["device"] in str(m) for row, m in zip(detections, mapped, strict=True))


def test_every_probe_fix_is_read(router: Router, shared_data: Path) -> None:
    fixes = rows(shared_data / "real/kakogawa-vehicle-probe/kakogawacity_probe_20170213.csv")[:5_000]
    mapped = [router.map(message(f"replay/kakogawa-probe/{row['vehicle_id']}", row, NOW)) for row in fixes]
    assert not any(m.rejections for m in mapped)
    assert all(list(m.changes[0].attributes) == [CORE.expand("location")] for m in mapped)


def master(name: str, path: Path) -> list[Mapped]:
    return list(read_master(find_master(discover(), name), path.read_bytes()))


def test_stations_have_positions_and_the_thresholds_there_are(shared_data: Path) -> None:
    path = shared_data / "real/fukui-river-level/stations.csv"
    mapped = master("fukui-river/stations", path)
    assert not any(m.rejections for m in mapped)
    assert len(mapped) == len(rows(path)) == 103
    judged = [row for row in rows(path) if row["evacuation_judgement_level_m"]]
    name = CORE.expand("evacuationJudgementLevel")
    assert sum(name in m.changes[0].attributes for m in mapped) == len(judged)
    assert all(CORE.expand("location") in m.changes[0].attributes for m in mapped)


def test_facilities_have_names_in_two_languages(shared_data: Path) -> None:
    mapped = master("fukui-wifi/facilities", shared_data / "real/fukui-wifi-packet/facilities.csv")
    assert len(mapped) == 79
    assert not any(m.rejections for m in mapped)
    names = [m.changes[0].attributes[CORE.expand("name")][0]["languageMap"] for m in mapped]
    assert all({"ja", "en"} >= set(name) for name in names)
