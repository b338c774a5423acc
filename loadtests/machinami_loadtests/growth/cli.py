"""`machinami bench depth` and `machinami bench devices`."""

import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from machinami_loadtests.growth.depth import Size, bench_depth
from machinami_loadtests.growth.devices import bench_devices
from machinami_loadtests.measured import machine, measured_on, say


def depth(
    rows: Annotated[
        list[int] | None, typer.Option(help="Rows of history at which to measure; may be given again.")
    ] = None,
    messages: Annotated[int, typer.Option(help="Messages of each run.", min=1_000)] = 100_000,
    devices: Annotated[int, typer.Option(help="Devices that send them.", min=1)] = 1_000,
    database: Annotated[
        str | None, typer.Option(help="Measure this server instead of the embedded one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Messages/s at an empty history, and at 10 million rows of the same series, or as many as you say.

    A million rows take about 100 MB of disk; they go with the temporary folder. A server named by --database
    must be empty, and keeps them.
    """
    size = Size(rows=sorted(rows or [10_000_000]), messages=messages, devices=devices)
    with tempfile.TemporaryDirectory(prefix="machinami-bench-") as folder:
        found = bench_depth(Path(folder), size, database, say)
    if as_json:
        document = {"depths": [msgspec.structs.asdict(depth) for depth in found], "machine": machine()}
        print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
        return
    print("   rows of history    messages/s   of empty   CPU µs a message: worker, database")
    for at in found:
        share = at.messages_per_second / found[0].messages_per_second
        cpu = at.cpu_microseconds
        used = f"{cpu['worker']:.1f}, {cpu.get('database', 0.0):.1f}"
        print(f"{at.rows:>18,} {at.messages_per_second:>13,.0f} {share:>10.0%}   {used}")
    print(measured_on())


def devices(
    number: Annotated[int, typer.Option("--devices", help="Devices.", min=1_000)] = 100_000,
    database: Annotated[
        str | None, typer.Option(help="Measure this server instead of the embedded one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """An ingest worker's memory with very many devices, and its start when it knows none of them yet."""
    with tempfile.TemporaryDirectory(prefix="machinami-bench-") as folder:
        report = bench_devices(Path(folder), number, database, say)
    if as_json:
        document = {**msgspec.structs.asdict(report), "machine": machine()}
        print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
        return
    print(f"devices      {report.devices:>10,}")
    print(f"first time   {report.first_per_second:>10,.0f} messages/s, each with an entity and four series")
    print(f"then         {report.known_per_second:>10,.0f} messages/s")
    print(f"memory       {report.memory_mib:>10,.0f} MiB, at most {report.peak_mib:,.0f} MiB")
    print(f"start        {report.start_seconds:>10.1f} s to the first commit")
    print(f"             {report.caught_up_seconds:>10.1f} s until a message of each device is committed")
    print(measured_on())
