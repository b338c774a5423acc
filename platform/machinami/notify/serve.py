"""The notifier's process; it also looks after the storage, minute by minute, and sweeps what has expired."""

import asyncio
import signal

import httpx

from machinami.federation.copying import Copying
from machinami.federation.registering import expired_removed
from machinami.federation.sources import Sources
from machinami.linkage.contexts import Contexts
from machinami.linkage.expiry import swept
from machinami.linkage.outbox import Outbox
from machinami.metrics import serving
from machinami.notify.delivery import Notifier
from machinami.settings import Settings, api_address, database_address
from machinami.store.engine import Engine, open_engine
from machinami.store.maintenance import maintained

_CONNECTIONS = 8


def serve(settings: Settings) -> None:
    """Deliver notifications until SIGTERM or SIGINT.

    Raises:
        Unavailable: no city runs on the data folder, and the settings name no database.
    """
    url = database_address(settings)
    engine = open_engine(url, pool_size=_CONNECTIONS, statement_timeout=settings.query_timeout)
    try:
        # This process has time to spare, so it also looks after the storage and what expires there.
        with (
            serving(settings.metrics_host, settings.metrics_port),
            maintained(url),
            swept(url),
            expired_removed(url),
        ):
            asyncio.run(_serve(settings, engine))
    finally:
        engine.dispose()


async def _serve(settings: Settings, engine: Engine) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
    base_url = api_address(settings)
    contexts, sources = Contexts(engine, settings), Sources(engine, settings)
    copying = Copying(engine, contexts, sources, base_url=base_url, split=settings.split_entities)
    # Endpoints are often in the intranet or on this machine: a proxy would not know them.
    async with httpx.AsyncClient(limits=limits, trust_env=False) as client, sources.opened():
        notifier = Notifier(
            Outbox(engine),
            contexts,
            client,
            base_url=base_url,
            dead_days=settings.dead_letter_days,
        )
        tasks = (
            asyncio.create_task(notifier.run(), name="notifier"),
            asyncio.create_task(copying.run(), name="notifier: copies of subscriptions"),
            asyncio.create_task(stopped.wait(), name="notifier: wait for the signal"),
        )
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
