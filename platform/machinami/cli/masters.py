"""`machinami import`: master data from CSV files, by mappings that connectors declare."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from machinami.cli.options import DataDir, load_settings
from machinami.connect.discovery import Connector, discover, find_master
from machinami.connect.masters import read_master
from machinami.errors import InvalidRequest, MachinamiError, NotFound
from machinami.linkage.write import Linkage
from machinami.model import Change, Mapped, Measurement, Rejection
from machinami.settings import database_address
from machinami.store.engine import open_engine

_AT_ONCE = 500


def import_(
    source: Annotated[
        str,
        typer.Argument(
            help="A mapping such as river-gauge/gauges; or a folder of files named after mappings."
        ),
    ],
    files: Annotated[list[Path] | None, typer.Argument(help="CSV files for that mapping.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Load master data (stations, ports, facilities) from CSV as entities.

    machinami import fukui-river/stations stations.csv: one mapping, its files.
    machinami import masters/: every masters/NAME.csv by the mapping of that NAME.

    Loading a file again updates its entities. Cells that cannot be read are listed with line, column and
    cure; the rest of their row is loaded. The exit code is then 1.
    """
    settings = load_settings(data_dir)
    connectors = discover(settings.connector_folders)
    engine = open_engine(database_address(settings))
    try:
        linkage = Linkage(engine)
        refused = sum(
            _load(linkage, connectors, name, path) for name, path in _plan(connectors, source, files)
        )
    finally:
        engine.dispose()
    raise typer.Exit(1 if refused else 0)


def _plan(
    connectors: Mapping[str, Connector], source: str, files: list[Path] | None
) -> Iterator[tuple[str, Path]]:
    folder = Path(source)
    if files:
        yield from ((source, path) for path in files)
    elif folder.is_dir():
        yield from ((_mapping_named(connectors, path.stem), path) for path in sorted(folder.glob("*.csv")))
    else:
        raise InvalidRequest(
            f"{source} is not a folder, and no file is named",
            field="source",
            value=source,
            cure="Write: machinami import MAPPING FILE... ; machinami connector list shows the mappings",
        )


def _mapping_named(connectors: Mapping[str, Connector], master: str) -> str:
    found = [f"{connector.name}/{master}" for connector in connectors.values() if master in connector.masters]
    if len(found) == 1:
        return found[0]
    raise NotFound(
        f"{len(found)} mappings are named {master}",
        field="file",
        value=f"{master}.csv",
        cure=f"Name one: machinami import CONNECTOR/{master} {master}.csv",
    )


def _load(linkage: Linkage, connectors: Mapping[str, Connector], name: str, path: Path) -> int:
    """Import one file; the number of cells and rows refused."""
    rule = find_master(connectors, name)
    changes: list[Change | Measurement] = []
    loaded = refused = 0
    for mapped in read_master(rule, _content(path)):
        changes += mapped.changes
        refused += _tell(path, mapped)
        if len(changes) >= _AT_ONCE:
            loaded += _store(linkage, changes)
    loaded += _store(linkage, changes)
    print(f"{path.name}: {loaded} entities by {name}" + (f", {refused} cells refused" if refused else ""))
    return refused


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound(f"cannot read {path}: {error.strerror}", field="file", value=str(path)) from error


def _store(linkage: Linkage, changes: list[Change | Measurement]) -> int:
    stored = 0
    for outcome in linkage.apply(changes):
        if isinstance(outcome, MachinamiError):
            raise outcome
        stored += 1
    changes.clear()
    return stored


def _tell(path: Path, mapped: Mapped) -> int:
    for rejection in mapped.rejections:
        print(f"{path.name}: {_sentence(rejection)}", file=sys.stderr)
    return len(mapped.rejections)


def _sentence(rejection: Rejection) -> str:
    where = f"{rejection.field} {rejection.value!r}: " if rejection.field else ""
    return f"{where}{rejection.reason}. {rejection.cure}".strip()
