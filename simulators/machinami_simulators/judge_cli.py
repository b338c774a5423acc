"""`machinami judge`: the platform's answers against the truth."""

import sys
from collections.abc import Iterable, Mapping, Sequence
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
    console = wide_console()
    console.print(_table(found.figures, f"{found.scenario}: {found.start} to {found.end}"))
    console.print("Errors are bias ± mean size of the error (the latter in percent of the mean size).")
    if found.by_fault:
        console.print(_table(found.by_fault, "what was measured, by the faults that changed it"))
    if found.latency:
        way = found.latency
        console.print(
            f"From publish to stored row: median {way.median:.2f} s, p99 {way.p99:.2f} s,"
            f" worst {way.worst:.2f} s, of {way.count:,} gauge readings."
        )
    for note in found.notes:
        console.print(note)


def _table(figures: Sequence[Figure], title: str) -> Table:
    table = Table(title=title)
    for head in ("", "unit", "true", "sent", "answered", "complete", "sensors", "platform", "together"):
        table.add_column(head, overflow="fold")
    for each in figures:
        table.add_row(*_row(each))
    return table


def _row(each: Figure) -> tuple[str, ...]:
    return (
        each.name,
        each.unit,
        f"{each.true:,}",
        "?" if each.sent is None else f"{each.sent:,}",
        f"{each.answered:,}",
        "" if each.completeness is None else f"{each.completeness:.4g} %",
        "?" if each.sent is None else _part(each.sensors, {"missed": each.unseen, "false": each.false}),
        "?" if each.sent is None else _part(each.platform, {"lost": each.missing, "invented": each.invented}),
        _part(each.total, {}),
    )


def _part(error: Deviation | None, wrong: Mapping[str, int | None]) -> str:
    """A part of an error: in the numbers that are there, and in those that are too few or too many."""
    counts = [f"{count:,} {word}" for word, count in wrong.items() if count]
    return ", ".join([_error(error), *counts] if error or not counts else counts)


def _error(error: Deviation | None) -> str:
    if error is None:
        return "–"
    return f"{_short(error.bias, '+')} ± {_short(error.mae)}{_percent(error.percent)}"


def _short(number: float, sign: str = "") -> str:
    """Three figures; what is too small to be seen beside a measurement is 0."""
    return f"{number:{sign},.0f}" if abs(number) >= 1000 else f"{round(number, 6) + 0.0:{sign}.3g}"


def _percent(percent: float | None) -> str:
    """Nothing where the mean size is so near to zero that a percentage of it says nothing."""
    if percent is None or percent >= 1000:
        return ""
    return f" ({percent:.0f} %)" if percent >= 10 else f" ({round(percent, 3):.2g} %)"
