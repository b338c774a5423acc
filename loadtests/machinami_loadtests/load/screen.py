"""What `machinami load` shows while it runs: a live line on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from machinami_loadtests.load.tally import Histogram, Tally

_SHOW_EVERY = 0.5  # seconds
_PLAIN_EVERY = 5.0


class RichScreen:
    """Writes to standard error, so that standard output stays a report's. A context manager."""

    def __init__(self, duration: float, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._duration = duration
        self._every = _SHOW_EVERY if self._console.is_terminal else _PLAIN_EVERY
        self._shown = 0.0
        self._before = (0, 0)
        columns = ("{task.description}", BarColumn(), "{task.fields[figures]}", TimeElapsedColumn())
        self._progress = Progress(
            *(TextColumn(column) if isinstance(column, str) else column for column in columns),
            console=self._console,
            refresh_per_second=2,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("sending", total=duration, figures="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def sending(self, tally: Tally) -> None:
        """Rates and latencies since it was told last, as long as there is something new."""
        now, counted = time.time(), (tally.sent, tally.acknowledged)
        if tally.started_at is None or counted == self._before:
            return
        seconds = now - max(self._shown, tally.started_at)
        if seconds < self._every:
            return
        self._shown = now
        figures = self._figures(tally, seconds)
        elapsed = min(now - tally.started_at, self._duration)
        self._progress.update(self._task, completed=elapsed, figures=figures)
        if not self._console.is_terminal:
            self._console.print(f"{elapsed:,.0f} s  {figures}", soft_wrap=True)

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(f"· {text}", soft_wrap=True)

    @contextmanager
    def looking(self, messages: int) -> Generator[Callable[[int], None]]:
        """A bar of its own for the look for every message."""
        self.say(f"looking for each of {messages:,} messages")
        self._progress.update(self._task, visible=False)
        task = self._progress.add_task("looking", total=messages, figures="")
        yield lambda count: self._progress.advance(task, count)

    def _figures(self, tally: Tally, seconds: float) -> str:
        sent, acknowledged = tally.sent, tally.acknowledged
        before, self._before = self._before, (sent, acknowledged)
        parts = [f"sent {(sent - before[0]) / seconds:,.0f}/s"]
        if acknowledged:
            parts.append(f"acknowledged {(acknowledged - before[1]) / seconds:,.0f}/s")
        newest = tally.slots[max(tally.slots)]
        parts += _p99("PUBACK", newest.puback) + _p99("queryable", newest.stored)
        return "   ".join(parts)


def _p99(title: str, histogram: Histogram) -> list[str]:
    latency = histogram.latency()
    return [f"{title} p99 {latency.p99_ms:,.1f} ms"] if latency else []
