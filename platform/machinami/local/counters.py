"""How much came in, and what became of it. Counted at commit, not at intake."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import msgspec

from machinami.local.broker import Broker
from machinami.store.engine import open_engine
from machinami.store.intake import read_counters

Counters = dict[str, int | float]
"""Messages ``in``, ``committed``, ``quarantined`` and ``lag``, rows ``observations`` and ``repeated``
since the city was made; ``in_per_second`` and ``committed_per_second`` since the reading before."""

PRESSURE = (
    (99, "devices are held back: QoS 1 is not acknowledged until ingest has caught up"),
    (95, "devices are about to be held back"),
    (80, "ingest or database do not keep up"),
)
"""Percent of its limit from which on the stream is said to fill, and what that means."""

_ROOM = 70
"""Percent; lower than the lowest level, lest a stream about there is said again and again."""

_PATIENCE = {"connect_timeout": 2, "tcp_user_timeout": 2000}  # seconds, milliseconds; see libpq
_RATES = ("in", "committed")


class CounterReader:
    """Reads broker and database side by side; outlives restarts of either. A context manager.

    Attributes:
        percent: how full the stream was when the broker answered last; the database need not have answered.
    """

    def __init__(self, broker: Broker, database_url: str) -> None:
        options = "&".join(f"{name}={value}" for name, value in _PATIENCE.items())
        self._broker = broker
        self._engine = open_engine(
            f"{database_url}{'&' if '?' in database_url else '?'}{options}",
            pool_size=1,
            statement_timeout=2.0,
        )
        self.percent = 0.0
        self._before: Counters = {}
        self._read_at = time.monotonic()

    def read(self) -> Counters:
        """The counters now.

        Raises:
            Unavailable: broker or database do not answer.
            TooComplexQuery: the database is too busy to answer in time.
        """
        stream = self._broker.messages()
        self.percent = stream.percent
        stored = msgspec.structs.asdict(read_counters(self._engine, stream.name))
        counters: Counters = {
            "in": stream.last,
            "stream_percent": stream.percent,
            "lag": max(0, stream.last - stored.pop("sequence")),
            **stored,
        }
        return counters | self._rates(counters)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.dispose()

    def _rates(self, counters: Mapping[str, int | float]) -> Counters:
        now = time.monotonic()
        seconds, self._read_at = max(now - self._read_at, 0.001), now
        before, self._before = self._before or counters, dict(counters)
        return {f"{name}_per_second": (counters[name] - before[name]) / seconds for name in _RATES}


def live_line(counters: Counters) -> str:
    """The counters in one line."""
    return (
        f"in {counters['in_per_second']:,.0f}/s   "
        f"committed {counters['committed']:,} ({counters['committed_per_second']:,.0f}/s)   "
        f"quarantined {counters['quarantined']:,}   lag {counters['lag']:,}"
    )


class Gauge:
    """Says how full the stream is: once for each level that it reaches, and once when it has room again."""

    def __init__(self) -> None:
        self._level = 0

    def news(self, percent: float) -> str:
        """What is to be said now; empty where that was said before."""
        level, meaning = next((each for each in PRESSURE if percent >= each[0]), (0, "there is room again"))
        if level > self._level or (self._level and percent < _ROOM):
            self._level = level
            return f"stream {percent:.0f} % full: {meaning}"
        return ""
