"""What must be there before the first device connects: the schema, and the stream that keeps its messages.

The supervisor runs this as a child, because the stream client has threads and the supervisor must not.
"""

import asyncio

from machinami.settings import Settings, database_address, stream_address
from machinami.store.engine import open_engine
from machinami.store.migrate import migrate
from machinami.stream.client import StreamLimits, open_stream


def prepare_city(settings: Settings) -> None:
    """Migrate the database, where that takes but a moment, and make the stream.

    Raises:
        SetupError: the migration takes long, and is to be run by command.
        Unavailable: database or broker do not answer.
    """
    address, password = stream_address(settings)
    engine = open_engine(database_address(settings))
    try:
        migrate(engine, at_start=True)
    finally:
        engine.dispose()
    asyncio.run(_make_stream(settings, address, password))


async def _make_stream(settings: Settings, address: str, password: str) -> None:
    limits = StreamLimits(size=settings.stream_max_bytes, replicas=settings.stream_replicas)
    async with open_stream(address, password, limits):
        pass
