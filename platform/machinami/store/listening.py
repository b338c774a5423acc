"""What the database says by itself: LISTEN on one connection of its own."""

from collections.abc import AsyncGenerator

import psycopg
from psycopg import sql
from sqlalchemy import Engine

from machinami.errors import Unavailable


async def listen(engine: Engine, channel: str) -> AsyncGenerator[str]:
    """The payloads sent to a channel from now on; the first, empty one says that it has begun.

    Raises:
        Unavailable: the database does not answer, or no longer.
    """
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            yield ""
            async for notice in connection.notifies():
                yield notice.payload
    except psycopg.Error as error:
        raise Unavailable(f"the database does not tell of changes: {error}", cure="Start it again") from error
