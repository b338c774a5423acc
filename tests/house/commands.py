"""The command line as a tree of commands, to compare what files say with what there is."""

from collections.abc import Iterator, Sequence
from functools import cache

from machinami.cli import app
from machinami.cli.commands import all_commands
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


@cache
def command(name: str) -> TyperCommand | TyperGroup:
    """A command of machinami, loaded.

    Raises:
        KeyError: there is none of this name.
    """
    group = get_command(app(name))
    assert isinstance(group, TyperGroup)
    return group.commands[name]


def all_names() -> Iterator[tuple[str, ...]]:
    """Each command as it is typed: ("up",), ("connector", "check"), …."""
    for entry in all_commands():
        yield from _below(command(entry.name), (entry.name,))


def _below(found: TyperCommand | TyperGroup, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(found, TyperGroup):
        if found.invoke_without_command:
            yield path
        for name, part in found.commands.items():
            yield from _below(part, (*path, name))
    else:
        yield path


def all_options() -> set[str]:
    """Options of all commands together."""
    return {option for path in all_names() for option in _options(_find(path))}


def _find(path: tuple[str, ...]) -> TyperCommand | TyperGroup:
    found = command(path[0])
    for name in path[1:]:
        assert isinstance(found, TyperGroup)
        found = found.commands[name]
    return found


def _options(found: TyperCommand | TyperGroup) -> set[str]:
    return {name for option in found.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}


def unknown_parts(words: Sequence[str]) -> list[str]:
    """What in `NAME [SUBCOMMAND] [--option …]` does not exist; empty when all is well."""
    try:
        found = command(words[0])
    except KeyError:
        return [words[0]]
    rest = list(words[1:])
    if isinstance(found, TyperGroup) and rest and not rest[0].startswith("-"):
        if rest[0] not in found.commands:
            return [f"{words[0]} {rest[0]}"]
        found = found.commands[rest.pop(0)]
    known = _options(found)
    options = [word.partition("=")[0] for word in rest if word.startswith("--")]
    return [f"{words[0]} {option}" for option in options if option not in known]
