"""Stored @contexts (clause 5.13): by address, as they came."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from machinami.store.tables import context


class ContextKind(StrEnum):
    """Where a stored @context came from, in the words of clause 5.13.1."""

    HOSTED = "Hosted"
    CACHED = "Cached"
    IMPLICITLY_CREATED = "ImplicitlyCreated"


class StoredContext(msgspec.Struct, frozen=True, kw_only=True):
    """One stored @context.

    Attributes:
        url: where it was fetched from; for a hosted one its identifier here.
        document: JSON object with the member ``@context``.
    """

    url: str
    document: dict[str, Any]
    kind: ContextKind
    created_at: datetime


def _query() -> Select[Any, Any, Any, Any]:
    return select(context.c.url, context.c.document, context.c.kind, context.c.created_at)


def fetch_context(connection: Connection, url: str) -> StoredContext | None:
    """One @context by address."""
    row = connection.execute(_query().where(context.c.url == url)).one_or_none()
    return _stored(row) if row else None


def fetch_contexts(connection: Connection, kind: ContextKind | None = None) -> list[StoredContext]:
    """All of them, or those of one kind, newest first."""
    query = _query().order_by(context.c.created_at.desc(), context.c.url)
    rows = connection.execute(query.where(context.c.kind == kind.value) if kind else query)
    return [_stored(row) for row in rows]


def store_context(connection: Connection, url: str, document: dict[str, Any], kind: ContextKind) -> None:
    """Keep a @context; one with the same address is replaced."""
    row = insert(context).values(url=url, document=document, kind=kind.value)
    connection.execute(
        row.on_conflict_do_update(
            index_elements=["url"],
            set_={"document": row.excluded.document, "kind": row.excluded.kind, "created_at": func.now()},
        )
    )


def delete_context(connection: Connection, url: str) -> bool:
    """Forget a @context. Whether there was one."""
    return connection.execute(delete(context).where(context.c.url == url)).rowcount > 0


def _stored(row: Any) -> StoredContext:
    return StoredContext(url=row[0], document=row[1], kind=ContextKind(row[2]), created_at=row[3])
