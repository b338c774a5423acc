"""`machinami judge`: the platform's answers against the truth."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import httpx
import msgspec
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from machinami_simulators.cli import DataDir, plainly
from machinami_simulators.judge.figures import Deviation, Figure
from machinami_simulators.judge.judgement import Judgement
from machinami_simulators.judge.judgement import judge as compare
from machinami_simulators.judge.platform import Platform
from machinami_simulators.judge.sent import find_sent
from machinami_simulators.target import api, data_folder
from machinami_simulators.truth_cli import wide_console
from machinami_simulators.truth_record import find_truth


@plainly
def judge(
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="From then on.", show_default="the beginning")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Up to then.", show_default="the end")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="The platform's address, below which /ngsi-ld/v1 lies.", show_default="the city's"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    file: Annotated[
        Path | None, typer.Option("--file", help="A record, instead of the latest run's.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Compare what the platform answers with what was really so, and say who made which part of an error.

    Everything is asked through the NGSI-LD API, as an app would.

    machinami judge --from 2026-09-01T06:00 --to 2026-09-01T09:00
    """
    folder = data_folder(data_dir)
    with find_truth(folder, file) as record, httpx.Client(base_url=url or api(folder)) as client:
        span = record.span(start, end)
        found = compare(record, find_sent(record, folder), Platform(client), span, _progress)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        _show(found)


def _progress(names: Sequence[str], what: str) -> Iterable[str]:
    shown = Console(stderr=True)
    return track(names, what, console=shown, transient=True, disable=not sys.stderr.isatty())


def _show(found: Judgement) -> None:
    heads = ("", "unit", "true", "sent", "answered", "complete", "sensors", "platform", "together")
    table = Table(*heads, title=f"{found.scenario}: {found.start} to {found.end}")
    for each in found.figures:
        table.add_row(*_row(each))
    console = wide_console()
    console.print(table)
    console.print("Errors are bias ± mean size of the error (the latter in percent of the mean size).")
    if found.latency:
        way = found.latency
        console.print(
            f"From publish to stored row: median {way.median:.2f} s, p99 {way.p99:.2f} s,"
            f" worst {way.worst:.2f} s, of {way.count:,} gauge readings."
        )
    for note in found.notes:
        console.print(note)


def _row(each: Figure) -> tuple[str, ...]:
    return (
        each.name,
        each.unit,
        f"{each.true:,}",
        "?" if each.sent is None else f"{each.sent:,}",
        f"{each.answered:,}",
        "" if each.completeness is None else f"{each.completeness:.4g} %",
        "?" if each.sent is None else _error(each.sensors),
        "?" if each.sent is None else _error(each.platform),
        _error(each.total),
    )


def _error(error: Deviation | None) -> str:
    if error is None:
        return "–"
    percent = "" if error.percent is None else f" ({error.percent:.2g} %)"
    return f"{error.bias:+.3g} ± {error.mae:.3g}{percent}"
