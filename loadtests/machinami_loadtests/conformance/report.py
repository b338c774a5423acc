"""What the suite said of a broker, as JSON and as a page; a waiver explains a failure, it is no pass."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from machinami_loadtests.conformance.suite import Outcome
from machinami_loadtests.load.machine import Machine

_WAIVERS = Path(__file__).with_name("waivers.toml")


class Waiver(msgspec.Struct, frozen=True, kw_only=True):
    """Why a test is held wrong: what it wants, and the clause that says otherwise."""

    test: str
    clause: str
    reason: str


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One group. Attributes: seconds: that it took."""

    group: str
    outcomes: Sequence[Outcome]
    seconds: float

    @property
    def passed(self) -> int:
        """How many tests passed."""
        return sum(outcome.passed for outcome in self.outcomes)

    @property
    def failed(self) -> Sequence[Outcome]:
        """The tests that did not."""
        return [outcome for outcome in self.outcomes if not outcome.passed]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A run of the suite.

    Attributes:
        broker: what was tested: our version, or the address of somebody else's.
        suite: its commit; empty where it is not known.
        waivers: of tests that failed in this run.
    """

    began: datetime
    broker: str
    suite: str
    results: Sequence[Result]
    waivers: Sequence[Waiver]
    machine: Machine

    @property
    def total(self) -> int:
        """Tests that were run."""
        return sum(len(result.outcomes) for result in self.results)

    @property
    def passed(self) -> int:
        """Tests that passed."""
        return sum(result.passed for result in self.results)


def waivers_for(results: Sequence[Result]) -> list[Waiver]:
    """The waivers of tests that failed."""
    failed = {outcome.test for result in results for outcome in result.failed}
    return [waiver for waiver in read_waivers() if waiver.test in failed]


def read_waivers(path: Path = _WAIVERS) -> list[Waiver]:
    """All of them, from ``waivers.toml``: a table for each test, with clause and reason."""
    tables: Mapping[str, Mapping[str, str]] = tomllib.loads(path.read_text(encoding="utf-8"))
    return [msgspec.convert({"test": test, **table}, Waiver) for test, table in tables.items()]


def write_report(report: Report, folder: Path) -> None:
    """Write ``conformance.json`` and ``conformance.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "conformance.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    (folder / "conformance.md").write_text("\n".join(page(report)) + "\n", encoding="utf-8")


def summary(report: Report) -> str:
    """The verdict in one line."""
    excused = sum(_excused(report, result) for result in report.results)
    share = 100 * report.passed / max(1, report.total)
    return (
        f"{report.passed:,} of {report.total:,} tests passed, {share:.1f} %; {excused} of the others waived"
    )


def page(report: Report) -> Iterator[str]:
    """The report as lines of Markdown."""
    yield f"**{summary(report)}.**"
    yield ""
    yield f"{report.broker}, {report.began:%Y-%m-%d}, suite {report.suite or 'of unknown version'}, "
    yield f"on {report.machine.processor}, {report.machine.cores} cores, {report.machine.system}."
    yield ""
    yield from _groups(report)
    yield ""
    yield from _failures(report)


def _groups(report: Report) -> Iterator[str]:
    yield from ("| group | passed | of | % | waived | seconds |", "|---|---|---|---|---|---|")
    for result in report.results:
        excused = _excused(report, result)
        share = 100 * result.passed / max(1, len(result.outcomes))
        cells = (result.group, result.passed, len(result.outcomes), f"{share:.1f}", excused)
        yield f"| {' | '.join(map(str, cells))} | {result.seconds:.0f} |"


def _excused(report: Report, result: Result) -> int:
    """Failures that have a waiver; several tests of a group may be one waiver's."""
    waived = {waiver.test for waiver in report.waivers}
    return sum(outcome.test in waived for outcome in result.failed)


def _failures(report: Report) -> Iterator[str]:
    reasons = {waiver.test: f"waived, clause {waiver.clause}: {waiver.reason}" for waiver in report.waivers}
    failed = [outcome for result in report.results for outcome in result.failed]
    if not failed:
        yield "No test failed."
        return
    yield from ("| test that failed | what it is about | why |", "|---|---|---|")
    for outcome in failed:
        why = reasons.get(outcome.test, outcome.message[:200]).replace("|", "\\|")
        yield f"| {outcome.test} | {outcome.title} | {why} |"
