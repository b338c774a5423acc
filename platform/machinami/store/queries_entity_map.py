"""EntityMaps (clause 5.2.39) as they are stored."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, text, update

from machinami.store.tables import entity_map

_TAKE_OUT = text(
    "UPDATE entity_map SET sources = sources - CAST(:gone AS text[]), ids = ARRAY("
    " SELECT one.id FROM unnest(ids) WITH ORDINALITY AS one (id, place)"
    " WHERE one.id <> ALL(CAST(:gone AS text[])) ORDER BY one.place)"
    " WHERE tenant = :tenant AND id = :id"
)


class EntityMap(msgspec.Struct, frozen=True, kw_only=True):
    """The entities that a sequence of requests is about, and who has them.

    Attributes:
        query: a digest of what was asked; only the same may be asked with it again.
        ids: of the entities, in the order of the answer.
        sources: entity id → ids of registrations; ``@none`` for what is here. Who is not in it is here only.
        expires_at: aware UTC.
    """

    id: str
    query: str
    ids: tuple[str, ...]
    sources: Mapping[str, Sequence[str]]
    expires_at: datetime


def insert_entity_map(connection: Connection, number: int, item: EntityMap) -> None:
    """Keep a new one."""
    row = {"ids": list(item.ids), "sources": dict(item.sources), "expires_at": item.expires_at}
    connection.execute(insert(entity_map).values(tenant=number, id=item.id, query=item.query, **row))


def fetch_entity_map(connection: Connection, number: int, identifier: str) -> EntityMap | None:
    """One that has not expired."""
    wanted = (*_key(number, identifier), entity_map.c.expires_at > func.now())
    row: Any = connection.execute(select(entity_map).where(*wanted)).one_or_none()
    if row is None:
        return None
    return EntityMap(
        id=row.id, query=row.query, ids=tuple(row.ids), sources=row.sources, expires_at=row.expires_at
    )


def take_out(connection: Connection, number: int, identifier: str, gone: Sequence[str]) -> None:
    """Take entities out of one."""
    connection.execute(_TAKE_OUT, {"tenant": number, "id": identifier, "gone": list(gone)})


def postpone(connection: Connection, number: int, identifier: str, expires_at: datetime) -> bool:
    """Let one expire at another time. Whether there was one."""
    wanted = (*_key(number, identifier), entity_map.c.expires_at > func.now())
    change = update(entity_map).where(*wanted).values(expires_at=expires_at)
    return connection.execute(change).rowcount > 0


def delete_entity_map(connection: Connection, number: int, identifier: str) -> bool:
    """Remove one. Whether there was one."""
    wanted = (*_key(number, identifier), entity_map.c.expires_at > func.now())
    return connection.execute(delete(entity_map).where(*wanted)).rowcount > 0


def delete_expired_entity_maps(connection: Connection) -> int:
    """Remove those that have expired; their number."""
    return connection.execute(delete(entity_map).where(entity_map.c.expires_at <= func.now())).rowcount


def _key(number: int, identifier: str) -> tuple[ColumnElement[bool], ...]:
    return entity_map.c.tenant == number, entity_map.c.id == identifier
