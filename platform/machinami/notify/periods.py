"""Subscriptions that want a notification every so many seconds (timeInterval, clauses 5.2.12 and 5.8.6)."""

import asyncio
import time

from machinami.linkage.outbox import Outbox


class Periods:
    """Puts periodic notifications into the outbox. An interval begins anew when the notifier does."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._next: dict[tuple[int, str, float], float] = {}

    async def tell(self, now: float | None = None) -> None:
        """Tell whom it is time to.

        Args:
            now: on the monotonic clock, in seconds.
        """
        now = time.monotonic() if now is None else now
        rules = {
            (rule.tenant, rule.subscription_id, rule.interval or 0.0): rule
            for rule in await asyncio.to_thread(self._outbox.periodic)
        }
        self._next = {key: self._next.get(key, now + key[2]) for key in rules}
        for key in [key for key, moment in self._next.items() if moment <= now]:
            # Counted from when it was due, lest the intervals drift; what was slept through is left out.
            self._next[key] = max(self._next[key] + key[2], now)
            await asyncio.to_thread(self._outbox.tell, rules[key])
