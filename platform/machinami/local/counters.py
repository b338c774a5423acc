"""How much came in, and what became of it. Counted at commit, not at intake."""

import time
from collections.abc import Mapping

import psycopg
from psycopg.rows import DictRow, dict_row

from machinami.errors import Unavailable
from machinami.local.broker import MESSAGES, Broker

Counters = dict[str, int | float]
"""Messages ``in``, ``committed``, ``quarantined`` and ``lag``, rows ``observations`` and ``repeated``
since the city was made; ``in_per_second`` and ``committed_per_second`` since the reading before."""

_QUERY = """
    SELECT coalesce(max(sequence), 0)::bigint AS sequence, coalesce(sum(committed), 0)::bigint AS committed,
           coalesce(sum(quarantined), 0)::bigint AS quarantined,
           coalesce(sum(observations), 0)::bigint AS observations,
           coalesce(sum(repeated), 0)::bigint AS repeated
    FROM stream_position
"""


class CounterReader:
    """Reads broker and database side by side; outlives restarts of either."""

    def __init__(self, broker: Broker, database_url: str) -> None:
        self._broker = broker
        self._url = database_url
        self._connection: psycopg.Connection[DictRow] | None = None
        self._before: Counters = {}
        self._read_at = time.monotonic()

    def read(self) -> Counters:
        """The counters now.

        Raises:
            Unavailable: broker or database do not answer.
        """
        last = self._broker.last_sequence(MESSAGES)
        position = self._position()
        counters: Counters = {"in": last, **position, "lag": max(0, last - position["sequence"])}
        del counters["sequence"]
        counters |= self._rates(counters)
        return counters

    def close(self) -> None:
        """Close the connection to the database."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _position(self) -> dict[str, int]:
        try:
            if self._connection is None:
                self._connection = psycopg.Connection[DictRow].connect(
                    self._url, autocommit=True, connect_timeout=2, row_factory=dict_row
                )
            return self._connection.execute(_QUERY).fetchone() or {}
        except psycopg.Error as error:
            self.close()
            raise Unavailable(
                f"the database does not answer: {error}", cure="Try again when it is up"
            ) from error

    def _rates(self, counters: Mapping[str, int | float]) -> Counters:
        now = time.monotonic()
        seconds, self._read_at = max(now - self._read_at, 0.001), now
        before, self._before = self._before or counters, dict(counters)
        return {
            f"{name}_per_second": (counters[name] - before[name]) / seconds for name in ("in", "committed")
        }


def live_line(counters: Counters) -> str:
    """The counters in one line."""
    return (
        f"in {counters['in_per_second']:,.0f}/s   "
        f"committed {counters['committed']:,} ({counters['committed_per_second']:,.0f}/s)   "
        f"quarantined {counters['quarantined']:,}   lag {counters['lag']:,}"
    )
