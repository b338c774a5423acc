"""Replaying: rows of a recording go out at their recorded pace, or as fast as they are acknowledged."""

import math
import time
from collections.abc import Iterable

import msgspec
from rich.console import Console
from rich.progress import Progress, TaskID

from machinami_simulators.recordings import Row
from machinami_simulators.sender import Sender
from machinami_simulators.stopping import Stop

WINDOW = 1_000  # messages in flight, over all connections
PATIENCE = 60.0  # seconds without any acknowledgement after which we give up
_SHOW_AFTER = 2.0
_STOP_WITHIN = 1.2  # seconds to wait for acknowledgements when asked to stop


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a replay."""

    sent: int
    acknowledged: int


class Pace:
    """When a row is due. A row that is recorded before its predecessor, or has no time, follows at once.

    Args:
        speed: recorded seconds in a second; infinite for no waiting.
    """

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._began = time.monotonic()
        self._first: float | None = None
        self._latest = 0.0

    def wait(self, recorded: float | None) -> float:
        """Seconds until the row is due; 0 or less when it is."""
        if recorded is not None:
            self._first = recorded if self._first is None else self._first
            self._latest = max(self._latest, recorded - self._first)
        return self._began + self._latest / self._speed - time.monotonic()


class _Bar:
    """A progress line, once a replay takes longer than two seconds."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._show_at = time.monotonic() + _SHOW_AFTER
        self._progress = Progress(console=Console(stderr=True), transient=True)
        self._task: TaskID | None = None

    def update(self, done: int) -> None:
        if self._task is None and time.monotonic() >= self._show_at:
            self._progress.start()
            self._task = self._progress.add_task("acknowledged", total=self._total)
        if self._task is not None:
            self._progress.update(self._task, completed=done)

    def stop(self) -> None:
        self._progress.stop()


def play(
    rows: Iterable[Row], sender: Sender, stop: Stop, *, total: int, speed: float, patience: float = PATIENCE
) -> Result:
    """Send all rows and wait for every acknowledgement, until asked to stop or out of patience.

    Args:
        total: about how many rows there are, for the progress line.
        speed: recorded seconds in a second, ``math.inf`` for as fast as acknowledgements allow.
        patience: seconds without an acknowledgement, while some are awaited, that count as a broker gone.
    """
    bar, watch = _Bar(total), _Patience(sender, patience)
    try:
        _send_all(rows, sender, Pace(speed), stop, bar, watch)
        while (sender.unacknowledged or sender.backlog) and not stop and watch.lasts():
            sender.turn(0.05)
            bar.update(sender.acknowledged)
        sender.drain(_STOP_WITHIN)
    finally:
        bar.stop()
    return Result(sent=sender.sent, acknowledged=sender.acknowledged)


def _send_all(
    rows: Iterable[Row], sender: Sender, pace: Pace, stop: Stop, bar: _Bar, watch: "_Patience"
) -> None:
    for row in rows:
        while (wait := pace.wait(row.time)) > 0 or sender.backlog >= WINDOW:
            if stop or not watch.lasts():
                return
            sender.turn(min(max(wait, 0.0), 0.1) or 0.1)
            bar.update(sender.acknowledged)
        sender.put(row.message)


class _Patience:
    """Runs out when messages wait and none is acknowledged for some time."""

    def __init__(self, sender: Sender, seconds: float) -> None:
        self._sender = sender
        self._seconds = seconds
        self._seen, self._since = 0, time.monotonic()

    def lasts(self) -> bool:
        idle = not (self._sender.unacknowledged or self._sender.backlog)
        if idle or self._sender.acknowledged != self._seen:
            self._seen, self._since = self._sender.acknowledged, time.monotonic()
        return time.monotonic() - self._since < self._seconds


def parse_speed(text: str) -> float:
    """``max`` or a positive number.

    Raises:
        ValueError: it is neither.
    """
    speed = math.inf if text == "max" else float(text)
    if not speed > 0:
        raise ValueError(text)
    return speed
