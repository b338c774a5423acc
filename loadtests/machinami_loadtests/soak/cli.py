"""`machinami bench soak` and `machinami bench puback`."""

import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Annotated

import msgspec
import typer

from machinami_loadtests.soak.faults import named
from machinami_loadtests.soak.puback import kill_brokers
from machinami_loadtests.soak.report import summary, write_report
from machinami_loadtests.soak.run import Soak, run_soak


def soak(
    faults: Annotated[int, typer.Option(help="How many faults.", min=1)] = 40,
    rate: Annotated[float, typer.Option(help="Messages/s.", min=1)] = 2_000,
    pause: Annotated[float, typer.Option(help="Seconds between two faults at most.", min=0)] = 20,
    hold: Annotated[float, typer.Option(help="Seconds for which the database is frozen.", min=0)] = 20,
    workers: Annotated[int, typer.Option(help="Processes that read the stream side by side.", min=1)] = 1,
    seed: Annotated[int, typer.Option(help="Of moments and order of the faults.")] = 1,
    fault: Annotated[
        list[str] | None, typer.Option(help="Only faults of this kind; may be given several times.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder of the report and of the roles' logs.", file_okay=False)
    ] = Path("reports/soak"),
) -> None:
    """A real city under load and under faults; then every acknowledged message is looked for, one by one.

    It runs in a temporary folder, on loopback only, for about 20 minutes; 6 faults take one. As root the
    database and its write-ahead log get small disks of their own, which are then filled as well. The
    exit code is 1 when a message is lost or doubled.
    """
    named(fault or ())  # refused before a city starts
    signal.signal(signal.SIGTERM, _stop)  # else it would leave its city behind
    size = Soak(
        faults=faults, rate=rate, pause=pause, hold=hold, workers=workers, seed=seed, kinds=fault or ()
    )
    with tempfile.TemporaryDirectory(prefix="machinami-soak-") as folder:
        try:
            report = run_soak(Path(folder), size, _say)
        finally:
            logs = Path(folder) / "city/logs"
            if logs.exists():
                shutil.copytree(logs, out / "logs", dirs_exist_ok=True)
    write_report(report, out)
    print(summary(report))
    print(f"report: {out / 'soak.md'}, {out / 'soak.json'}")
    raise typer.Exit(0 if report.balanced else 1)


def puback(
    kills: Annotated[int, typer.Option(help="How often.", min=1)] = 100,
    seed: Annotated[int, typer.Option(help="Of the moments.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Kill -9 a broker again and again under full load; is all that it acknowledged in its stream?

    The exit code is 1 when a message is not.
    """
    signal.signal(signal.SIGTERM, _stop)
    with tempfile.TemporaryDirectory(prefix="machinami-puback-") as folder:
        found = kill_brokers(Path(folder), kills, seed)
    figures = msgspec.structs.asdict(found)
    if as_json:
        print(msgspec.json.encode(figures).decode())
    else:
        print(", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in figures.items()))
    raise typer.Exit(1 if found.lost else 0)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise typer.Exit(1)


def _say(text: str) -> None:
    print(f"· {text}", file=sys.stderr, flush=True)
