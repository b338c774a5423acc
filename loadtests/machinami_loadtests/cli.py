"""`machinami bench`: speed measured on this machine, with the machine named beside the figures."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from machinami.local.database import EmbeddedDatabase
from machinami_simulators.scale import find_scale
from machinami_simulators.scenario import find_scenario

from machinami_loadtests.bench import Report, Size, bench_ingest
from machinami_loadtests.growth.cli import depth, devices
from machinami_loadtests.http.bench import Pair, bench_api
from machinami_loadtests.http.bench import Report as ApiReport
from machinami_loadtests.http.bench import Size as ApiSize
from machinami_loadtests.measured import machine, measured_on, say
from machinami_loadtests.simulator_bench import bench_simulator
from machinami_loadtests.soak.cli import puback, soak
from machinami_loadtests.storage_bench import Result as StorageResult
from machinami_loadtests.storage_bench import Size as StorageSize
from machinami_loadtests.storage_bench import bench_storage
from machinami_loadtests.subscription_bench import bench_subscriptions

app = typer.Typer(help="Measure this machine.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Holds the help text."""


app.command()(soak)
app.command()(puback)
app.command()(depth)
app.command()(devices)


@app.command()
def ingest(
    messages: Annotated[int, typer.Option(help="Messages for each of the two rates.", min=1_000)] = 500_000,
    devices: Annotated[int, typer.Option(help="Devices that send them.", min=1)] = 1_000,
    latency_rate: Annotated[float, typer.Option(help="Messages/s while latency is measured.", min=1)] = 1_000,
    latency_seconds: Annotated[float, typer.Option(help="How long latency is measured.", min=1)] = 10,
    workers: Annotated[int, typer.Option(help="Ingest processes side by side.", min=1, max=64)] = 1,
    database: Annotated[
        str | None, typer.Option(help="Measure this server instead of the embedded one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Messages/s from the MQTT listener to the committed row, beside the bare limit of the same run.

    QoS 1, JSON of five fields that gives four values, default durability. It takes a minute or
    two in a temporary folder, on loopback only. The exit code is 1 when a message is lost or doubled.
    """
    size = Size(
        messages=messages,
        devices=devices,
        latency_rate=latency_rate,
        latency_seconds=latency_seconds,
        workers=workers,
    )
    with tempfile.TemporaryDirectory(prefix="machinami-bench-") as folder:
        report = bench_ingest(Path(folder), size, database, say)
    if as_json:
        document = {**msgspec.structs.asdict(report), "machine": machine()}
        print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
    else:
        _print(report)
    raise typer.Exit(1 if report.lost or report.doubled else 0)


@app.command()
def storage(
    series: Annotated[int, typer.Option(help="Series, of one number each.", min=1)] = 200,
    days: Annotated[int, typer.Option(help="Days of history.", min=2, max=3650)] = 30,
    step: Annotated[float, typer.Option(help="Seconds between two numbers of a series.", min=0.1)] = 60,
    database: Annotated[
        str | None, typer.Option(help="Measure this server instead of the embedded one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Bytes of history, of rollups and of compressed history, and the time that aggregates take from each.

    It fills a database of its own on the server and drops it in the end.
    """
    size = StorageSize(series=series, days=days, step=step)
    with ExitStack() as stack:
        if database is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="machinami-bench-"))
            database = stack.enter_context(EmbeddedDatabase(Path(folder))).url
        result = bench_storage(database, size, say)
    if as_json:
        document = {**msgspec.structs.asdict(result), "machine": machine()}
        print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
    else:
        _print_storage(result)


@app.command()
def subscriptions(
    changes: Annotated[int, typer.Option(help="Changes in a batch.", min=1)] = 1_000,
    batches: Annotated[int, typer.Option(help="Batches for each number of subscriptions.", min=3)] = 30,
    database: Annotated[
        str | None, typer.Option(help="Measure this server instead of the embedded one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Milliseconds of a batch with 0, 100 and 10,000 subscriptions, none of which it meets.

    It fills a database of its own on the server and drops it in the end.
    """
    with ExitStack() as stack:
        if database is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="machinami-bench-"))
            database = stack.enter_context(EmbeddedDatabase(Path(folder))).url
        costs = bench_subscriptions(database, changes=changes, batches=batches, say=say)
    if as_json:
        document = {"costs": costs, "changes": changes, "machine": machine()}
        print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
        return
    print(f"{'subscriptions':>13}  {'batch ms':>9}  {'of it CPU':>9}  {'first ms':>9}")
    for cost in costs:
        print(f"{cost.subscriptions:>13,}  {cost.batch:>9.1f}  {cost.cpu:>9.1f}  {cost.first:>9.1f}")
    print(measured_on())


@app.command()
def api(
    entities: Annotated[int, typer.Option(help="Entities that are there.", min=1_000)] = 100_000,
    requests: Annotated[int, typer.Option(help="Retrievals; others are fewer.", min=100)] = 10_000,
    minutes: Annotated[int, typer.Option(help="Steady load after that, for the memory's sake.", min=0)] = 0,
    database: Annotated[
        str | None, typer.Option(help="Measure this server instead of the embedded one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Requests/s of the API beside a bare FastAPI and psycopg handler that does the same SQL.

    Retrieve by id and PATCH of an attribute in turns with the bare handler, a query by type, value and area,
    and batches. It takes about two minutes in a temporary folder, on loopback only.
    """
    size = ApiSize(
        entities=entities,
        retrievals=requests,
        patches=requests // 2,
        queries=max(20, requests // 20),
        minutes=minutes,
    )
    with tempfile.TemporaryDirectory(prefix="machinami-bench-") as folder:
        report = bench_api(Path(folder), size, database, say)
    if as_json:
        document = {**msgspec.structs.asdict(report), "machine": machine()}
        print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
    else:
        _print_api(report)


@app.command()
def simulator(
    scale: Annotated[str, typer.Option(help="Size of the city, as in machinami simulate.")] = "city",
    scenario: Annotated[str, typer.Option(help="What happens in it.")] = "ordinary-day",
    ticks: Annotated[int, typer.Option(help="Simulated tens of seconds without sending.", min=1)] = 120,
    minutes: Annotated[float, typer.Option(help="Simulated minutes that are published.", min=0.2)] = 20,
    connections: Annotated[int, typer.Option(help="Connections of the pool.", min=1, max=256)] = 8,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Messages and readings/s of the simulated city alone, messages/s at QoS 1, memory of a device.

    A reading is one measured value. Publishing is the whole simulator with its truth and its ledger, to a
    broker of its own in a temporary folder.
    """
    size, what = find_scale(scale), find_scenario(scenario)
    with tempfile.TemporaryDirectory(prefix="machinami-bench-") as folder:
        report = bench_simulator(
            Path(folder), size, what, ticks=ticks, minutes=minutes, connections=connections
        )
    if as_json:
        document = {**msgspec.structs.asdict(report), "machine": machine()}
        print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
        return
    lines = (
        ("devices", report.devices, f"{report.bytes_per_device:,.0f} bytes each"),
        (
            "simulating",
            report.simulated_messages,
            f"messages, {report.simulated_readings:,.0f} readings, and",
        ),
        ("publishing", report.publishing_messages, "messages in a second of one core's CPU"),
        ("by the clock", report.published_per_second, f"messages/s over {report.connections} connections"),
    )
    for name, figure, unit in lines:
        print(f"{name:<13}{figure:>10,.0f} {unit}")
    print(measured_on())


def _print(report: Report) -> None:
    whole, limit = report.cpu_microseconds, report.limit_cpu_microseconds
    print(
        f"whole path   {report.messages_per_second:>10,.0f} messages/s  {report.rows_per_second:,.0f} rows/s"
    )
    print(f"bare limit   {report.limit_messages_per_second:>10,.0f} messages/s")
    print(f"ratio        {report.ratio:>10.2f}")
    print(
        f"latency      p50 {report.p50_ms:.1f} ms, p99 {report.p99_ms:.1f} ms at {report.latency_rate:,.0f}/s"
    )
    print("CPU, µs a message (bare limit in brackets)")
    for role, used in whole.items():
        print(f"  {role:<10} {used:>8.1f}  ({limit.get(role, 0.0):.1f})")
    print(
        f"lost {report.lost}, doubled {report.doubled} of {report.messages:,} messages and the latency run's"
    )
    print(measured_on())


def _print_storage(result: StorageResult) -> None:
    columns = result.size_compressed
    print(f"{result.server}, {result.rows:,} rows")
    print(f"history      {result.size / 2**20:>10,.1f} MiB  {result.size / result.rows:.1f} bytes a row")
    if columns:
        print(f"in columns   {columns / 2**20:>10,.1f} MiB  {result.size / columns:.1f} : 1")
    for name, rollup in result.rollups.items():
        print(f"{name:<13}{rollup / 2**20:>10,.1f} MiB")
    print(f"rollups made in {result.refresh_seconds:.1f} s; nothing new: {result.idle_refresh_seconds:.2f} s")
    for asked in result.questions:
        compressed = "" if asked.columns is None else f", from columns {asked.columns:.1f} ms"
        print(f"{asked.name}: from rows {asked.rows:.1f} ms, from rollups {asked.rollups:.1f} ms{compressed}")
    print(measured_on())


def _print_api(report: ApiReport) -> None:
    print(f"{report.entities:,} entities")
    for name, pair in (("retrieve", report.retrieve), ("PATCH", report.patch)):
        print(_pair(name, pair))
    print(
        f"query        p50 {report.query_p50_ms:.1f} ms, p99 {report.query_p99_ms:.1f} ms"
        f" (type, value and area; {report.found:.0f} found on average)"
    )
    print(
        f"batches      {report.create_per_second:,.0f} entities/s created,"
        f" {report.update_per_second:,.0f}/s updated"
    )
    print(f"memory       {', '.join(f'{each:.0f}' for each in report.memory_mib)} MiB")
    print(measured_on())


def _pair(name: str, pair: Pair) -> str:
    return (
        f"{name:<12} {pair.ours:,.0f}/s, bare {pair.bare:,.0f}/s, ratio {pair.ratio:.2f};"
        f" p99 {pair.p99_ms:.1f} ms; CPU {pair.ours_cpu:.0f} µs, bare {pair.bare_cpu:.0f} µs"
    )
