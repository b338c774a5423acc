"""`machinami ledger`: the proof that nothing was lost and nothing doubled."""

import asyncio
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from machinami.cli.options import AsJson, DataDir, load_settings
from machinami.connect.discovery import discover
from machinami.connect.router import Router
from machinami.linkage.ledger import Account, Ledger, count_sent, read_ledger
from machinami.linkage.write import Linkage
from machinami.settings import database_address, pseudonym_secret, stream_address
from machinami.store.engine import open_engine
from machinami.stream.client import open_stream

_LOOK_EVERY = 0.2


def ledger(
    as_json: AsJson = False,
    data_dir: DataDir = None,
    wait: Annotated[
        float, typer.Option(help="Seconds to wait until ingest has read what is in the stream now.", min=0)
    ] = 60.0,
) -> None:
    """Compare, message by message, what simulator and replays sent with what the database holds.

    Totals and the same by device kind: sent, acknowledged, committed, quarantined, doubled, missing. It
    balances when nothing is missing and nothing doubled; else the exit code is 1 and the first missing
    messages are named.
    """
    settings = load_settings(data_dir)
    stream = stream_address(settings)
    router = Router(discover(settings.connector_folders), pseudonym_secret(settings.data_dir))
    engine = open_engine(database_address(settings))
    folder = settings.data_dir / "ledger"
    try:
        behind = asyncio.run(_drain(stream, Linkage(engine), wait))
        with _progress(count_sent(folder), quiet=as_json) as advance:
            result = read_ledger(folder, engine, router, advance)
    finally:
        engine.dispose()
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(_document(result, behind)), indent=2).decode())
    else:
        _print(result, behind)
    raise typer.Exit(0 if result.balanced else 1)


async def _drain(address: tuple[str, str], linkage: Linkage, wait: float) -> int:
    """Wait until ingest has read what the stream holds now; how many messages it is behind then."""
    async with open_stream(*address) as stream:
        state = await stream.state()
    deadline = time.monotonic() + wait
    while (behind := state.last - linkage.counters(state.name).sequence) > 0 and time.monotonic() < deadline:
        await asyncio.sleep(_LOOK_EVERY)
    return max(0, behind)


@contextmanager
def _progress(total: int, *, quiet: bool) -> Generator[Callable[[int], None]]:
    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as progress:
        task = progress.add_task("checking", total=total)
        yield lambda number: progress.advance(task, number)


def _document(result: Ledger, behind: int) -> dict[str, object]:
    totals = msgspec.structs.asdict(result.totals)
    return {
        **totals,
        "balanced": result.balanced,
        "behind": behind,
        "kinds": result.kinds,
        "missing_messages": result.examples,
    }


def _print(result: Ledger, behind: int) -> None:
    console = Console()
    table = Table("kind", *Account.__struct_fields__)
    for kind, account in [*result.kinds.items(), ("total", result.totals)]:
        table.add_row(kind, *(f"{number:,}" for number in msgspec.structs.astuple(account)))
    console.print(table)
    if behind:
        console.print(f"ingest is {behind:,} messages behind: what it has not read yet counts as missing")
    for lost in result.examples:
        console.print(f"missing: {lost.sent_at.isoformat()} {lost.topic} {lost.payload}", markup=False)
    console.print("balanced" if result.balanced else "NOT balanced")
