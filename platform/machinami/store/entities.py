"""Current state: one row an entity. Inside the caller's transaction."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString, TypeAlias, cast

import orjson
from msgspec.structs import replace
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from machinami.model import Entity
from machinami.ngsild.expiry import living
from machinami.store.engine import driver_connection

EntityKey: TypeAlias = tuple[int, str]
"""(tenant, id)."""

NOTIFY_CHANNEL = "machinami_changes"
_NOTIFY_BYTES = 7_500  # PostgreSQL takes payloads under 8,000 bytes

_LOCK: LiteralString = (
    "SELECT e.tenant, e.id, e.types, e.scope, e.attributes, e.created_at, e.modified_at,"
    " e.expires_at, e.due_at FROM entity e"
    " JOIN unnest(%s::smallint[], %s::text[]) AS k(tenant, id) USING (tenant, id)"
    " ORDER BY e.tenant, e.id FOR UPDATE OF e"
)
_INSERT = (
    "INSERT INTO entity (types, scope, attributes, bounds, modified_at, tenant, id, created_at,"
    " expires_at, due_at)"
    " VALUES (%s, %s, %s, %s::box, %s, %s, %s, %s, %s, %s)"
)
_COPY: LiteralString = (
    "COPY entity (types, scope, attributes, bounds, modified_at, tenant, id, created_at, expires_at, due_at)"
    " FROM STDIN"
)
_OR_ADD: LiteralString = (
    " ON CONFLICT (tenant, id) DO UPDATE SET attributes = entity.attributes || excluded.attributes,"
    " bounds = coalesce(excluded.bounds, entity.bounds)"
)
_UPDATE = (
    "UPDATE entity SET types = %s, scope = %s, attributes = %s, bounds = %s::box, modified_at = %s"
    " WHERE tenant = %s AND id = %s"
)
_DELETE = (
    "WITH gone AS (DELETE FROM entity WHERE tenant = %s AND id = %s RETURNING tenant, id, types, created_at)"
    " INSERT INTO departed (tenant, id, types, created_at, deleted_at) SELECT *, now() FROM gone"
    " ON CONFLICT (tenant, id) DO UPDATE SET types = excluded.types, created_at = excluded.created_at,"
    " deleted_at = excluded.deleted_at"
)
_RESCHEDULE = "UPDATE entity SET expires_at = %s, due_at = %s WHERE tenant = %s AND id = %s"
_FEW = 20  # below, single statements are faster than a table in between
_TOUCHED = (
    "CREATE TEMP TABLE IF NOT EXISTS touched (types text[], scope text[], attributes jsonb, bounds text,"
    " modified_at timestamptz, tenant smallint, id text) ON COMMIT DELETE ROWS"
)
_TOUCHED_TYPES = ["text[]", "text[]", "jsonb", "text", "timestamptz", "int2", "text"]
_UPDATE_TOUCHED = (
    "UPDATE entity e SET types = t.types, scope = t.scope, attributes = t.attributes,"
    " bounds = t.bounds::box, modified_at = t.modified_at"
    " FROM touched t WHERE e.tenant = t.tenant AND e.id = t.id"
)


def dumps(value: Any) -> bytes:
    """JSON as the store writes it."""
    return orjson.dumps(value)


def lock_entities(connection: Connection, keys: Iterable[EntityKey]) -> dict[EntityKey, Entity]:
    """Current state of these entities, locked until the transaction ends; absent ones are left out.

    Keys are locked in order, so that two writers cannot wait for each other.
    """
    wanted = sorted(set(keys))
    parameters = ([key[0] for key in wanted], [key[1] for key in wanted])
    with driver_connection(connection).cursor(row_factory=namedtuple_row) as cursor:
        rows = cast("Iterable[Any]", cursor.execute(_LOCK, parameters))
        return {(row.tenant, row.id): entity_of(row) for row in rows}


def entity_of(row: Any) -> Entity:
    """An entity from a row with the columns of the `entity` table."""
    return Entity(
        id=row.id,
        types=tuple(row.types),
        attributes=row.attributes,
        scope=tuple(row.scope),
        created_at=row.created_at,
        modified_at=row.modified_at,
        expires_at=row.expires_at,
        due_at=row.due_at,
    )


def living_entity_of(row: Any) -> Entity:
    """As `entity_of`, without attributes that are past their time (clause 4.22)."""
    entity = entity_of(row)
    if entity.due_at is None or entity.due_at > (now := datetime.now(UTC)):
        return entity
    return replace(entity, attributes=living(entity.attributes, now))


def insert_entities(connection: Connection, entities: Sequence[tuple[int, Entity]]) -> None:
    """Add entities that were not there.

    Raises:
        psycopg.errors.UniqueViolation: another transaction was faster; begin again.
    """
    rows = _whole_rows(entities)
    if len(rows) < _FEW:
        _execute_many(connection, _INSERT, rows)
        return
    with driver_connection(connection).cursor() as cursor, cursor.copy(_COPY) as copy:
        for row in rows:
            copy.write_row(row)


def add_entities(connection: Connection, entities: Sequence[tuple[int, Entity]]) -> None:
    """Add entities, or their attributes to those that are there; to a tenant that nobody else writes to."""
    _execute_many(connection, _INSERT + _OR_ADD, _whole_rows(entities))


def update_entities(connection: Connection, entities: Sequence[tuple[int, Entity]]) -> None:
    """Write the new state of entities that `lock_entities` gave."""
    rows = [(*_state(item), tenant, item.id) for tenant, item in entities]
    if len(rows) < _FEW:
        _execute_many(connection, _UPDATE, rows)
        return
    driver = driver_connection(connection)
    with driver.cursor() as cursor:
        cursor.execute(_TOUCHED)
        with cursor.copy("COPY touched FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(_TOUCHED_TYPES)
            for row in rows:
                copy.write_row(row)
        cursor.execute(_UPDATE_TOUCHED)
        cursor.execute("TRUNCATE touched")


def reschedule_entities(connection: Connection, entities: Sequence[tuple[int, Entity]]) -> None:
    """Write anew when these entities, or the first of their attributes, expire (clause 4.22)."""
    rows = [(item.expires_at, item.due_at, tenant, item.id) for tenant, item in entities]
    _execute_many(connection, _RESCHEDULE, rows)


def delete_entities(connection: Connection, keys: Sequence[EntityKey]) -> None:
    """Remove entities; their history stays, and what it is the history of."""
    _execute_many(connection, _DELETE, keys)


def notify(connection: Connection, keys: Iterable[EntityKey]) -> None:
    """Tell whoever listens, when the transaction commits, which entities changed."""
    payloads = [(NOTIFY_CHANNEL, payload.decode()) for payload in _payloads(keys)]
    _execute_many(connection, "SELECT pg_notify(%s, %s)", payloads)


def _payloads(keys: Iterable[EntityKey]) -> Iterable[bytes]:
    by_tenant: dict[int, list[str]] = {}
    for tenant, id_ in keys:
        by_tenant.setdefault(tenant, []).append(id_)
    for tenant, ids in by_tenant.items():
        start = size = 0
        for position, id_ in enumerate(ids):
            size += len(id_.encode()) * 2 + 3  # an id may grow when it is escaped
            if size > _NOTIFY_BYTES - 100:
                yield dumps({"tenant": tenant, "ids": ids[start:position]})
                start, size = position, len(id_.encode()) * 2 + 3
        yield dumps({"tenant": tenant, "ids": ids[start:]})


def _whole_rows(entities: Sequence[tuple[int, Entity]]) -> list[tuple[Any, ...]]:
    return [
        (*_state(item), tenant, item.id, item.created_at, item.expires_at, item.due_at)
        for tenant, item in entities
    ]


def _state(item: Entity) -> tuple[Any, ...]:
    document = Jsonb(item.attributes, dumps=dumps)
    return list(item.types), list(item.scope), document, _bounds(item), item.modified_at


def _bounds(item: Entity) -> str | None:
    location = item.attributes.get("https://uri.etsi.org/ngsi-ld/location")
    if not location:
        return None
    values = (one.get("value") for one in location)
    corners = [corner for value in values if isinstance(value, dict) for corner in _positions(value)]
    if not corners:
        return None
    east, north = max(x for x, _ in corners), max(y for _, y in corners)
    west, south = min(x for x, _ in corners), min(y for _, y in corners)
    return f"({east},{north}),({west},{south})"


def _positions(geometry: Any) -> Iterable[tuple[float, float]]:
    """Every position of a GeoJSON geometry (RFC 7946), however deep its arrays."""
    if isinstance(geometry, dict):
        members = cast("dict[str, Any]", geometry)
        yield from _positions(members.get("geometries", ()))
        yield from _positions(members.get("coordinates", ()))
    elif geometry and isinstance(geometry[0], int | float):
        yield geometry[0], geometry[1]
    else:
        for part in geometry:
            yield from _positions(part)


def _execute_many(connection: Connection, statement: LiteralString, rows: Sequence[Sequence[Any]]) -> None:
    if rows:
        with driver_connection(connection).cursor() as cursor:
            if len(rows) == 1:  # a pipeline of one costs more than it saves
                cursor.execute(statement, rows[0])
            else:
                cursor.executemany(statement, rows)
