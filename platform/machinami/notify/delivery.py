"""Deliveries: in order for each subscription, side by side for all, tried again, given up in the end.

A notification leaves the outbox only after its receiver answered 2xx; a notifier that is killed before that
sends it again. A subscription whose endpoint does not answer waits alone.
"""

import asyncio
import logging
import random
from collections.abc import Callable

import httpx

from machinami.errors import MachinamiError, Unavailable
from machinami.linkage.contexts import OWN_PATH, Contexts
from machinami.linkage.outbox import Due, Lead, Notification, Outbox, Queue
from machinami.ngsild.context import Context
from machinami.notify.message import Post, compose
from machinami.notify.metrics import DEAD, DELIVERED, DUE, DURATION, RETRIED

logger = logging.getLogger(__name__)

ATTEMPTS = 10
"""Deliveries that are tried before a notification becomes a dead letter; they span about half an hour."""

TIMEOUT = 5.0
"""Seconds a receiver may take, where its subscription does not say."""

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 600.0
_BATCH = 10  # each may hold a hundred entities, and many subscriptions may wait at a time
_POLL = 0.2


def backoff(attempts: int) -> float:
    """Seconds until the next attempt: doubled each time, spread by a quarter lest retries march in step.

    Args:
        attempts: failed so far, at least 1.
    """
    pause = min(_FIRST_PAUSE * 2.0 ** (attempts - 1), _LONGEST_PAUSE)
    return pause * random.uniform(0.75, 1.25)  # noqa: S311 # spreads retries, hides nothing


class Notifier:
    """Takes due notifications out of the outbox and delivers them.

    Args:
        base_url: where receivers reach this city's API, for @contexts that it serves.
        pause: seconds until the next attempt, by the number of failed ones.
    """

    def __init__(
        self,
        outbox: Outbox,
        contexts: Contexts,
        client: httpx.AsyncClient,
        *,
        base_url: str = "",
        pause: Callable[[int], float] = backoff,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._outbox = outbox
        self._contexts = contexts
        self._client = client
        self._base_url = base_url
        self._pause = pause
        self._attempts = attempts
        self._working: dict[Due, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Deliver until cancelled; while the database is away, or another notifier delivers, wait."""
        while True:
            try:
                with self._outbox.leading() as lead:
                    if lead is not None:
                        await self._lead(lead)
            except Unavailable as error:
                logger.warning("%s", error)
            await asyncio.sleep(5 * _POLL)

    async def _lead(self, lead: Lead) -> None:
        try:
            while True:
                await asyncio.to_thread(self._outbox.check_leading, lead)
                await self.start_due()
                await asyncio.sleep(_POLL)
        finally:
            await self.stop()

    async def start_due(self) -> None:
        """Start a worker for each subscription that has something due and no worker yet."""
        found = await asyncio.to_thread(self._outbox.due)
        DUE.set(len(found))
        for due in found:
            if due not in self._working:
                task = asyncio.create_task(self._work(due), name=f"notify {due.subscription_id}")
                self._working[due] = task
                task.add_done_callback(lambda _, due=due: self._working.pop(due, None))

    async def stop(self) -> None:
        """Let go of what is under way; it stays in the outbox."""
        tasks = list(self._working.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def settle(self) -> None:
        """Wait until the workers of now are done."""
        await asyncio.gather(*self._working.values())

    async def _work(self, due: Due) -> None:
        """Deliver in order until nothing is left, or one does not arrive."""
        try:
            queue = await asyncio.to_thread(self._outbox.queue, due, _BATCH)
            while queue and queue.notifications and await self._deliver_all(due, queue):
                queue = await asyncio.to_thread(self._outbox.queue, due, _BATCH)
        except Unavailable as error:  # the database; the next round finds what is still due
            logger.warning("%s", error)

    async def _deliver_all(self, due: Due, queue: Queue) -> bool:
        for notification in queue.notifications:
            with DURATION.time():
                error = await self._deliver(queue, notification)
            if error:
                await self._failed(due, notification, error)
                return False
            await asyncio.to_thread(self._outbox.delivered, due, notification)
            DELIVERED.inc()
        return True

    async def _deliver(self, queue: Queue, notification: Notification) -> str:
        """Deliver one. What went wrong, or an empty text."""
        try:
            post = await asyncio.to_thread(self._compose, queue, notification)
            response = await self._client.post(
                post.url, content=post.body, headers=post.headers, timeout=post.timeout or TIMEOUT
            )
        except (httpx.HTTPError, httpx.InvalidURL, MachinamiError) as error:
            return f"{type(error).__name__}: {error}"
        return "" if response.is_success else f"HTTP {response.status_code}"

    async def _failed(self, due: Due, notification: Notification, error: str) -> None:
        attempts = notification.attempts + 1
        again = self._pause(attempts) if attempts < self._attempts else None
        if notification.attempts == 0 or again is None:  # once when it fails, once when it is given up
            end = "given up, a dead letter" if again is None else f"again in {again:.0f} s"
            logger.warning("notification %d to %s: %s; %s", notification.id, due.subscription_id, error, end)
        await asyncio.to_thread(self._outbox.failed, due, notification, error, again)
        (DEAD if again is None else RETRIED).inc()

    def _compose(self, queue: Queue, notification: Notification) -> Post:
        context = self._contexts.resolve(queue.subscription.context)
        return compose(queue, notification, context, self._link)

    def _link(self, context: Context) -> str:
        url = self._contexts.linkable(context)
        return url if "://" in url else f"{self._base_url}{OWN_PATH}{url}"
