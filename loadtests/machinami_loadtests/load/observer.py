"""Looks on while the swarm sends: counts its journals, and finds out when messages can be queried.

Probes are every n-th message of the first connection. They are messages like all others; only that the
history is asked for them again and again, until each is there, however many workers read the stream.
"""

import threading
import time
from collections.abc import Callable, Sequence
from itertools import islice

from machinami.errors import MachinamiError
from machinami.store.queries_ledger import count_observations
from sqlalchemy import Engine

from machinami_loadtests.load.tally import Tally
from machinami_loadtests.meters import Plan
from machinami_loadtests.swarm import Journal
from machinami_loadtests.verify import history_keys

PROBES_PER_SECOND = 100.0
_AT_ONCE = 100  # probes asked for in one query
_COUNT_EVERY = 0.05  # seconds, without a database to ask
_ASK_EVERY = 0.004  # seconds at most often
_ASK_SHARE = 0.05  # of the latency seen last: a slow city is asked less often


class Observer(threading.Thread):
    """Counts and probes until it is stopped."""

    def __init__(
        self,
        plan: Plan,
        journals: Sequence[Journal],
        engine: Engine | None,
        rate: float,
        show: Callable[[Tally], None],
    ) -> None:
        super().__init__(name="load-observer", daemon=True)
        self.tally = Tally(journals)
        self._engine = engine
        self._show = show
        self._stopped = threading.Event()
        self._every = max(1, round(rate / len(journals) / PROBES_PER_SECOND))
        self._plan = plan
        self._numbers = islice(plan.numbers(0, len(journals)), 0, None, self._every)
        self._pending: list[tuple[int, float]] = []  # number and moment of sending of probes not found yet
        self._latency = 0.0

    def run(self) -> None:
        """Look on until `stop`."""
        while not self._stopped.wait(self._pause()):
            self._look()

    def stop(self) -> None:
        """Look a last time."""
        self._stopped.set()
        self.join()
        self._look()

    def _pause(self) -> float:
        return max(_ASK_EVERY, self._latency * _ASK_SHARE) if self._engine else _COUNT_EVERY

    def _look(self) -> None:
        for place, moment in self.tally.count():
            if place % self._every == 0:
                self._pending.append((next(self._numbers), moment))
        if self._engine and self._pending:
            self._ask(self._engine)
        self._show(self.tally)

    def _ask(self, engine: Engine) -> None:
        asked = self._pending[:_AT_ONCE]
        keys = [history_keys(self._plan, number)[-1] for number, _ in asked]
        try:
            counts = count_observations(engine, keys)
        except MachinamiError:  # the database is away, which the latency of these probes will show
            return
        now = time.time()
        for (_, sent_at), found in zip(asked, counts, strict=True):
            if found:
                self._latency = now - sent_at
                self.tally.slot(sent_at).stored.add(self._latency)
        self._pending[:_AT_ONCE] = [probe for probe, found in zip(asked, counts, strict=True) if not found]
