"""On which connection a message leaves: as in reality, one for each device, or a few for all of them.

A device's messages always take the same connection, so their order is kept.
"""

import resource
from collections.abc import Callable
from typing import TypeAlias
from zlib import crc32

from machinami_simulators.errors import InvalidOption
from machinami_simulators.wire import Message

Line: TypeAlias = Callable[[Message], str]
_OTHER_FILES = 64  # that the process needs beside its connections
_WINDOW, _POOLED_WINDOW = 20, 4_096  # unacknowledged messages a connection
_MOST_POOLED = 256


def own_connection(message: Message) -> str:
    """As in reality: gauges and bikes have one each, paddies and receivers share their gateway's."""
    return message.connection


def find_lines(text: str, devices: int) -> tuple[Line, int]:
    """What `--connections` says: each message's line, and how many a connection may leave unacknowledged.

    Raises:
        InvalidOption: it is not understood, or the machine has not enough sockets for this many devices.
    """
    if text == "real":
        return own_connection, _WINDOW
    if text == "each":
        _need_files(devices)
        return _of_device, _WINDOW
    if not text.isdigit() or not 0 < int(text) <= _MOST_POOLED:
        raise InvalidOption(
            f"--connections: {text!r} is not understood",
            f"Write real, each, or a number up to {_MOST_POOLED}",
        )
    return _pooled(int(text)), _POOLED_WINDOW


def _of_device(message: Message) -> str:
    return message.topic.replace("/", "-")


def _pooled(count: int) -> Line:
    names = [f"simulator-{number}" for number in range(count)]
    return lambda message: names[crc32(message.topic.encode()) % count]


def _need_files(devices: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if devices + _OTHER_FILES > hard:
        raise InvalidOption(
            f"--connections each: {devices:,} devices need more than the {hard:,} files that may be open",
            "Raise the limit (ulimit -Hn), choose a smaller --scale, or --connections 8",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, devices + _OTHER_FILES), hard))
