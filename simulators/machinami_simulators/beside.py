"""Recorded devices beside the simulated ones: rows leave at their recorded time, by the city's clock."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from machinami_simulators.errors import InvalidOption
from machinami_simulators.plan import zone
from machinami_simulators.recordings import find_recording, read_rows
from machinami_simulators.scenario import Replay
from machinami_simulators.truth_record import show_time
from machinami_simulators.wire import Message


class Beside:
    """Messages of recordings, by time; a row without a readable time leaves with the one before it.

    Args:
        start: seconds since the epoch; what was recorded earlier is left out.
        utc_offset_hours: of the recordings' clocks, which say no zone, and of the city.

    Raises:
        InvalidOption: there is no folder, no such file, or nothing was recorded from `start` on.
    """

    def __init__(
        self, replays: Sequence[Replay], folder: Path | None, *, start: float, utc_offset_hours: float
    ) -> None:
        recorded = [row for replay in replays for row in _read(replay, folder, 3600 * utc_offset_hours)]
        recorded.sort(key=lambda message: message.at)
        self._waiting = [message for message in recorded if message.at > start][::-1]
        if recorded and not self._waiting:
            first, last = (show_time(recorded[end].at, zone(utc_offset_hours)) for end in (0, -1))
            raise InvalidOption(
                f"--from: nothing was recorded after {show_time(start, zone(utc_offset_hours))}",
                f"The recordings go from {first} to {last}",
            )

    def due(self, now: float) -> list[Message]:
        """What leaves up to now."""
        found: list[Message] = []
        while self._waiting and self._waiting[-1].at <= now:
            found.append(self._waiting.pop())
        return found


def _read(replay: Replay, folder: Path | None, utc_offset: float) -> list[Message]:
    if folder is None:
        raise InvalidOption(
            f"the scenario replays {replay.recording}", "Name the folder of its recordings with --recordings"
        )
    paths = sorted(folder.glob(replay.files))
    if not paths:
        raise InvalidOption(
            f"--recordings: no file {replay.files} lies in {folder}", "Name the folder above it"
        )
    at, found = 0.0, list[Message]()
    for row in read_rows(find_recording(replay.recording), paths, run="beside"):
        at = at if row.time is None else row.time - utc_offset
        found.append(msgspec.structs.replace(row.message, at=at))
    return found
