"""Snapshots (clause 5.2.41): what is known of them, and the tenants that hold their data."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, text, update

from machinami.store.queries_subscription import Watched, delete_subscription
from machinami.store.tables import departed, entity_map, outbox, registration, snapshot, subscription, tenant


class StoredSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot.

    Attributes:
        home: number of the tenant that holds its data.
        document: members as given (Table 5.2.41-1).
        details: ``snapshotStatus``, and the results of its queries (Table 5.2.41-2).
        used_at: when it was last worked on.
    """

    id: str
    home: int
    document: dict[str, Any]
    details: dict[str, Any]
    created_at: datetime
    modified_at: datetime
    used_at: datetime
    expires_at: datetime


def insert_snapshot(
    connection: Connection,
    number: int,
    identifier: str,
    home_name: str,
    document: Mapping[str, Any],
    details: Mapping[str, Any],
    expires_at: datetime,
) -> StoredSnapshot:
    """Keep a new one, with an empty tenant for it; the id must be free."""
    home = connection.execute(select(func.nextval("snapshot_home"))).scalar_one()
    connection.execute(insert(tenant).values(tenant=home, name=home_name))
    row = {"document": dict(document), "details": dict(details), "expires_at": expires_at}
    made = insert(snapshot).values(tenant=number, id=identifier, home=home, **row).returning(*_COLUMNS)
    return _stored(connection.execute(made).one())


def fetch_snapshot(connection: Connection, number: int, identifier: str) -> StoredSnapshot | None:
    """One that has not expired."""
    row = connection.execute(select(*_COLUMNS).where(*_living(number, identifier))).one_or_none()
    return _stored(row) if row else None


def fetch_snapshots(connection: Connection, number: int) -> list[StoredSnapshot]:
    """All of a tenant."""
    wanted = (snapshot.c.tenant == number, snapshot.c.expires_at > func.now())
    return [_stored(row) for row in connection.execute(select(*_COLUMNS).where(*wanted))]


def enter_home(connection: Connection, number: int, identifier: str) -> str | None:
    """Name of the tenant that holds a snapshot's data; it is used now."""
    change = update(snapshot).where(*_living(number, identifier), tenant.c.tenant == snapshot.c.home)
    return connection.execute(change.values(used_at=func.now()).returning(tenant.c.name)).scalar_one_or_none()


def update_snapshot(
    connection: Connection, number: int, identifier: str, values: Mapping[str, Any]
) -> StoredSnapshot | None:
    """Change some columns of one; as it is then."""
    change = update(snapshot).where(*_living(number, identifier)).values(**values)
    row = connection.execute(change.returning(*_COLUMNS)).one_or_none()
    return _stored(row) if row else None


def delete_snapshot(connection: Connection, number: int, identifier: str) -> bool:
    """Remove one with all its data. Whether there was one."""
    return _delete(connection, *_living(number, identifier)) > 0


def delete_expired_snapshots(connection: Connection) -> int:
    """Remove those that have expired, with their data; their number."""
    return _delete(connection, snapshot.c.expires_at <= func.now())


def copy_entities(connection: Connection, source: int, home: int, ids: Sequence[str] | None) -> None:
    """Copy entities of one tenant, all or those of some ids, to another where they are not there yet."""
    connection.execute(_COPY_ENTITIES, {"source": source, "home": home, "ids": _list(ids)})


def copy_history(
    connection: Connection,
    source: int,
    home: int,
    ids: Sequence[str] | None,
    names: Sequence[str] = (),
    start: datetime | None = None,
    end: datetime | None = None,
) -> None:
    """Copy history of one tenant to another that nobody else writes to.

    Args:
        ids: of entities; None means all.
        names: expanded names of attributes; none means all.
        start, end: of ``observedAt``, from (inclusive) to (exclusive), either open.
    """
    wanted = {"source": source, "home": home, "ids": _list(ids), "names": _list(names or None)}
    connection.execute(_COPY_SERIES, wanted)
    connection.execute(_COPY_OBSERVATIONS, {**wanted, "start": start, "end": end})


_CHOSEN = """s.tenant = :source AND (CAST(:ids AS text[]) IS NULL OR s.entity_id = ANY(CAST(:ids AS text[])))
 AND (CAST(:names AS text[]) IS NULL OR s.attribute = ANY(CAST(:names AS text[])))"""
_COPY_ENTITIES = text("""
INSERT INTO entity (tenant, id, types, scope, attributes, bounds, created_at, modified_at, expires_at, due_at)
SELECT :home, id, types, scope, attributes, bounds, created_at, modified_at, expires_at, due_at FROM entity
WHERE tenant = :source AND (CAST(:ids AS text[]) IS NULL OR id = ANY(CAST(:ids AS text[])))
ON CONFLICT DO NOTHING""")
_COPY_SERIES = text(f"""
INSERT INTO series (tenant, entity_id, attribute, dataset_id, unit_code)
SELECT :home, s.entity_id, s.attribute, s.dataset_id, s.unit_code FROM series s WHERE {_CHOSEN}
ON CONFLICT DO NOTHING""")  # made of constants
_COPY_OBSERVATIONS = text(f"""
INSERT INTO observation (series, observed_at, number, document)
SELECT h.series, o.observed_at, o.number, o.document FROM series s
JOIN series h USING (entity_id, attribute, dataset_id) JOIN observation o ON o.series = s.series
WHERE {_CHOSEN} AND h.tenant = :home AND (o.document IS NULL OR o.document <> '{{}}')
AND (CAST(:start AS timestamptz) IS NULL OR o.observed_at >= CAST(:start AS timestamptz))
AND (CAST(:end AS timestamptz) IS NULL OR o.observed_at < CAST(:end AS timestamptz))
ON CONFLICT DO NOTHING""")  # made of constants
_ROLLUPS = text("""
SELECT relname FROM pg_class WHERE relname IN ('rollup_minute', 'rollup_hour', 'rollup_day')
AND relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace""")
_COLUMNS = (
    snapshot.c.id,
    snapshot.c.home,
    snapshot.c.document,
    snapshot.c.details,
    snapshot.c.created_at,
    snapshot.c.modified_at,
    snapshot.c.used_at,
    snapshot.c.expires_at,
)


def _delete(connection: Connection, *wanted: ColumnElement[bool]) -> int:
    homes = list(connection.execute(delete(snapshot).where(*wanted).returning(snapshot.c.home)).scalars())
    for home in homes:
        _empty(connection, home)
    return len(homes)


def _empty(connection: Connection, home: int) -> None:
    """Remove all that a snapshot's tenant holds, and the tenant."""
    here = {"home": home}
    for relation in ("observation", *connection.execute(_ROLLUPS).scalars()):
        those = "(SELECT series FROM series WHERE tenant = :home)"
        connection.execute(text(f"DELETE FROM {relation} WHERE series IN {those}"), here)
    for table in ("series", "entity"):
        connection.execute(text(f"DELETE FROM {table} WHERE tenant = :home"), here)  # constants
    mine = connection.execute(
        select(subscription.c.id, subscription.c.kind).where(subscription.c.tenant == home)
    )
    for row in mine.all():
        delete_subscription(connection, home, row.id, Watched(row.kind))
    for table in (outbox, registration, entity_map, departed):
        connection.execute(delete(table).where(table.c.tenant == home))
    connection.execute(delete(tenant).where(tenant.c.tenant == home))


def _living(number: int, identifier: str) -> tuple[ColumnElement[bool], ...]:
    return (
        snapshot.c.tenant == number,
        snapshot.c.id == identifier,
        snapshot.c.expires_at > func.now(),
    )


def _stored(row: Any) -> StoredSnapshot:
    return StoredSnapshot(**row._mapping)  # noqa: SLF001 # SQLAlchemy's public name for it


def _list(values: Sequence[str] | None) -> list[str] | None:
    return None if values is None else list(values)
