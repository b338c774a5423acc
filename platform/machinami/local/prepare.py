"""What must be there before the first device connects: the schema, and the stream that keeps its messages.

The supervisor runs this as a child, because the stream client has threads and the supervisor must not.
"""

import asyncio

from machinami.settings import Settings, read_city
from machinami.store.engine import open_engine
from machinami.store.migrate import migrate
from machinami.stream.client import StreamLimits, open_stream


def prepare_city(settings: Settings) -> None:
    """Migrate the database and make the stream.

    Raises:
        Unavailable: database or broker do not answer.
    """
    city = read_city(settings.data_dir)
    engine = open_engine(settings.database_url or city.database)
    try:
        migrate(engine)
    finally:
        engine.dispose()
    asyncio.run(_make_stream(settings, city.nats, city.nats_password))


async def _make_stream(settings: Settings, address: str, password: str) -> None:
    limits = StreamLimits(size=settings.stream_max_bytes, age_hours=settings.stream_max_age_hours)
    async with open_stream(address, password, limits):
        pass
