"""What `machinami up` shows: lines that stay, and one live line below them."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

_PLAIN_SECONDS = 10.0


class Screen:
    """On a terminal the live line is rewritten in place; elsewhere it is printed every ten seconds."""

    def __init__(self, out: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out or sys.stdout
        self._terminal = self._out.isatty()
        self._live = ""
        self._clock = clock
        self._printed = clock()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._write(f"{self._erase()}{text}\n{self._live if self._terminal else ''}")

    def live(self, text: str) -> None:
        """How the city is doing now."""
        if self._terminal:
            erase, self._live = self._erase(), text
            self._write(erase + text)
        elif self._clock() - self._printed >= _PLAIN_SECONDS:
            self._printed = self._clock()
            self._write(f"{text}\n")

    def end(self) -> None:
        """No live line any more."""
        self._write(self._erase())
        self._live = ""

    def _erase(self) -> str:
        return "\r\x1b[K" if self._live else ""

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
