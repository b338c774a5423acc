import re
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from load_samples import LEDGER, MACHINE, REQUEST, report
from machinami.errors import InvalidRequest
from machinami_loadtests.load.charts import Chart, Series, figure, number
from machinami_loadtests.load.compare import compare
from machinami_loadtests.load.html import page
from machinami_loadtests.load.machine import fingerprint, fsync_times
from machinami_loadtests.load.report import Report, read_json, write_json

_VALUES = st.lists(st.none() | st.floats(0, 1e9), min_size=1, max_size=30)


def changed(**machine: object) -> Report:
    return report(machine=msgspec.structs.replace(MACHINE, **machine))


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = write_json(report(), tmp_path)
    assert read_json(path) == read_json(tmp_path) == report()


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[1]", b"\xff"])
def test_what_is_no_report_is_said_with_its_path(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "report.json").write_bytes(content)
    with pytest.raises(InvalidRequest, match=r"report\.json is no report"):
        read_json(tmp_path)


def test_the_page_needs_nothing_but_itself_and_escapes_what_it_shows() -> None:
    html = page(report())
    assert not re.search(r"""(src|href)=["'](?!data:)|url\(|@import|https?://""", html)
    assert "Abacus &lt;9000&gt;" in html
    assert "Nothing lost, nothing doubled" in html
    assert html.count("<figure") == 6


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ended": "stopped by Ctrl-C"}, "Ended before its time"),
        ({"ledger": msgspec.structs.replace(LEDGER, lost=3, stored=11_997)}, "3 lost, 0 doubled"),
        ({"ledger": msgspec.structs.replace(LEDGER, doubled=4)}, "0 lost, 4 doubled"),
        (
            {"ledger": msgspec.structs.replace(LEDGER, stored=11_990, not_arrived=10)},
            "Nothing promised was lost",
        ),
        ({"ledger": None}, "Everything acknowledged"),
    ],
)
def test_the_verdict_says_what_happened(changes: dict[str, object], said: str) -> None:
    html = page(report(**changes))
    assert f"<strong>{said}</strong>" in html
    assert ("Nothing lost" in html) == (said == "Nothing lost, nothing doubled")


@given(_VALUES, st.booleans())
@example([5e-324], True)
@example([5e-324], False)
@example([0.0], True)
def test_any_line_is_drawn_inside_its_chart(values: list[float | None], logarithmic: bool) -> None:
    chart = Chart(
        title="t",
        unit="<u>",
        note="",
        logarithmic=logarithmic,
        series=[Series(name="a", values=values, colour=1)],
    )
    drawn = figure(chart, [float(n) for n in range(len(values))], float(len(values)))
    known = [value for value in values if value is not None]
    assert bool(drawn) == bool(known)
    if known:
        path = ET.fromstring(drawn).find(".//path")  # noqa: S314 - our own output
        assert path is not None
        heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.-]+)", path.get("d", ""))]
        assert len(heights) == len(known)
        assert all(0 <= y <= 230 for y in heights)


def test_a_gap_lifts_the_pen() -> None:
    chart = Chart(title="t", unit="u", note="", series=[Series(name="a", values=[1, None, 2, 3], colour=1)])
    assert len(re.findall("M", figure(chart, [0, 1, 2, 3], 4).partition("class='line")[2])) == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (12345.6, "12,346"), (9.876, "9.88"), (0.0123, "0.0123"), (10, "10"), (0.5, "0.5")],
)
def test_numbers_are_as_a_person_reads_them(value: float, text: str) -> None:
    assert number(value) == text


def test_two_runs_on_one_machine_can_be_compared() -> None:
    summary = msgspec.structs.replace(report().summary, committed=1_990.0)
    comparison = compare(report(), report(summary=summary))
    assert comparison.comparable
    assert comparison.notes == []
    ratios = {row.figure: row.ratio for row in comparison.rows}
    assert ratios["to the committed row"] == 2.0
    assert ratios["publish → queryable, p99"] == 1.0
    assert ratios["lost"] is None


@pytest.mark.parametrize(
    ("other", "obstacle"),
    [
        (changed(cores=4), "cores: 2 against 4"),
        (changed(memory_gib=16.0), "memory gib: 8 against 16"),
        (changed(processor="Slide rule"), "processor: Abacus <9000> against Slide rule"),
        (
            report(request=msgspec.structs.replace(REQUEST, rate=None)),
            "test: rate: 1000 against as fast as",
        ),
        (report(request=msgspec.structs.replace(REQUEST, qos=0)), "test: qos: 1 against 0"),
    ],
)
def test_other_hardware_and_other_tests_cannot_be_compared(other: Report, obstacle: str) -> None:
    comparison = compare(report(), other)
    assert not comparison.comparable
    assert comparison.obstacles[0].startswith(obstacle)


@pytest.mark.parametrize(
    ("other", "note"),
    [
        (changed(postgres="19.0"), "postgres: 18.0 against 19.0"),
        (changed(fsync_per_second=100.0), "disk: 1,000 against 100 fsyncs a second"),
        (changed(load_before=1.5), "B: the machine was busy before the run (load 1.5)"),
        (report(ended="why"), "B ended before its time: why"),
    ],
)
def test_other_versions_and_circumstances_are_noted(other: Report, note: str) -> None:
    comparison = compare(report(), other)
    assert comparison.comparable
    assert comparison.notes == [note]


def test_a_role_that_only_one_report_has_is_shown_without_a_ratio() -> None:
    roles = {**report().roles, "worker-2": report().roles["broker"]}
    rows = {row.figure: row for row in compare(report(), report(roles=roles)).rows}
    assert (rows["CPU, worker-2"].a, rows["CPU, worker-2"].b, rows["CPU, worker-2"].ratio) == (
        None,
        500.0,
        None,
    )


def test_the_fingerprint_names_this_machine_and_leaves_nothing_behind(tmp_path: Path) -> None:
    machine = fingerprint(tmp_path)
    assert machine.cores >= 1
    assert machine.memory_gib > 0
    assert machine.fsync_per_second > 0
    assert (machine.postgres, machine.nats_server) == ("–", "–")
    assert list(tmp_path.iterdir()) == []
    assert len(fsync_times(tmp_path, seconds=0)) == 1


def test_the_fingerprint_of_a_city_has_the_versions_of_its_parts(tmp_path: Path, database_url: str) -> None:
    machine = fingerprint(tmp_path, database_url)
    assert re.match(r"\d+", machine.postgres)
    assert re.match(r"\d+\.\d+\.\d+", machine.nats_server)
