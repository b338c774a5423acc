"""The way of a message, whole: real broker, real connectors, real worker, real database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from machinami.connect.discovery import discover
from machinami.connect.router import Router
from machinami.ingest.worker import Worker
from machinami.linkage.write import Linkage
from machinami.store.intake import Counters
from machinami.stream.client import MessageStream
from sqlalchemy import Engine, text

SECRET = b"0123456789abcdef"
TERM = "https://uri.etsi.org/ngsi-ld/default-context/"

METER = """
[connector]
name = "meter"
title = {en = "Meter", ja = "計器"}

[[message]]
topic = "meter/{device}"
id = "urn:ngsi-ld:Meter:{device}"
type = "Meter"
time = {path = "at", format = "iso"}

[[message.attribute]]
name = "level"
path = "level"
optional = true

[[message.attribute]]
name = "battery"
path = "battery"
optional = true

[[message.attribute]]
name = "note"
path = "note"
kind = "json"
optional = true
"""


def write_connector(folder: Path, manifest: str = METER, name: str = "meter") -> Path:
    """A connector folder; gives the folder that holds it."""
    home = folder / "connectors" / name
    home.mkdir(parents=True, exist_ok=True)
    (home / "connector.toml").write_text(manifest, encoding="utf-8")
    return home.parent


def router(connectors: Path) -> Router:
    """All connectors of a folder, and the shelf's."""
    return Router(discover([connectors]), SECRET)


@asynccontextmanager
async def working(stream: MessageStream, engine: Engine, mapper: Router) -> AsyncIterator[None]:
    """An ingest worker as long as the context lasts."""
    worker = Worker(stream, Linkage(engine), mapper, wait=0.1, keep=0)
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def drain(stream: MessageStream, engine: Engine, mapper: Router) -> Counters:
    """Read and store all that is in the stream now."""
    state, linkage = await stream.state(), Linkage(engine)
    async with working(stream, engine, mapper), asyncio.timeout(60):
        while (counters := linkage.counters(state.name)).sequence < state.last:
            await asyncio.sleep(0.05)
    return counters


def rows(engine: Engine, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """Rows of a query."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(sql), parameters)]


def history(engine: Engine, attribute: str = "level") -> list[tuple[Any, ...]]:
    """(time, number, document) of every row of an attribute, oldest first."""
    return rows(
        engine,
        'SELECT to_char(observed_at, \'YYYY-MM-DD"T"HH24:MI:SS"Z"\'), number, document'
        " FROM observation JOIN series USING (series) WHERE attribute = :name ORDER BY observed_at, number",
        name=TERM + attribute,
    )


def current(engine: Engine, entity_id: str, attribute: str = "level") -> Any:
    """The value that an entity has now."""
    [(attributes,)] = rows(engine, "SELECT attributes FROM entity WHERE id = :id", id=entity_id)
    return attributes[TERM + attribute][0]["value"]


def reasons(engine: Engine) -> list[tuple[Any, ...]]:
    """(field, reason, partial) of every rejection, oldest first."""
    return rows(engine, "SELECT field, reason, partial FROM quarantine ORDER BY id")
