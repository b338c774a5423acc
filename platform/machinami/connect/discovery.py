"""Finding connectors: shelves that packages offer by entry point, and folders that the settings name."""

import importlib.util
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import msgspec
from msgspec import Struct

from machinami.connect.formats import Codec
from machinami.connect.words import Manifest, MasterRule
from machinami.errors import NotFound, SetupError

ENTRY_POINTS: Final = "machinami.connectors"
MANIFEST: Final = "connector.toml"

T = TypeVar("T")


class Connector(Struct, frozen=True, kw_only=True):
    """A connector folder, read.

    Attributes:
        folder: where connector.toml lies.
        masters: name → mapping of a CSV file.
        codec: ``decode`` of codec.py, if there is one.
    """

    folder: Path
    manifest: Manifest
    masters: dict[str, MasterRule] = {}
    codec: Codec | None = None

    @property
    def name(self) -> str:
        """Name of the connector, and of its folder."""
        return self.manifest.connector.name


def discover(folders: Iterable[Path] = ()) -> dict[str, Connector]:
    """All connectors by name: those of installed packages, then those in the given folders.

    A folder is a connector (it holds connector.toml) or a shelf of connectors. A folder's connector replaces
    an installed one of the same name, so that an integrator can try a mended copy.

    Raises:
        SetupError: a folder is not there, or a manifest cannot be read; names file, key and cure.
    """
    found = {c.name: c for shelf in _shelves() for c in _on_shelf(shelf)}
    for folder in folders:
        connectors = list(_on_shelf(folder))
        if not connectors:
            raise SetupError(
                f"{folder} holds no connector",
                field="connector_folders",
                value=str(folder),
                cure=f"Name a folder that holds {MANIFEST}, or a folder of such folders.",
            )
        found |= {connector.name: connector for connector in connectors}
    return dict(sorted(found.items()))


def find_connector(connectors: Mapping[str, Connector], name: str) -> Connector:
    """The connector of this name.

    Raises:
        NotFound: there is none; the cure lists those there are.
    """
    if name in connectors:
        return connectors[name]
    raise NotFound(
        f"no connector {name!r}", field="connector", value=name, cure=f"There are: {', '.join(connectors)}"
    )


def find_master(connectors: Mapping[str, Connector], name: str) -> MasterRule:
    """The mapping ``connector/master``, e.g. ``river-gauge/gauges``.

    Raises:
        NotFound: there is none; the cure lists those there are.
    """
    connector, _, master = name.partition("/")
    known = {f"{c.name}/{m}": rule for c in connectors.values() for m, rule in c.masters.items()}
    if f"{connector}/{master}" in known:
        return known[name]
    raise NotFound(f"no mapping {name!r}", field="mapping", value=name, cure=f"There are: {', '.join(known)}")


def load_connector(folder: Path) -> Connector:
    """Read one connector folder.

    Raises:
        SetupError: names file, key and cure.
    """
    manifest = _read(folder / MANIFEST, Manifest)
    name = manifest.connector.name
    if name != folder.resolve().name:
        raise SetupError(
            f"{folder / MANIFEST}: the name {name!r} is not the folder's",
            field="connector.name",
            value=name,
            cure="Give the folder and the connector the same name.",
        )
    masters = {path.stem: _read(path, MasterRule) for path in sorted((folder / "masters").glob("*.toml"))}
    return Connector(folder=folder, manifest=manifest, masters=masters, codec=_codec(folder))


def _shelves() -> Iterator[Path]:
    for entry in entry_points(group=ENTRY_POINTS):
        yield from (Path(place) for place in entry.load().__path__)


def _on_shelf(folder: Path) -> Iterator[Connector]:
    if (folder / MANIFEST).is_file():
        yield load_connector(folder)
        return
    for manifest in sorted(folder.glob(f"*/{MANIFEST}")):
        yield load_connector(manifest.parent)


def _read(path: Path, words: type[T]) -> T:
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), words)
    except OSError as error:
        raise SetupError(
            f"{path}: {error.strerror}", field=path.name, cure="See docs/connectors.md."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SetupError(
            f"{path}: not TOML: {error}", field=path.name, cure="Mend the line it names."
        ) from error
    except msgspec.ValidationError as error:
        reason, _, key = str(error).partition(" - at `$.")
        raise SetupError(
            f"{path}: {reason}",
            field=key.rstrip("`"),
            cure=f"Mend {key.rstrip('`') or 'it'}; see docs/connectors.md.",
        ) from error


def _codec(folder: Path) -> Codec | None:
    path = folder / "codec.py"
    if not path.is_file():
        return None
    name = f"machinami_codec_{folder.resolve().name.replace('-', '_')}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SetupError(f"{path} cannot be loaded", field="codec.py", cure="Make it a Python file.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise SetupError(f"{path}: {error!r}", field="codec.py", cure="Mend codec.py.") from error
    decode: Any = getattr(module, "decode", None)
    if not callable(decode):
        raise SetupError(f"{path} has no decode", field="codec.py", cure="Define decode(topic, payload).")
    return cast("Callable[..., Any]", decode)
