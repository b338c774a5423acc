"""Ending on request: SIGTERM and SIGINT set a flag that the loops look at."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """True once somebody asked us to end."""

    def __init__(self) -> None:
        self.asked = False

    def __bool__(self) -> bool:
        return self.asked


@contextmanager
def stop_on_signals() -> Generator[Stop]:
    """Catch SIGTERM and SIGINT inside the block."""
    stop = Stop()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.asked = True

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
