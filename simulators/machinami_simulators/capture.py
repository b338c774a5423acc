"""Captures: what came over MQTT, line by line, so that it can be replayed with the same timing.

A capture is a text file of JSON lines. The first says what it is (`{"machinami-capture":1,…}`); each other is
one message: `t` seconds since the start, `topic`, `qos`, and the payload as text (`payload`) or, where it is
no UTF-8, in base64 (`base64`). It may be cut off anywhere: the last, torn line is left out.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TextIO
from zlib import crc32

import msgspec

from machinami_simulators.errors import InvalidOption
from machinami_simulators.recordings import CONNECTIONS, Row
from machinami_simulators.wire import Message

CAPTURE = "capture"
_FLUSH_EVERY = 64  # messages


class Head(msgspec.Struct, frozen=True, kw_only=True, rename={"version": "machinami-capture"}):
    """First line: version of the form, when the capture began (ISO 8601), topics, what was hidden."""

    version: int = 1
    began: str
    topics: list[str]
    privacy: list[str]


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message; exactly one of `payload` and `base64` is there."""

    t: float
    topic: str
    qos: int = 0
    payload: str | None = None
    base64: str | None = None


class CaptureFile:
    """Writes a capture into a new file. A context manager.

    Raises:
        InvalidOption: the file is there already, or cannot be written.
    """

    def __init__(self, path: Path, head: Head) -> None:
        try:
            self._file: TextIO = path.open("x", encoding="utf-8")
        except OSError as error:
            raise InvalidOption(
                f"{path} cannot be written ({error.strerror})", "Name a file that is not there yet"
            ) from error
        self._path, self.messages = path, 0
        self._write(head)

    def __enter__(self) -> "CaptureFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file; one that an error left without a message goes again."""
        self._file.close()
        if error is not None and not self.messages:
            self._path.unlink()

    def add(self, t: float, topic: str, qos: int, payload: bytes) -> None:
        """Write a message that came `t` seconds after the start."""
        try:
            line = Line(t=round(t, 6), topic=topic, qos=qos, payload=payload.decode())
        except UnicodeDecodeError:
            line = Line(t=round(t, 6), topic=topic, qos=qos, base64=base64.b64encode(payload).decode())
        self._write(line)
        self.messages += 1
        if self.messages % _FLUSH_EVERY == 0:
            self._file.flush()

    def _write(self, line: Head | Line) -> None:
        self._file.write(msgspec.json.encode(line).decode() + "\n")


def check_capture(path: Path) -> None:
    """Make sure that a file is a capture.

    Raises:
        InvalidOption: it is not, or cannot be read.
    """
    next(_lines(path), None)


def read_capture(paths: Iterable[Path], run: str) -> Iterator[Row]:
    """The messages of captures as rows to replay, one capture after the other.

    Args:
        run: makes the client ids of this replay its own.

    Raises:
        InvalidOption: a file is no capture, or a line in it cannot be read.
    """
    begins = 0.0
    for path in paths:
        last = begins
        for line in _lines(path):
            last = begins + line.t
            name = f"replay-{CAPTURE}-{run}-{crc32(line.topic.encode()) % CONNECTIONS}"
            yield Row(last, Message(CAPTURE, name, line.topic, _payload(line), qos=min(line.qos, 1)))
        begins = last


def _payload(line: Line) -> bytes:
    return base64.b64decode(line.base64) if line.base64 is not None else (line.payload or "").encode()


def _lines(path: Path) -> Iterator[Line]:
    number = 1
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            msgspec.json.decode(file.readline(), type=Head)
            decoder = msgspec.json.Decoder(Line)
            for text in file:
                number += 1
                if text.endswith("\n"):
                    yield _checked(decoder.decode(text))
    except OSError as error:
        raise InvalidOption(
            f"{path} cannot be read ({error.strerror})", "Name a file that is there"
        ) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, binascii.Error) as error:
        raise InvalidOption(
            f"{path}, line {number}: no capture ({error})", "Name a file that machinami record wrote"
        ) from error


def _checked(line: Line) -> Line:
    if line.base64 is not None:
        base64.b64decode(line.base64, validate=True)
    return line
