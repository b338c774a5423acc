"""The ingest role: one process that reads the city's stream."""

import asyncio
import gc
import signal
from collections.abc import Coroutine
from datetime import timedelta

from machinami.connect.discovery import discover
from machinami.connect.router import Router
from machinami.ingest.metrics import MeteredLinkage, MeteredWorker
from machinami.ingest.relief import Relief
from machinami.metrics import serving
from machinami.settings import Settings, database_address, pseudonym_secret, stream_address
from machinami.store.engine import open_engine
from machinami.store.share import LEASE
from machinami.stream.client import open_stream
from machinami.stream.qos0 import take_in_qos0

_GARBAGE = 1_000_000  # objects made and not freed, before cycles are looked for


def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        Unavailable: no city runs on this data folder, and the settings name no broker and database.
    """
    # A batch is hundreds of thousands of small objects that die together and hold no cycles; looking through
    # them for cycles at Python's own pace takes half of a worker's time.
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    with serving(settings.metrics_host, settings.metrics_port):
        asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    address, password = stream_address(settings)
    router = Router(discover(settings.connector_folders), pseudonym_secret(settings.data_dir))
    # A worker that is stopped in the middle of a transaction must not keep others from its rows.
    engine = open_engine(database_address(settings), transaction_timeout=LEASE)
    try:
        async with open_stream(address, password) as stream:
            linkage = MeteredLinkage(engine)
            worker = MeteredWorker(
                stream,
                linkage,
                router,
                limit=settings.batch_messages,
                keep=settings.stream_keep_messages,
                partitions=settings.stream_partitions,
            )
            relief = Relief(stream, linkage, age=timedelta(hours=settings.stream_max_age_hours))
            await _until_told(worker.run(), relief.run(), take_in_qos0(address, password))
    finally:
        engine.dispose()


async def _until_told(*roles: Coroutine[None, None, None]) -> None:
    """Run these side by side until a signal comes; a batch in the making is finished."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(role) for role in roles]
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, lambda: [task.cancel() for task in tasks])
