"""`machinami quarantine`: what could not be read, and why."""

from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from machinami.cli.options import AsJson, DataDir, load_settings
from machinami.errors import NotFound
from machinami.settings import database_address
from machinami.store.engine import open_engine
from machinami.store.queries_quarantine import Quarantined, count_quarantine, read_quarantine

app = typer.Typer(help="What could not be read, and why.", no_args_is_help=True)


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1)] = 50,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List messages in quarantine, newest first."""
    total, found = _read(data_dir, limit=limit)
    if as_json:
        _print_json({"total": total, "messages": found})
        return
    table = Table("id", "received", "connector", "topic", "field", "value", "reason")
    for item in found:
        received = f"{item.received_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(str(item.id), received, item.connector, item.topic, item.field, item.value, item.reason)
    console = Console()
    console.print(table)
    console.print(f"{len(found)} of {total}")


@app.command()
def show(
    number: Annotated[int, typer.Argument(help="The id that the list shows.")],
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show one message: original bytes, reason and cure."""
    _, found = _read(data_dir, limit=1, number=number)
    if not found:
        raise NotFound(f"nothing in quarantine has the id {number}", field="id", value=number)
    if as_json:
        _print_json(found[0])
        return
    for name, value in msgspec.structs.asdict(found[0]).items():
        print(f"{name:<12} {value}")


def _read(data_dir: DataDir, *, limit: int, number: int | None = None) -> tuple[int, list[Quarantined]]:
    settings = load_settings(data_dir)
    engine = open_engine(database_address(settings))
    try:
        return count_quarantine(engine), read_quarantine(engine, limit=limit, number=number)
    finally:
        engine.dispose()


def _print_json(value: object) -> None:
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
