"""Paths into a decoded payload: ``uplink_message.rx_metadata[0].rssi``, ``["key.with.dots"].value``."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from machinami.errors import SetupError

Document: TypeAlias = dict[str, Any]
"""One decoded payload: what a format's decoder yields."""

Getter: TypeAlias = Callable[[Document], Any]
"""Document → value, or `ABSENT`; never raises."""


class _Absent:
    def __repr__(self) -> str:
        return "(not there)"


ABSENT: Final[Any] = _Absent()
"""What a getter gives where the path leads nowhere; ``None`` is a JSON null that is there."""

_STEP = re.compile(r'\.?([^.\[\]"]+)|\[(\d+)\]|\["([^"]+)"\]')


def compile_path(path: str | Sequence[str]) -> Getter:
    """Make a getter of a path, or of several that are tried in turn.

    Raises:
        SetupError: the path cannot be read.
    """
    if isinstance(path, str):
        return _compile_one(split_path(path))
    getters = [compile_path(alternative) for alternative in path]
    return getters[0] if len(getters) == 1 else _first_of(getters)


def show_path(path: str | Sequence[str]) -> str:
    """The path as a person reads it in a rejection; the first one where several are tried."""
    return path if isinstance(path, str) else path[0]


def split_path(path: str) -> tuple[str | int, ...]:
    """Member names and array positions along the path.

    Raises:
        SetupError: the path cannot be read.
    """
    steps: list[str | int] = []
    position = 0
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None or (position == 0 and path[0] == "."):
            break
        steps.append(match[1] or match[3] or int(match[2]))
        position = match.end()
    if not steps or position < len(path):
        raise SetupError(
            f"{path!r} is not a path into a payload",
            field="path",
            value=path,
            cure='Write members with dots, positions as [0], names with dots as ["a.b"].',
        )
    return tuple(steps)


def _compile_one(steps: tuple[str | int, ...]) -> Getter:
    if len(steps) == 1 and isinstance(steps[0], str):
        return _member(steps[0])

    def walk(document: Document) -> Any:
        here: Any = document
        for step in steps:
            if isinstance(here, str):
                return ABSENT
            try:
                here = here[step]
            except (KeyError, IndexError, TypeError):
                return ABSENT
        return here

    return walk


def _member(name: str) -> Getter:
    def member(document: Document) -> Any:
        return document.get(name, ABSENT)

    return member


def _first_of(getters: Sequence[Getter]) -> Getter:
    def first(document: Document) -> Any:
        for get in getters:
            value = get(document)
            if value is not ABSENT:
                return value
        return ABSENT

    return first
