"""`machinami storage`: how much there is, how it is kept, and for how long. `machinami migrate`."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from machinami.cli.options import AsJson, DataDir, load_settings
from machinami.errors import InvalidRequest, Unavailable
from machinami.settings import Settings, database_address
from machinami.store.engine import Engine, open_engine, transaction
from machinami.store.policies import FOREVER, Policies, parse_age, read_policies, set_policies
from machinami.store.storage import Report, read_storage

app = typer.Typer(help="Sizes, rollups, retention, compression.")

_HOUR = timedelta(hours=1)


@app.callback(invoke_without_command=True)
def show(context: typer.Context, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show what the database holds: partitions or chunks, compression, rollups, policies."""
    if context.invoked_subcommand is not None:
        return
    with _database(data_dir) as engine:
        report = read_storage(engine)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    else:
        _print(report)


@app.command("set")
def set_(
    retention: Annotated[
        str | None,
        typer.Option(help=f"Drop history older than this: 365d, 52w; or {FOREVER}.", show_default=False),
    ] = None,
    compress_after: Annotated[
        str | None,
        typer.Option(
            help="TimescaleDB: turn history older than this into columns: 7d; or never.", show_default=False
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Change how long history is kept, and when it is compressed. The database remembers it.

    The next round of maintenance, within a minute in a running city, carries it out. Rollups of hours and
    days stay when the history that they sum up is dropped.
    """
    with _database(data_dir) as engine, transaction(engine) as connection:
        changed = _changed(read_policies(connection), retention, compress_after)
        set_policies(connection, changed)
    print(_sentence(changed))


def migrate(data_dir: DataDir = None) -> None:
    """Bring the database's schema up to this version's; `machinami up` does it if that takes but a moment."""
    from machinami.store.migrate import migrate

    settings = load_settings(data_dir)
    with _any_database(settings) as url:
        engine = open_engine(url)
        try:
            print(f"schema at revision {migrate(engine)}")
        finally:
            engine.dispose()


@contextmanager
def _any_database(settings: Settings) -> Generator[str]:
    """The running database; else the city's own, started for this."""
    try:
        url = database_address(settings)
    except Unavailable:
        from machinami.local.database import EmbeddedDatabase

        with EmbeddedDatabase(settings.data_dir) as database:
            yield database.url
        return
    yield url


@contextmanager
def _database(data_dir: DataDir) -> Generator[Engine]:
    engine = open_engine(database_address(load_settings(data_dir)))
    try:
        yield engine
    finally:
        engine.dispose()


def _changed(policies: Policies, retention: str | None, compress_after: str | None) -> Policies:
    if retention is None and compress_after is None:
        raise InvalidRequest(
            "nothing to change", field="--retention", cure="Write --retention 365d or --compress-after 7d"
        )
    age = policies.compress_after
    if compress_after is not None:
        age = parse_age(compress_after, "--compress-after")
    kept = policies.retention if retention is None else parse_age(retention, "--retention")
    return Policies(retention=kept, compress_after=age)


def _sentence(policies: Policies) -> str:
    after, kept = policies.compress_after, policies.retention
    return (
        f"history is kept {_age(kept) if kept else FOREVER},"
        f" compressed {f'after {_age(after)}' if after else 'never'}"
    )


def _age(age: timedelta) -> str:
    days, rest = divmod(age, timedelta(days=1))
    return " ".join([f"{days} d"] * (days > 0) + [f"{rest // _HOUR} h"] * (rest >= _HOUR))


def _print(report: Report) -> None:
    console = Console()
    table = Table("partition", "from", "to", "size", "before")
    for part in report.parts:
        before = _bytes(part.size_before) if part.size_before else ""
        table.add_row(part.name, f"{part.start:%Y-%m-%d}", f"{part.end:%Y-%m-%d}", _bytes(part.size), before)
    console.print(table)
    for name, value in _lines(report):
        console.print(f"{name:<12} {value}", markup=False, highlight=False)


def _lines(report: Report) -> list[tuple[str, str]]:
    ratio = report.compression_ratio
    rolled = report.freshness.rolled_until
    sizes = ", ".join(f"{rollup.name} {_bytes(rollup.size)}" for rollup in report.rollups)
    return [
        ("server", report.server),
        ("history", f"about {report.rows:,} rows, {_bytes(report.size)}"),
        ("compression", f"{ratio:.1f} : 1" if ratio else _no_compression(report)),
        ("rollups", f"{sizes}; {f'{_ago(rolled)} old' if rolled else 'not made yet'}"),
        ("policies", _sentence(report.policies)),
        ("database", _bytes(report.database_size)),
        ("maintained", f"{_ago(report.maintained_at)} ago" if report.maintained_at else "never"),
    ]


def _no_compression(report: Report) -> str:
    return (
        "nothing is old enough yet" if report.capabilities.columnstore else "needs TimescaleDB's own edition"
    )


def _ago(moment: datetime) -> str:
    return f"{(datetime.now(UTC) - moment).total_seconds():.0f} s"


def _bytes(size: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
