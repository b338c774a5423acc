"""MQTT topics of manifests, ``owntracks/namiki/{bike}``, and the search for the one a message came on."""

import re
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

from machinami.errors import SetupError

_LEVEL: Final = re.compile(r"\{([A-Za-z_]\w*)\}")
_ANY: Final = "+"
_REST: Final = "#"

T = TypeVar("T")


def topic_names(pattern: str) -> tuple[str, ...]:
    """Names of the named levels, in order."""
    return tuple(match[1] for level in pattern.split("/") if (match := _LEVEL.fullmatch(level)))


def literal_prefix(pattern: str) -> str:
    """What every topic of the pattern begins with, up to its first variable level."""
    return re.split(r"[{+#]", pattern, maxsplit=1)[0]


class _Node(Generic[T]):
    def __init__(self) -> None:
        self.literal: dict[str, _Node[T]] = {}
        self.any: _Node[T] | None = None
        self.rest: tuple[str, T] | None = None
        self.end: tuple[str, T] | None = None

    def child(self, level: str) -> "_Node[T]":
        if level == _ANY or _LEVEL.fullmatch(level):
            self.any = self.any or _Node()
            return self.any
        return self.literal.setdefault(level, _Node())


class TopicTree(Generic[T]):
    """Topic patterns and what each is for. A literal level wins over a named one, that over ``#``."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, pattern: str, value: T) -> None:
        """Declare a pattern.

        Raises:
            SetupError: not an MQTT topic filter with whole named levels, or declared before.
        """
        levels = pattern.split("/")
        _check(pattern, levels)
        node, rest = self._root, levels[-1] == _REST
        for level in levels[:-1] if rest else levels:
            node = node.child(level)
        taken = node.rest if rest else node.end
        if taken:
            raise SetupError(
                f"topic {pattern!r} is already declared as {taken[0]!r}",
                field="topic",
                value=pattern,
                cure="Remove one of the two, or make one topic more specific.",
            )
        if rest:
            node.rest = (pattern, value)
        else:
            node.end = (pattern, value)

    def find(self, topic: str) -> tuple[T, dict[str, str]] | None:
        """What the topic is for, and the named levels; None where no pattern fits."""
        levels = topic.split("/")
        for pattern, value in _candidates(self._root, levels, 0):
            named = zip(pattern.split("/"), levels, strict=False)
            return value, {match[1]: text for level, text in named if (match := _LEVEL.fullmatch(level))}
        return None


def _candidates(node: _Node[T], levels: list[str], depth: int) -> Iterator[tuple[str, T]]:
    if depth == len(levels):
        if node.end:
            yield node.end
    else:
        for child in (node.literal.get(levels[depth]), node.any):
            if child:
                yield from _candidates(child, levels, depth + 1)
    if node.rest:
        yield node.rest


def _check(pattern: str, levels: list[str]) -> None:
    names = topic_names(pattern)
    wrong = [level for level in levels if set(level) & set("{}+#") and not _whole(level)]
    if not pattern or wrong or _REST in levels[:-1] or len(set(names)) < len(names):
        raise SetupError(
            f"{pattern!r} is not a topic",
            field="topic",
            value=pattern,
            cure="Write whole levels: name, {name} (once), + for any level, # at the end for the rest.",
        )


def _whole(level: str) -> bool:
    return level in (_ANY, _REST) or _LEVEL.fullmatch(level) is not None
