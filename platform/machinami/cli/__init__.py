"""Thin commands; wires everything together.

Only the command that is called is imported: `machinami --help` stays fast, and a plug-in that cannot be
loaded troubles nobody but its caller.
"""

import os
import sys
from collections.abc import Sequence

import typer

from machinami.cli.commands import all_commands
from machinami.errors import MachinamiError


def app(called: str | None = None) -> typer.Typer:
    """The command line, in which only the command that is called is more than its help line."""
    machinami = typer.Typer(
        name="machinami",
        help="Machinami (街並み): the urban OS that starts on a laptop with one command.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    machinami.callback()(_root)
    for command in all_commands():
        (command.load if command.name == called else command.announce)(machinami)
    return machinami


def _root() -> None:
    """Holds the help text; without it a single command would become the whole program."""


def main() -> None:
    """The program ``machinami``: runs the command that was typed and ends with its exit code."""
    code = run(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    if "natsrpy" in sys.modules:
        # Its threads may still be letting go of Python objects; one that does so while the interpreter is
        # taken down aborts the process (seen in a third of short commands). So it is not taken down.
        os._exit(code)
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code. Errors raised on purpose are one or two lines, never a traceback."""
    called = next((argument for argument in arguments if not argument.startswith("-")), None)
    try:
        app(called)(args=list(arguments), prog_name="machinami")
    except MachinamiError as error:
        print_error(error)
        return error.exit_code
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    return 0


def print_error(error: MachinamiError) -> None:
    """``error: what is wrong``, and the cure on a line of its own."""
    print(f"error: {error.detail}", file=sys.stderr)
    if error.cure:
        print(f"  {error.cure}", file=sys.stderr)
