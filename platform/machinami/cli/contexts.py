"""`machinami context`: @contexts that the city keeps, so that nobody asks the network for them."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from machinami.cli.options import AsJson, DataDir, load_settings
from machinami.linkage.contexts import Contexts
from machinami.linkage.pinned import read_document
from machinami.settings import database_address
from machinami.store.engine import open_engine

app = typer.Typer(help="@contexts that the city keeps.", no_args_is_help=True)

Url = Annotated[str, typer.Argument(help="Its address, or its identifier here.", metavar="URL")]


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="The address that documents name it by.", metavar="URL")],
    file: Annotated[
        Path | None,
        typer.Option(help="The document; without it, it is fetched once now.", exists=True, dir_okay=False),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Keep a @context under its address; a running API uses it within a minute."""
    with _contexts(data_dir) as contexts:
        if file:
            contexts.pin(url, read_document(file))
        else:
            contexts.resolve(url)
    print(f"{url} is kept")


@app.command("list")
def list_(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show which @contexts are kept, newest first."""
    with _contexts(data_dir) as contexts:
        found = contexts.list()
    rows = [{"url": each.url, "kind": each.kind.value, "createdAt": each.created_at} for each in found]
    if as_json:
        print(msgspec.json.encode(rows).decode())
        return
    table = Table("address", "kind", "since", box=None)
    for each in found:
        table.add_row(each.url, each.kind.value, each.created_at.isoformat(timespec="seconds"))
    Console().print(table)


@app.command()
def show(url: Url, data_dir: DataDir = None) -> None:
    """Print a @context as it is kept."""
    with _contexts(data_dir) as contexts:
        document = contexts.serve(url).document
    print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


@app.command()
def delete(url: Url, data_dir: DataDir = None) -> None:
    """Forget a @context; what is pinned by a folder of the settings stays."""
    with _contexts(data_dir) as contexts:
        contexts.delete(url)
    print(f"{url} is forgotten")


@contextmanager
def _contexts(data_dir: DataDir) -> Generator[Contexts]:
    settings = load_settings(data_dir)
    engine = open_engine(database_address(settings))
    try:
        yield Contexts(engine, settings)
    finally:
        engine.dispose()
