"""What must be there before the first device connects: the schema, and the stream that keeps its messages.

The supervisor runs this as a child, because the stream client has threads and the supervisor must not.
"""

import asyncio
import logging

from machinami.settings import Settings, database_address, stream_address
from machinami.store.engine import Engine, open_engine
from machinami.store.intake import rewind_positions
from machinami.store.migrate import migrate
from machinami.stream.client import MessageStream, StreamLimits, open_stream

logger = logging.getLogger(__name__)


def prepare_city(settings: Settings) -> None:
    """Migrate the database, where that takes but a moment, and make the stream.

    Raises:
        SetupError: the migration takes long, and is to be run by command.
        Unavailable: database or broker do not answer.
    """
    engine = open_engine(database_address(settings))
    try:
        migrate(engine, at_start=True)
        asyncio.run(_make_stream(settings, engine))
    finally:
        engine.dispose()


async def _make_stream(settings: Settings, engine: Engine) -> None:
    address, password = stream_address(settings)
    limits = StreamLimits(size=settings.stream_max_bytes, replicas=settings.stream_replicas)
    async with open_stream(address, password, limits) as stream:
        await _read_from_its_end(stream, engine)


async def _read_from_its_end(stream: MessageStream, engine: Engine) -> None:
    """Take positions back that are beyond the log.

    A power cut may take the end of the log, and with it numbers of messages that are committed already. Given
    again, to messages that come now, they would lie below the position, where nobody reads.
    """
    state = await stream.state()
    position = rewind_positions(engine, state.name, state.last)
    if state.last < position:
        logger.warning(
            "the log ends at %d, before %d, which is committed: power was cut", state.last, position
        )
