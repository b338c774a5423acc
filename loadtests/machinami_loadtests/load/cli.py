"""`machinami load` and `machinami load compare`."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from machinami.cli.options import DataDir, load_settings
from machinami.errors import InvalidRequest
from rich.console import Console
from rich.table import Table

from machinami_loadtests.load.assemble import assemble
from machinami_loadtests.load.compare import Comparison, compare
from machinami_loadtests.load.html import write_html
from machinami_loadtests.load.machine import fingerprint
from machinami_loadtests.load.report import Report, Request, read_json, write_json
from machinami_loadtests.load.run import Load, greet, run_load
from machinami_loadtests.load.screen import RichScreen
from machinami_loadtests.load.tally import Latency
from machinami_loadtests.load.target import Target, find_target

app = typer.Typer(help="Put a city or a broker under load; one report, as HTML and JSON.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_NOTHING = "–"


@app.callback(invoke_without_command=True)
def load(
    context: typer.Context,
    devices: Annotated[int, typer.Option(help="Devices that send.", min=1, max=1_000_000)] = 1_000,
    rate: Annotated[
        float | None,
        typer.Option(help="Messages/s of all together.", min=0.1, show_default="as fast as acknowledged"),
    ] = None,
    duration: Annotated[str, typer.Option(help="How long, e.g. 30, 90s, 5m or 2h.")] = "60s",
    qos: Annotated[int, typer.Option(help="MQTT quality of service.", min=0, max=1)] = 1,
    connections: Annotated[
        int, typer.Option(help="MQTT connections that the devices share.", min=1, max=1_000)
    ] = 4,
    broker: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Somebody else's broker, mqtt://user:password@host:port: rates and PUBACK latency only.",
            show_default="the city on the data folder",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the report.", show_default="load-DATE-TIME", file_okay=False),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Put a city or a broker under load; one report, as HTML and JSON.

    Without --broker it is the city on the data folder: each message is then looked for in its history. The
    exit code is 1 when one is lost or doubled, or when the run ended before its time.
    """
    if context.invoked_subcommand is not None:
        return
    wanted = Load(
        devices=devices,
        rate=rate,
        duration=parse_duration(duration),
        qos=qos,
        connections=min(connections, devices),
    )
    target = find_target(load_settings(data_dir).data_dir.absolute(), broker)
    greet(target)
    folder = out or Path(f"load-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    folder.mkdir(parents=True, exist_ok=True)
    report = _measure(target, wanted, folder)
    document, page = write_json(report, folder), write_html(report, folder)
    if as_json:
        print(document.read_text(encoding="utf-8"), end="")
    else:
        print("\n".join([*summary_lines(report), f"report        {page}"]))
    failed = report.ended or (report.ledger and (report.ledger.lost or report.ledger.doubled))
    raise typer.Exit(1 if failed else 0)


@app.command("compare")
def compare_reports(
    a: Annotated[Path, typer.Argument(help="A report's folder or its report.json.")],
    b: Annotated[Path, typer.Argument(help="Another one.")],
    as_json: AsJson = False,
) -> None:
    """Hold two reports against each other, with ratios B / A.

    The exit code is 1 when machines or tests differ so that the figures must not be compared.
    """
    comparison = compare(read_json(a), read_json(b))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(comparison), indent=1).decode())
    else:
        _print_comparison(comparison, a, b)
    raise typer.Exit(0 if comparison.comparable else 1)


def parse_duration(text: str) -> float:
    """Seconds of ``30``, ``90s``, ``5m`` or ``2h``.

    Raises:
        InvalidRequest: it is none of these, or no time at all.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip(), re.ASCII)
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if seconds <= 0:
        raise InvalidRequest(
            f"--duration {text!r} is no duration",
            field="--duration",
            value=text,
            cure="Write seconds, or a number with s, m or h: 90s, 5m, 2h",
        )
    return seconds


def summary_lines(report: Report) -> list[str]:
    """The whole run in a few lines."""
    summary, ledger = report.summary, report.ledger
    lines = [
        f"sent          {summary.messages:,} messages, {summary.sent:,.0f}/s",
        f"acknowledged  {_rate(summary.acknowledged)}",
        f"committed     {_rate(summary.committed)}",
        f"PUBACK        {_latency(summary.puback)}",
        f"queryable     {_latency(summary.stored)}",
    ]
    if ledger:
        lines.append(
            f"ledger        stored {ledger.stored:,}, quarantined {ledger.quarantined:,}, "
            f"lost {ledger.lost:,}, doubled {ledger.doubled:,}"
        )
    return [*lines, f"ended early   {report.ended}"] if report.ended else lines


def _measure(target: Target, wanted: Load, folder: Path) -> Report:
    with RichScreen(wanted.duration) as screen:
        screen.say("looking at the machine")
        machine = fingerprint(target.data_dir or folder, target.database)
        screen.say(f"sending to {target.address} for {wanted.duration:,.0f} s")
        course = run_load(target, wanted, screen)
    request = Request(
        target="city" if target.data_dir else "broker",
        address=target.address,
        **msgspec.structs.asdict(wanted),
    )
    return assemble(course, request, machine)


def _rate(rate: float | None) -> str:
    return _NOTHING if rate is None else f"{rate:,.0f}/s"


def _latency(latency: Latency | None) -> str:
    if latency is None:
        return _NOTHING
    figures = (latency.p50_ms, latency.p90_ms, latency.p99_ms, latency.max_ms)
    return ", ".join(
        f"{name} {figure:,.1f} ms" for name, figure in zip(("p50", "p90", "p99", "max"), figures, strict=True)
    )


def _print_comparison(comparison: Comparison, a: Path, b: Path) -> None:
    table = Table(title=f"A: {a}\nB: {b}", title_justify="left")
    for heading in ("figure", "A", "B", "B / A"):
        table.add_column(heading, justify="left" if heading == "figure" else "right", no_wrap=True)
    for row in comparison.rows:
        ratio = _NOTHING if row.ratio is None else f"{row.ratio:.2f}"
        table.add_row(f"{row.figure} ({row.unit})", _figure(row.a), _figure(row.b), ratio)
    console = Console(highlight=False)
    console.print(table)
    if comparison.comparable:
        console.print("The machines and the tests are the same: the figures can be compared.")
    else:
        console.print("The figures must NOT be compared:")
    for line in comparison.obstacles:
        console.print(f"  ✗ {line}", markup=False)
    for line in comparison.notes:
        console.print(f"  · {line}", markup=False)


def _figure(value: float | None) -> str:
    if value is None:
        return _NOTHING
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.2f}"
