"""Snapshots (clauses 4.3.7, 5.5.15 and 5.16): results of queries, kept as they were, with the API on them.

The data of a snapshot is a tenant of its own, so that every operation works on it as on any other. Its name
has spaces, which no client can write into a header.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

import msgspec
from sqlalchemy import Engine

from machinami.errors import AlreadyExists, NotFound
from machinami.linkage.read import tenant_of
from machinami.model import Entity
from machinami.ngsild.durations import parse_duration
from machinami.store import queries_snapshot as queries
from machinami.store.engine import transaction
from machinami.store.entities import add_entities
from machinami.store.queries_snapshot import StoredSnapshot
from machinami.store.queries_window import Span
from machinami.store.reading import reading

__all__ = ["StoredSnapshot"]

LIFETIME = timedelta(days=1)
"""How long one exists where nobody says it."""

LONGEST = timedelta(days=30)
"""How long one exists at most."""

_MARK = "snapshot"
_Found = TypeVar("_Found")


class Home(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshot that a tenant holds the data of."""

    tenant: str
    snapshot_id: str


def read_home(name: str) -> Home | None:
    """What the name of a tenant says of a snapshot; None where it is a tenant as any other."""
    mark, _, rest = name.partition(" ")
    if mark != _MARK or not rest:
        return None
    tenant, identifier, _ = rest.split(" ")
    return Home(tenant=tenant, snapshot_id=identifier)


def create(engine: Engine, tenant: str, identifier: str, document: Mapping[str, Any]) -> StoredSnapshot:
    """A new snapshot without data (clauses 5.16.1 and 5.16.2); it is being prepared.

    Raises:
        AlreadyExists: the id is taken.
    """
    number = tenant_of(engine, tenant)
    name = f"{_MARK} {tenant} {identifier} {uuid4()}"
    details = {"snapshotStatus": "preparing"}
    with transaction(engine) as connection:
        queries.delete_expired_snapshots(connection)  # one of them may have this id
        if queries.fetch_snapshot(connection, number, identifier):
            raise AlreadyExists(
                f"snapshot {identifier} exists already",
                field="id",
                value=identifier,
                cure="Choose another id",
            )
        return queries.insert_snapshot(
            connection, number, identifier, name, document, details, _expiry(document)
        )


def retrieve(engine: Engine, tenant: str, identifier: str) -> StoredSnapshot:
    """Retrieve Snapshot Status, clause 5.16.3.

    Raises:
        NotFound: there is none.
    """
    number = tenant_of(engine, tenant)
    with reading(engine) as connection:
        return _known(queries.fetch_snapshot(connection, number, identifier), identifier)


def retrieve_all(engine: Engine, tenant: str) -> list[StoredSnapshot]:
    """Every snapshot of a tenant."""
    number = tenant_of(engine, tenant)
    with reading(engine) as connection:
        return queries.fetch_snapshots(connection, number)


def enter(engine: Engine, tenant: str, identifier: str) -> str:
    """Name of the tenant that holds a snapshot's data, for an operation on it.

    Raises:
        NotFound: there is none.
    """
    number = tenant_of(engine, tenant)
    with transaction(engine) as connection:
        return _known(queries.enter_home(connection, number, identifier), identifier)


def update(engine: Engine, tenant: str, identifier: str, members: Mapping[str, Any]) -> StoredSnapshot:
    """Update Snapshot Status, clause 5.16.4.

    Raises:
        NotFound: there is none.
    """
    number = tenant_of(engine, tenant)
    with transaction(engine) as connection:
        found = _known(queries.fetch_snapshot(connection, number, identifier), identifier)
        values: dict[str, Any] = {
            "document": {**found.document, **members},
            "modified_at": datetime.now(UTC),
        }
        if "snapshotLifetime" in members:
            values["expires_at"] = _expiry(members)
        return _known(queries.update_snapshot(connection, number, identifier, values), identifier)


def conclude(engine: Engine, tenant: str, identifier: str, details: Mapping[str, Any]) -> StoredSnapshot:
    """Say what became of a snapshot that was being prepared.

    Raises:
        NotFound: it was deleted meanwhile.
    """
    number = tenant_of(engine, tenant)
    values = {"details": dict(details), "modified_at": datetime.now(UTC)}
    with transaction(engine) as connection:
        return _known(queries.update_snapshot(connection, number, identifier, values), identifier)


def delete(engine: Engine, tenant: str, identifier: str) -> None:
    """Delete Snapshot, clause 5.16.5.

    Raises:
        NotFound: there is none.
    """
    number = tenant_of(engine, tenant)
    with transaction(engine) as connection:
        if not queries.delete_snapshot(connection, number, identifier):
            raise _unknown(identifier)


def add(engine: Engine, item: StoredSnapshot, entities: Sequence[Entity]) -> None:
    """Put entities into a snapshot; attributes come to those that are there already.

    A context source may keep silent on when it made them: then they are as old as the snapshot.
    """
    with transaction(engine) as connection:
        add_entities(connection, [(item.home, _dated(entity, item.created_at)) for entity in entities])


def _dated(entity: Entity, moment: datetime) -> Entity:
    created_at = entity.created_at or moment
    return msgspec.structs.replace(
        entity, created_at=created_at, modified_at=entity.modified_at or created_at
    )


def add_evolutions(
    engine: Engine,
    tenant: str,
    item: StoredSnapshot,
    ids: Sequence[str],
    names: Sequence[str],
    span: Span,
) -> None:
    """Put evolutions of entities into a snapshot, and the entities as they are now.

    Args:
        names: expanded names of attributes; none means all.
    """
    number = tenant_of(engine, tenant)
    with transaction(engine) as connection:
        queries.copy_entities(connection, number, item.home, ids)
        queries.copy_history(connection, number, item.home, ids, names, span.start, span.end)


def copy(engine: Engine, source: StoredSnapshot, item: StoredSnapshot) -> None:
    """Put all data of one snapshot into another (clause 5.16.2)."""
    with transaction(engine) as connection:
        queries.copy_entities(connection, source.home, item.home, None)
        queries.copy_history(connection, source.home, item.home, None)


def _expiry(document: Mapping[str, Any]) -> datetime:
    wished = document.get("snapshotLifetime")
    lifetime = parse_duration(wished, "snapshotLifetime") if wished else LIFETIME
    return datetime.now(UTC) + min(lifetime, LONGEST)


def _known(found: _Found | None, identifier: str) -> _Found:
    if found is None:
        raise _unknown(identifier)
    return found


def _unknown(identifier: str) -> NotFound:
    cure = "It may have expired; check the id and the tenant"
    return NotFound(f"no snapshot {identifier}", field="snapshotId", value=identifier, cure=cure)
