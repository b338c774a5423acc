"""`machinami bench api` in small: every request of it is answered by ours and by the bare handler."""

from pathlib import Path

from machinami_loadtests.http.bench import Size, bench_api


def test_all_of_it_is_measured(tmp_path: Path) -> None:
    said: list[str] = []
    size = Size(entities=1_000, retrievals=100, patches=50, queries=20)
    report = bench_api(tmp_path, size, None, said.append)
    assert len(said) == 4
    assert report.found > 0
    assert min(report.retrieve.ours, report.retrieve.bare, report.patch.ours, report.patch.bare) > 0
    assert report.create_per_second > 0
    assert all(each > 0 for each in report.memory_mib)
