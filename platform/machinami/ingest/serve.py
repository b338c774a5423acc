"""The ingest role: one process that reads the city's stream."""

import asyncio
import logging
import signal
from collections.abc import Coroutine

from machinami.connect.discovery import discover
from machinami.connect.router import Router
from machinami.ingest.worker import Worker
from machinami.linkage.write import Linkage
from machinami.settings import Settings, pseudonym_secret, read_city
from machinami.store.engine import open_engine
from machinami.stream.client import open_stream

log = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        Unavailable: no city runs on this data folder.
        PositionLost: another worker reads this stream.
    """
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    city = read_city(settings.data_dir)
    router = Router(discover(settings.connector_folders), pseudonym_secret(settings.data_dir))
    engine = open_engine(settings.database_url or city.database)
    try:
        async with open_stream(city.nats, city.nats_password) as stream:
            worker = Worker(
                stream,
                Linkage(engine),
                router,
                limit=settings.batch_messages,
                keep=settings.stream_keep_messages,
            )
            await _until_told(worker.run(), stream.take_in_qos0())
    finally:
        engine.dispose()


async def _until_told(*roles: Coroutine[None, None, None]) -> None:
    """Run these side by side until a signal comes; a batch in the making is finished."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(role) for role in roles]
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, lambda: [task.cancel() for task in tasks])
