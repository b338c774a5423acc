"""`machinami bench depth` and `machinami bench devices` in small."""

from pathlib import Path

import pytest
from machinami_loadtests.growth.depth import Size, bench_depth
from machinami_loadtests.growth.devices import bench_devices

pytestmark = pytest.mark.system


def test_the_rate_is_measured_at_each_depth(tmp_path: Path) -> None:
    said: list[str] = []
    size = Size(rows=[40_000, 60_000], messages=2_000, devices=20)
    depths = bench_depth(tmp_path, size, None, said.append)
    assert [depth.rows for depth in depths] == [8_000, 40_000, 64_000]  # three runs of 8,000 rows each
    assert all(depth.messages_per_second > 0 for depth in depths)
    assert all(depth.cpu_microseconds.keys() >= {"broker", "database", "worker"} for depth in depths)


def test_memory_and_start_are_measured_with_many_devices(tmp_path: Path) -> None:
    report = bench_devices(tmp_path, 1_000, None, lambda _: None)
    assert 0 < report.memory_mib <= report.peak_mib
    assert 0 < report.start_seconds <= report.caught_up_seconds
    assert min(report.first_per_second, report.known_per_second) > 0
