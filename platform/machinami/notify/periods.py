"""Subscriptions that want a notification every so many seconds (timeInterval, clause 5.2.12)."""

import asyncio
import time
from collections.abc import Sequence

from machinami.linkage.periodic import Periodic

_Key = tuple[int, str, float]


class Periods:
    """Puts periodic notifications into the outbox. An interval begins anew when the notifier does."""

    def __init__(self, kinds: Sequence[Periodic]) -> None:
        self._kinds = kinds
        self._next: dict[_Key, float] = {}

    async def tell(self, now: float | None = None) -> None:
        """Tell whom it is time to.

        Args:
            now: on the monotonic clock, in seconds.
        """
        now = time.monotonic() if now is None else now
        rules = {
            (rule.tenant, rule.subscription_id, rule.interval or 0.0): (kind, rule)
            for kind in self._kinds
            for rule in await asyncio.to_thread(kind.rules)
        }
        self._next = {key: self._next.get(key, now + key[2]) for key in rules}
        for key in [key for key, moment in self._next.items() if moment <= now]:
            # Counted from when it was due, lest the intervals drift; what was slept through is left out.
            self._next[key] = max(self._next[key] + key[2], now)
            kind, rule = rules[key]
            await asyncio.to_thread(kind.tell, rule)
