"""The bare handler: FastAPI and psycopg, the SQL that our API does for the same request, and nothing else.

Run by the bench as a process of its own. It checks nothing, knows no @context, matches no subscription and
keeps no second instance of an attribute: what is left is what server, driver and database cost.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from fastapi import FastAPI, Request, Response
from machinami.settings import read_city
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool
from starlette.concurrency import run_in_threadpool

_COLUMNS = "tenant, id, types, scope, attributes, created_at, modified_at"
_RETRIEVE = f"SELECT {_COLUMNS} FROM entity WHERE tenant = %s AND id = %s"  # noqa: S608 # our own words
_LOCK = f"{_RETRIEVE} FOR UPDATE"
_SERIES = "SELECT series FROM series WHERE tenant = %s AND entity_id = %s AND attribute = %s"
_HISTORY = "INSERT INTO observation (series, observed_at, number) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
_UPDATE = "UPDATE entity SET attributes = %s, modified_at = %s WHERE tenant = %s AND id = %s"
_SUBSCRIPTIONS = "SELECT count(*) FROM subscription"
_NOTICE = "SELECT pg_notify('bench', %s)"
_DEFAULT_CONTEXT = "https://uri.etsi.org/ngsi-ld/default-context/"


def create_app(pool: "ConnectionPool[Any]", tenant: int) -> FastAPI:
    """Two endpoints, for one tenant."""
    app = FastAPI()

    @app.get("/entities/{entity_id}")
    def retrieve(entity_id: str) -> Response:
        with pool.connection() as connection:
            row = connection.execute(_RETRIEVE, (tenant, entity_id)).fetchone()
        return (
            Response(orjson.dumps(row), media_type="application/json") if row else Response(status_code=404)
        )

    @app.patch("/entities/{entity_id}/attrs/{name}")
    async def patch(entity_id: str, name: str, request: Request) -> Response:
        fragment = orjson.loads(await request.body())
        await run_in_threadpool(_patch, pool, tenant, entity_id, name, fragment)
        return Response(status_code=204)

    return app


def _patch(
    pool: "ConnectionPool[Any]", tenant: int, entity: str, name: str, fragment: dict[str, Any]
) -> None:
    attribute, now = _DEFAULT_CONTEXT + name, datetime.now(UTC)
    with pool.connection() as connection, connection.transaction():
        row = connection.execute(_LOCK, (tenant, entity)).fetchone()
        series = connection.execute(_SERIES, (tenant, entity, attribute)).fetchone()
        if row is None or series is None:
            raise LookupError(entity)
        attributes = row[4]
        attributes[attribute][0].update(fragment)
        connection.execute(_HISTORY, (series[0], fragment["observedAt"], fragment["value"]))
        connection.execute(_UPDATE, (Jsonb(attributes, orjson.dumps), now, tenant, entity))
        connection.execute(_SUBSCRIPTIONS)
        connection.execute(_NOTICE, (entity,))


def main(data_dir: Path, port: int, connections: int) -> None:
    """Serve until SIGTERM."""
    with ConnectionPool(read_city(data_dir).database, min_size=connections, max_size=connections) as pool:
        with pool.connection() as connection:
            row = connection.execute("SELECT tenant FROM entity LIMIT 1").fetchone()
        app = create_app(pool, row[0] if row else 0)
        uvicorn.run(app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", log_level="warning")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
