"""`machinami conformance`."""

import json
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from machinami.errors import InvalidRequest

from machinami_loadtests.conformance import mosquitto
from machinami_loadtests.conformance.brokers import check_ports, fresh_brokers, write_contexts
from machinami_loadtests.conformance.report import Report, Result, summary, waivers_for, write_report
from machinami_loadtests.conformance.suite import GROUPS, Group, Suite
from machinami_loadtests.load.machine import fingerprint


def conformance(
    suite: Annotated[
        Path, typer.Argument(help="Folder of ETSI's suite, cloned from forge.etsi.org.", exists=True)
    ],
    groups: Annotated[
        list[str] | None, typer.Argument(help="Groups, e.g. ContextInformation/Provision; all if none.")
    ] = None,
    robot: Annotated[
        str | None, typer.Option(help="Robot Framework's command; else SUITE/.venv/bin/robot.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="A broker that is there, up to /ngsi-ld/v1, instead of fresh ones of ours."),
    ] = None,
    contexts: Annotated[
        Path | None,
        typer.Option(help="Folder of more @contexts; see MACHINAMI_CONTEXT_FOLDERS.", file_okay=False),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the report.", file_okay=False)] = Path(
        "reports/conformance"
    ),
) -> None:
    """Run ETSI's NGSI-LD test suite and write a report: a table by group, and each failure with its reason.

    Each group is run on fresh brokers of ours on port 9090 and following ones, all on loopback; the suite's
    own servers listen on 8085 to 8087. Its MQTT tests use the system's mosquitto where there is one. It takes
    some minutes. The exit code is 1 when a test fails that has no waiver.
    """
    tests, wanted = Suite(suite, robot), _chosen(groups or [])
    check_ports(0 if url else max(group.brokers for group in wanted))
    began = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="machinami-conformance-") as name:
        folder = Path(name)
        path, settings = mosquitto.lay_out(folder / "bin", tests.folder), _settings(folder, tests, contexts)
        results: list[Result] = []
        for group in wanted:
            with _brokers(folder / group.name, group, url, settings) as brokers:
                results.append(_run(tests, group, brokers, out / group.name, path))
        machine = fingerprint(folder)
    report = Report(
        began=began,
        broker=url or f"Machinami {version('machinami')}",
        suite=tests.commit(),
        results=results,
        waivers=waivers_for(results),
        machine=machine,
    )
    write_report(report, out)
    print(f"{summary(report)}; report: {out / 'conformance.md'}, {out / 'conformance.json'}")
    raise typer.Exit(int(report.total - report.passed > len(report.waivers)))


def _chosen(names: Sequence[str]) -> list[Group]:
    wanted = [group for name, group in GROUPS.items() if not names or name.startswith(tuple(names))]
    if not wanted:
        cure = f"One of {', '.join(GROUPS)}"
        raise InvalidRequest("there is no such group", field="GROUPS", value=" ".join(names), cure=cure)
    return wanted


def _settings(folder: Path, suite: Suite, more: Path | None) -> Mapping[str, str]:
    """What the suite needs of a broker: its @contexts without a network, and those it serves on loopback."""
    folders = [write_contexts(folder / "contexts", suite.contexts())]
    if more is not None:
        folders.append(more.resolve())
    return {"MACHINAMI_CONTEXT_FOLDERS": json.dumps([str(folder) for folder in folders]), **_SETTINGS}


_SETTINGS = {
    "MACHINAMI_CONTEXT_PRIVATE_ADDRESSES": "true",  # its @contexts too
    "MACHINAMI_SOURCE_PRIVATE": "true",  # the suite's context sources are on loopback
    "MACHINAMI_TEMPORAL_INSTANCES": "30",  # its partial answers (206) are of 40; ours is 10,000
}


@contextmanager
def _brokers(
    folder: Path, group: Group, url: str | None, settings: Mapping[str, str]
) -> Generator[Sequence[str]]:
    if url:
        yield [url.rstrip("/")] * group.brokers
        return
    with fresh_brokers(folder, group.brokers, settings) as brokers:
        yield brokers


def _run(suite: Suite, group: Group, brokers: Sequence[str], output: Path, path: str) -> Result:
    print(f"· {group.name}", file=sys.stderr, end=" ", flush=True)
    began = time.monotonic()
    outcomes = suite.run(group, brokers, output, path)
    result = Result(group=group.name, outcomes=outcomes, seconds=time.monotonic() - began)
    print(f"{result.passed} of {len(outcomes)}, {result.seconds:.0f} s", file=sys.stderr, flush=True)
    return result
