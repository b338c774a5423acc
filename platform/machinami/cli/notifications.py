"""`machinami notifications`: those that were given up; replayed when their receiver is back."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from machinami.cli.options import AsJson, DataDir, load_settings
from machinami.linkage import dead_letters
from machinami.linkage.dead_letters import Dead
from machinami.linkage.read import Page
from machinami.model import DEFAULT_TENANT
from machinami.settings import Settings, database_address
from machinami.store.engine import Engine, open_engine

app = typer.Typer(help="Notifications that were given up; replay or discard them.", no_args_is_help=True)

_Subscription = Annotated[str | None, typer.Option(help="Only those of this subscription.")]
_Tenant = Annotated[str, typer.Option(help="Of this tenant.")]
_Ids = Annotated[list[int] | None, typer.Argument(help="Ids that the list shows, instead of options.")]
_All = Annotated[bool, typer.Option("--all", help="All of them.")]


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1, max=1000)] = 50,
    offset: Annotated[int, typer.Option(help="How many to pass over.", min=0)] = 0,
    subscription: _Subscription = None,
    tenant: _Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List dead letters, newest first."""
    page = Page(limit=limit, offset=offset, count=True)
    with _database(load_settings(data_dir)) as engine:
        found = dead_letters.query_dead(engine, tenant, Dead(subscription_id=subscription), page)
    if as_json:
        _print_json({"total": found.total, "notifications": found.letters})
        return
    table = Table("id", "subscription", "given up", "attempts", "error")
    for item in found.letters:
        given_up = f"{item.dead_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(str(item.id), item.subscription_id, given_up, str(item.attempts), item.error)
    console = Console()
    console.print(table)
    console.print(f"{len(found.letters)} of {found.total}")


@app.command()
def show(
    number: Annotated[int, typer.Argument(help="The id that the list shows.")],
    tenant: _Tenant = DEFAULT_TENANT,
    data_dir: DataDir = None,
) -> None:
    """Show one dead letter as JSON, with the entities that it tells of."""
    with _database(load_settings(data_dir)) as engine:
        _print_json(dead_letters.retrieve_dead(engine, tenant, number))


@app.command()
def replay(
    ids: _Ids = None,
    subscription: _Subscription = None,
    everything: _All = False,
    tenant: _Tenant = DEFAULT_TENANT,
    data_dir: DataDir = None,
) -> None:
    """Let the notifier send them again, the oldest first, before what came later."""
    with _database(load_settings(data_dir)) as engine:
        choices = _choices(ids, subscription, everything=everything)
        number = sum(dead_letters.replay(engine, tenant, choice) for choice in choices)
    print(f"replayed {number:,}")


@app.command()
def discard(
    ids: _Ids = None,
    subscription: _Subscription = None,
    everything: _All = False,
    tenant: _Tenant = DEFAULT_TENANT,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Delete dead letters for good."""
    settings, choices = load_settings(data_dir), _choices(ids, subscription, everything=everything)
    if not yes:
        typer.confirm("Delete these notifications for good?", abort=True)
    with _database(settings) as engine:
        number = sum(dead_letters.discard(engine, tenant, choice) for choice in choices)
    print(f"discarded {number:,}")


def _choices(ids: list[int] | None, subscription: str | None, *, everything: bool) -> list[Dead]:
    if ids:
        return [Dead(id=number) for number in ids]
    return [dead_letters.chosen(subscription, everything=everything)]


@contextmanager
def _database(settings: Settings) -> Generator[Engine]:
    engine = open_engine(database_address(settings))
    try:
        yield engine
    finally:
        engine.dispose()


def _print_json(value: object) -> None:
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
