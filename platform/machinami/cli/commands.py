"""Which commands there are, and where each is found when it is called."""

import importlib
import importlib.metadata
from collections.abc import Callable, Iterator

import msgspec
import typer

from machinami.errors import SetupError

_PLUG_INS = "machinami.commands"


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A command that is imported only when it is called.

    Attributes:
        target: ``module:attribute``: a function, or a Typer app (a group of commands).
        help: its line in ``machinami --help``.
    """

    name: str
    target: str
    help: str

    def announce(self, app: typer.Typer) -> None:
        """Add its help line only."""
        app.command(self.name, help=self.help)(_not_loaded)

    def load(self, app: typer.Typer) -> None:
        """Import it and add the whole of it.

        Raises:
            SetupError: it cannot be imported.
        """
        found = self._find()
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=self.name)
        else:
            app.command(self.name)(found)

    def _find(self) -> "typer.Typer | Callable[..., object]":
        module, _, attribute = self.target.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise SetupError(
                f"command {self.name!r} cannot be loaded from {self.target}: {error}",
                cure="Reinstall the package that brings it",
            ) from error


def _not_loaded() -> None:
    """Stands for a command that was not called."""


COMMANDS = (
    Command(name="up", target="machinami.cli.city:up", help="Start the city, and stop it with Ctrl-C."),
    Command(
        name="status", target="machinami.cli.city:status", help="Roles and counters of the running city."
    ),
    Command(
        name="doctor", target="machinami.cli.city:doctor", help="What is missing here, and how to get it."
    ),
    Command(name="ingest", target="machinami.cli.roles:ingest", help="Role: stream → linkage."),
    Command(name="api", target="machinami.cli.roles:api", help="Role: the standard API and the apps."),
    Command(name="notify", target="machinami.cli.roles:notify", help="Role: deliver notifications."),
    Command(
        name="prepare", target="machinami.cli.roles:prepare", help="Make or migrate database and stream."
    ),
    Command(name="migrate", target="machinami.cli.storage:migrate", help="Bring the schema up to date."),
    Command(
        name="storage", target="machinami.cli.storage:app", help="Sizes, rollups, retention, compression."
    ),
    Command(name="connector", target="machinami.cli.connectors:app", help="List and check connectors."),
    Command(name="context", target="machinami.cli.contexts:app", help="@contexts that the city keeps."),
    Command(name="import", target="machinami.cli.masters:import_", help="Load master data from CSV."),
    Command(name="ledger", target="machinami.cli.ledger:ledger", help="What was sent, stored, missing."),
    Command(
        name="quarantine", target="machinami.cli.quarantine:app", help="What could not be read: list, replay."
    ),
    Command(
        name="notifications",
        target="machinami.cli.notifications:app",
        help="What could not be delivered: list, replay.",
    ),
)


def all_commands() -> Iterator[Command]:
    """Our own, then those of installed packages; ours cannot be replaced."""
    yield from COMMANDS
    own = {command.name for command in COMMANDS}
    for entry in sorted(importlib.metadata.entry_points(group=_PLUG_INS), key=lambda entry: entry.name):
        if entry.name not in own:
            package = entry.value.partition(".")[0].partition(":")[0]
            yield Command(name=entry.name, target=entry.value, help=f"From {package}.")
