"""`machinami up --workers 3`: the workers share the stream, and status and load test count each of them."""

from pathlib import Path

import pytest
from system.conftest import RunningCity, running_city
from system.test_load import load

pytestmark = pytest.mark.system
WORKERS = {"ingest-1", "ingest-2", "ingest-3"}


def ingesting(city: RunningCity) -> set[str]:
    return {name for name in city.roles() if name.startswith("ingest")}


def test_workers_share_the_work_and_each_is_counted(tmp_path: Path) -> None:
    with running_city(tmp_path / "city", "--workers", "3") as city:
        assert ingesting(city) == WORKERS
        code, report = load(
            *("--devices", "40", "--rate", "400", "--duration", "4s", "--connections", "2"),
            *("--data-dir", str(city.data_dir), "--out", str(tmp_path / "report")),
        )
    assert code == 0
    assert report["ledger"]["stored"] == report["ledger"]["acknowledged"] == 1_600
    assert (report["ledger"]["lost"], report["ledger"]["doubled"]) == (0, 0)
    assert report["roles"].keys() >= WORKERS
    assert all(report["roles"][name]["peak_memory"] > 1 for name in WORKERS)


def test_the_setting_does_the_same_as_the_option(tmp_path: Path) -> None:
    folder = tmp_path / "city"
    folder.mkdir()
    (folder / "machinami.toml").write_text("ingest_workers = 2\n", encoding="utf-8")
    with running_city(folder) as city:
        assert ingesting(city) == {"ingest-1", "ingest-2"}
