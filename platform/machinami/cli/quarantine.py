"""`machinami quarantine`: what could not be read, and why; replayed when its connector is mended."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from machinami.cli.options import AsJson, DataDir, load_settings
from machinami.connect.devices import Devices
from machinami.connect.discovery import discover
from machinami.linkage import quarantine
from machinami.linkage.quarantine import Choice, Quarantined, Replayed
from machinami.linkage.read import Page
from machinami.model import DEFAULT_TENANT
from machinami.settings import Settings, database_address, stream_address
from machinami.store.engine import Engine, open_engine
from machinami.stream.client import open_stream

app = typer.Typer(help="What could not be read, and why; replay or discard it.", no_args_is_help=True)

_Connector = Annotated[str | None, typer.Option(help="Only rejections by this connector.")]
_Topic = Annotated[str | None, typer.Option(help="Only this topic, or MQTT topic filter with + and #.")]
_Ids = Annotated[list[int] | None, typer.Argument(help="Ids that the list shows, instead of options.")]


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1, max=1000)] = 50,
    offset: Annotated[int, typer.Option(help="How many to pass over.", min=0)] = 0,
    connector: _Connector = None,
    topic: _Topic = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List rejections, newest first."""
    settings = load_settings(data_dir)
    page, choice = Page(limit=limit, offset=offset, count=True), Choice(connector=connector, topic=topic)
    with _database(settings) as engine:
        found = quarantine.query_quarantine(engine, DEFAULT_TENANT, choice, page, _devices(settings).of)
    if as_json:
        _print_json({"total": found.total, "messages": found.rejections})
        return
    columns = ("id", "received", "connector", "device", "topic", "field", "value", "reason")
    table = Table(*columns)
    for item in found.rejections:
        table.add_row(*(_cell(item, column) for column in columns))
    console = Console()
    console.print(table)
    console.print(f"{len(found.rejections)} of {found.total}")


@app.command()
def show(
    number: Annotated[int, typer.Argument(help="The id that the list shows.")],
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show one rejection: original bytes, reason and cure."""
    settings = load_settings(data_dir)
    with _database(settings) as engine:
        device = _devices(settings).of
        found = quarantine.retrieve_quarantined(engine, DEFAULT_TENANT, number, device)
    if as_json:
        _print_json(found)
        return
    for name, value in msgspec.structs.asdict(found).items():
        print(f"{name:<12} {value}")


@app.command()
def replay(
    ids: _Ids = None, connector: _Connector = None, topic: _Topic = None, data_dir: DataDir = None
) -> None:
    """Send messages through the stream again, at their own times. Mend their connector first.

    A message is replayed whole, with all its rejections, and leaves quarantine once the stream has stored it;
    what is rejected again comes back with a new id.
    """
    settings = load_settings(data_dir)
    with _database(settings) as engine:
        result = asyncio.run(_replay(settings, engine, _choices(ids, connector, topic)))
    print(f"replayed {result.replayed:,}" + (f", too large and left {result.left:,}" if result.left else ""))


@app.command()
def discard(
    ids: _Ids = None,
    connector: _Connector = None,
    topic: _Topic = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Delete messages from quarantine for good. `machinami ledger` will call them missing, which they are."""
    settings, choices = load_settings(data_dir), _choices(ids, connector, topic)
    if not yes:
        typer.confirm("Delete these messages for good?", abort=True)
    with _database(settings) as engine:
        number = sum(quarantine.discard(engine, DEFAULT_TENANT, choice) for choice in choices)
    print(f"discarded {number:,}")


def _choices(ids: list[int] | None, connector: str | None, topic: str | None) -> list[Choice]:
    return [Choice(id=number) for number in ids] if ids else [quarantine.chosen(connector, topic)]


async def _replay(settings: Settings, engine: Engine, choices: list[Choice]) -> Replayed:
    async with open_stream(*stream_address(settings)) as stream:
        done = [await quarantine.replay(engine, DEFAULT_TENANT, choice, stream) for choice in choices]
    return Replayed(replayed=sum(each.replayed for each in done), left=sum(each.left for each in done))


@contextmanager
def _database(settings: Settings) -> Generator[Engine]:
    engine = open_engine(database_address(settings))
    try:
        yield engine
    finally:
        engine.dispose()


def _devices(settings: Settings) -> Devices:
    return Devices(discover(settings.connector_folders))


def _cell(item: Quarantined, column: str) -> str:
    return f"{item.received_at:%Y-%m-%d %H:%M:%S}" if column == "received" else str(getattr(item, column))


def _print_json(value: object) -> None:
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
