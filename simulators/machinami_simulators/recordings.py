"""Recordings that can be replayed, and how a row of one becomes the message of a device.

A row is sent as it stands in the file: a JSON object of strings, with the byte order mark in its first key,
with empty cells and marks for missing values. What cannot be read is the connector's business, not ours.
"""

import csv
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import orjson

from machinami_simulators.errors import InvalidOption
from machinami_simulators.wire import Message

CONNECTIONS = 4
_CAMERA = "placement", "object class", "aggregate from", "aggregate to", "total count"
_BIKES, _DOCKS = "vehicle_type_capacity.num_bikes_now", "vehicle_type_capacity.num_bikes_parkable"
_BOM = "\ufeff"
_FORBIDDEN = str.maketrans(dict.fromkeys("+#/ \0", "_"))


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of CSV file.

    Attributes:
        columns: names that must be in the first line.
        time: column with the recorded time, ISO 8601 without zone; "" for a snapshot, whose rows have none.
        device: columns whose values end the topic ``replay/<name>/<device>``, a level each.
    """

    name: str
    columns: tuple[str, ...]
    time: str
    device: tuple[str, ...]


RECORDINGS = {
    recording.name: recording
    for recording in (
        Recording(name="fukui-river", columns=("日時", "河川水位", "id"), time="日時", device=("id",)),
        Recording(
            name="fukui-wifi",
            columns=("time", "facility_no", "device", "packets"),
            time="time",
            device=("facility_no",),
        ),
        Recording(
            name="fukui-camera-hour",
            columns=_CAMERA,
            time="aggregate to",
            device=("placement", "object class"),
        ),
        Recording(
            name="fukui-camera-day",
            columns=_CAMERA,
            time="aggregate to",
            device=("placement", "object class"),
        ),
        Recording(
            name="hello-cycling",
            columns=("station_id", "lat", "lon", _BIKES, _DOCKS),
            time="",
            device=("station_id",),
        ),
        Recording(
            name="kakogawa-probe",
            columns=("vehicle_id", "timestamp", "lat", "lon"),
            time="timestamp",
            device=("vehicle_id",),
        ),
    )
}


class Row(msgspec.Struct, frozen=True, gc=False):
    """A message and its recorded time, seconds on the recording's clock; None where that cannot be read."""

    time: float | None
    message: Message


def find_recording(name: str) -> Recording:
    """The recording of this name.

    Raises:
        InvalidOption: there is none; the message lists those that are.
    """
    if name not in RECORDINGS:
        raise InvalidOption(
            f"no recording is named {name!r}", f"Choose one of: {', '.join(RECORDINGS)}, capture"
        )
    return RECORDINGS[name]


def check_header(recording: Recording, path: Path) -> None:
    """Make sure that a file can be replayed.

    Raises:
        InvalidOption: it is missing, is not UTF-8, or lacks a column; the message names the column.
    """
    next(_lines(recording, path), None)


def read_rows(recording: Recording, paths: Sequence[Path], run: str) -> Iterator[Row]:
    """The rows of the files, in their order.

    Args:
        run: makes the client ids of this replay its own.

    Raises:
        InvalidOption: as `check_header`, for what is found further down too.
    """
    for path in paths:
        yield from _file_rows(recording, path, run)


def _file_rows(recording: Recording, path: Path, run: str) -> Iterator[Row]:
    lines = _lines(recording, path)
    header = next(lines)
    names = [name.removeprefix(_BOM) for name in header]
    time_at = names.index(recording.time) if recording.time else len(names)
    device_at = [names.index(column) for column in recording.device]
    for cells in lines:
        device = "/".join(_cell(cells, index).translate(_FORBIDDEN) or "_" for index in device_at)
        connection = f"replay-{recording.name}-{run}-{zlib.crc32(device.encode()) % CONNECTIONS}"
        payload = orjson.dumps(_as_object(header, cells))
        message = Message(recording.name, connection, f"replay/{recording.name}/{device}", payload)
        yield Row(_seconds(_cell(cells, time_at)), message)


def _lines(recording: Recording, path: Path) -> Iterator[list[str]]:
    """Header, then the lines that are not empty."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, list[str]())
            _check_columns(recording, path, header)
            yield header
            yield from filter(None, reader)
    except OSError as error:
        raise InvalidOption(
            f"{path} cannot be read ({error.strerror})", "Name a CSV file that is there"
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidOption(
            f"{path} is not UTF-8 (byte {error.start} of a block: {error.reason})",
            "Convert it to UTF-8 first",
        ) from error
    except csv.Error as error:
        raise InvalidOption(
            f"{path} is not a CSV file ({error})", "Name a CSV file of this recording"
        ) from error


def _check_columns(recording: Recording, path: Path, header: list[str]) -> None:
    found = [name.removeprefix(_BOM) for name in header]
    missing = [name for name in recording.columns if name not in found]
    if missing:
        raise InvalidOption(
            f"{path} has no column {', '.join(missing)}; found: {', '.join(found) or 'nothing'}",
            f"A recording {recording.name} has the columns {', '.join(recording.columns)}",
        )


def _cell(cells: list[str], index: int) -> str:
    return cells[index] if index < len(cells) else ""


def _as_object(header: list[str], cells: list[str]) -> dict[str, str]:
    """Column → cell; a cell beyond the header goes by its number, a missing one is left out."""
    beyond = [f"#{number}" for number in range(len(header) + 1, len(cells) + 1)]
    return dict(zip([*header, *beyond], cells, strict=False))


def _seconds(text: str) -> float | None:
    """Seconds on a clock without zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC).timestamp()
