"""The bare limit: fetch, parse and binary COPY into a table without an index, and nothing else.

Run by the bench as a process of its own, in the place of ingest. It keeps no position, maps nothing, checks
nothing, finds no duplicates, and has no current state: what is left is what stream, parser and disk cost.
"""

import asyncio
import struct
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import psycopg
from machinami.model import Message
from machinami.settings import read_city
from machinami.stream.client import open_stream

FIELDS = ("temperature", "humidity", "pressure", "voltage")
_TABLE = "bench_bare"
_AT_ONCE = 5_000
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TAIL = struct.pack(">h", -1)
# Four rows of (series int4, observed_at timestamptz, number float8), each column behind its length.
_PACK = struct.Struct(">" + "hiiiqid" * len(FIELDS)).pack


def rows(messages: Sequence[Message], series: dict[str, int]) -> bytes:
    """The messages' values in PostgreSQL's binary COPY format."""
    out = [_HEAD]
    for message in messages:
        document = orjson.loads(message.payload)
        first = series.setdefault(message.topic, len(series) * len(FIELDS))
        moment = (datetime.fromisoformat(document["time"]) - _EPOCH) // _MICROSECOND
        a, b, c, d = (document[name] for name in FIELDS)
        # fmt: off
        out.append(_PACK(
            3, 4, first, 8, moment, 8, a,
            3, 4, first + 1, 8, moment, 8, b,
            3, 4, first + 2, 8, moment, 8, c,
            3, 4, first + 3, 8, moment, 8, d,
        ))
        # fmt: on
    return b"".join([*out, _TAIL])


def copy(connection: "psycopg.Connection[tuple[object, ...]]", data: bytes) -> None:
    """One batch, one transaction."""
    with connection.cursor() as cursor, cursor.copy(f"COPY {_TABLE} FROM STDIN (FORMAT BINARY)") as target:
        target.write(data)
    connection.commit()


async def work(data_dir: Path, messages: int) -> None:
    """Say ``ready``, read so many messages that follow, then say when the last was committed."""
    city = read_city(data_dir)
    with psycopg.connect(city.database) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {_TABLE}")
        connection.execute(f"CREATE TABLE {_TABLE} (series integer, observed_at timestamptz, number float8)")
        connection.commit()
        async with open_stream(city.nats, city.nats_password) as stream:
            position = (await stream.state()).last
            last, series = position + messages, dict[str, int]()
            print("ready", flush=True)
            while position < last:
                batch = await stream.fetch(position, _AT_ONCE, 1.0)
                if batch:
                    await asyncio.to_thread(copy, connection, rows(batch, series))
                    position = batch[-1].sequence
    print(time.time(), flush=True)


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), int(sys.argv[2])))
