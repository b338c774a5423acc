"""Deliveries: in order for each subscription, side by side for all, tried again, given up in the end.

A notification leaves the outbox only after its receiver answered 2xx; a notifier that is killed before that
sends it again, and says which. A subscription whose endpoint does not answer waits alone.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx

from machinami.errors import MachinamiError, Unavailable
from machinami.federation import notices
from machinami.linkage.contexts import OWN_PATH, Contexts
from machinami.linkage.outbox import Due, Lead, Notification, Outbox, Queue
from machinami.linkage.periodic import Periodic
from machinami.ngsild.context import Context
from machinami.ngsild.times import parse_time
from machinami.notify.message import Post, compose
from machinami.notify.metrics import DEAD, DELIVERED, DUE, DURATION, RETRIED
from machinami.notify.periods import Periods
from machinami.notify.senders import Senders

logger = logging.getLogger(__name__)

ATTEMPTS = 10
"""Deliveries that are tried before a notification becomes a dead letter; they span about half an hour."""

TIMEOUT = 5.0
"""Seconds a receiver may take, where its subscription does not say."""

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 600.0
_BATCH = 10  # each may hold a hundred entities, and many subscriptions may wait at a time
_POLL = 0.2
_PRUNE_EVERY = 300  # rounds: a minute


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
        dead_days: how long dead letters are kept.
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
        dead_days: float = 30.0,
    ) -> None:
        self._outbox = outbox
        self._contexts = contexts
        self._senders = Senders(client)
        self._periods = Periods((Periodic(outbox.engine), notices.periodic(outbox.engine)))
        self._base_url = base_url
        self._pause = pause
        self._attempts = attempts
        self._dead_days = dead_days
        self._working: dict[Due, asyncio.Task[None]] = {}
        self._sent: dict[Due, datetime] = {}

    async def run(self) -> None:
        """Deliver until cancelled; while the database is away, or another notifier delivers, wait."""
        try:
            while True:
                await self._try_to_lead()
                await asyncio.sleep(5 * _POLL)
        finally:
            await self._senders.close()

    async def _try_to_lead(self) -> None:
        try:
            with self._outbox.leading() as lead:
                if lead is not None:
                    await self._lead(lead)
        except Unavailable as error:
            logger.warning("%s", error)

    async def _lead(self, lead: Lead) -> None:
        try:
            await self.take_over()
            rounds = 0
            while True:
                await asyncio.to_thread(self._outbox.check_leading, lead)
                if rounds % _PRUNE_EVERY == 0:
                    await self._prune()
                await self._periods.tell()
                await self.start_due()
                await asyncio.sleep(_POLL)
                rounds += 1
        finally:
            await self.stop()

    async def take_over(self) -> None:
        """Say what another notifier had in hand when it ended: its receivers may get it twice."""
        found = await asyncio.to_thread(self._outbox.release)
        if found:
            logger.warning(
                "%d notifications were in hand when the last notifier ended, and may arrive twice, with the"
                " same id: urn:ngsi-ld:Notification:%d to %d",
                len(found),
                found[0],
                found[-1],
            )

    async def _prune(self) -> None:
        if pruned := await asyncio.to_thread(self._outbox.prune, self._dead_days):
            logger.info("%d dead letters older than %g days are removed", pruned, self._dead_days)

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
            if self._is_too_soon(due, queue, notification):
                await asyncio.to_thread(self._outbox.unwanted, notification)
                continue
            with DURATION.time():
                error = await self._deliver(queue, notification)
            self._sent[due] = datetime.now(UTC)
            if error:
                await self._failed(due, queue, notification, error)
                return False
            await asyncio.to_thread(self._outbox.delivered, due, notification)
            DELIVERED.inc()
        return True

    def _is_too_soon(self, due: Due, queue: Queue, notification: Notification) -> bool:
        """Whether throttling holds it back (clause 5.2.12); an attempt that failed is made again whenever."""
        throttling = queue.subscription.document.get("throttling")
        if throttling is None or notification.attempts:
            return False
        text = queue.subscription.status.get("lastNotification")
        last = self._sent.get(due) or (parse_time(text) if text else None)
        return last is not None and datetime.now(UTC) - last < timedelta(seconds=throttling)

    async def _deliver(self, queue: Queue, notification: Notification) -> str:
        """Deliver one. What went wrong, or an empty text."""
        try:
            post = await asyncio.to_thread(self._compose, queue, notification)
        except MachinamiError as error:
            return f"{type(error).__name__}: {error}"
        return await self._senders.send(post, post.timeout or TIMEOUT)

    async def _failed(self, due: Due, queue: Queue, notification: Notification, error: str) -> None:
        attempts = notification.attempts + 1
        endpoint = queue.subscription.document["notification"]["endpoint"]
        pause = max(self._pause(attempts), endpoint.get("cooldown", 0) / 1000)
        again = pause if attempts < self._attempts else None
        if notification.attempts == 0 or again is None:  # once when it fails, once when it is given up
            end = "given up, a dead letter" if again is None else f"again in {again:.0f} s"
            logger.warning("notification %d to %s: %s; %s", notification.id, due.subscription_id, error, end)
        await asyncio.to_thread(self._outbox.failed, due, notification, error, again)
        (DEAD if again is None else RETRIED).inc()

    def _compose(self, queue: Queue, notification: Notification) -> Post:
        context = self._contexts.resolve(queue.subscription.context)
        tenant = queue.subscription.tenant
        return compose(
            queue,
            notification,
            context,
            link=self._link,
            load=lambda ids: self._outbox.linked(tenant, ids),
        )

    def _link(self, context: Context) -> str:
        url = self._contexts.linkable(context)
        return url if "://" in url else f"{self._base_url}{OWN_PATH}{url}"
