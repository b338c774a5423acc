"""EntityMaps (clauses 5.2.39, 5.5.14 and 5.14): what a sequence of requests is about stays the same."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import Engine

from machinami.errors import NotFound, TooManyResults
from machinami.linkage.read import tenant_of
from machinami.store import queries_entity_map as queries
from machinami.store.engine import transaction
from machinami.store.queries_entity_map import EntityMap
from machinami.store.reading import reading

__all__ = ["EntityMap"]

LIFETIME = timedelta(minutes=10)
"""How long one exists where nobody says it."""

LONGEST = timedelta(days=1)
"""How long one exists at most."""

MOST = 100_000
"""Entities that one may hold."""


def create(
    engine: Engine,
    tenant: str,
    query: str,
    ids: Sequence[str],
    sources: Mapping[str, Sequence[str]],
    lifetime: timedelta = LIFETIME,
) -> EntityMap:
    """Make one and keep it.

    Args:
        query, ids, sources: see `EntityMap`.
        lifetime: as wished; `LONGEST` counts where it is shorter.

    Raises:
        TooManyResults: there are more ids than `MOST`.
    """
    if len(ids) > MOST:
        raise TooManyResults(
            f"an EntityMap holds {MOST} entities", field="entityMap", cure="Narrow the query"
        )
    made = EntityMap(
        id=f"urn:ngsi-ld:EntityMap:{uuid4()}",
        query=query,
        ids=tuple(ids),
        sources=sources,
        expires_at=datetime.now(UTC) + min(lifetime, LONGEST),
    )
    number = tenant_of(engine, tenant)
    with transaction(engine) as connection:
        queries.insert_entity_map(connection, number, made)
    return made


def find(engine: Engine, tenant: str, identifier: str) -> EntityMap | None:
    """One that has not expired."""
    number = tenant_of(engine, tenant)
    with reading(engine) as connection:
        return queries.fetch_entity_map(connection, number, identifier)


def retrieve(engine: Engine, tenant: str, identifier: str) -> EntityMap:
    """Retrieve EntityMap, clause 5.14.1.

    Raises:
        NotFound: there is none, or it has expired.
    """
    found = find(engine, tenant, identifier)
    if found is None:
        raise _unknown(identifier)
    return found


def take_out(engine: Engine, tenant: str, item: EntityMap, gone: Sequence[str]) -> None:
    """Take out entities that do not match any more (clause 5.5.9.3)."""
    number = tenant_of(engine, tenant)
    with transaction(engine) as connection:
        queries.take_out(connection, number, item.id, gone)


def postpone(engine: Engine, tenant: str, identifier: str, expires_at: datetime) -> None:
    """Update EntityMap, clause 5.14.2: let it expire at another time, at once if that is past, and not later
    than `LONGEST` from now.

    Raises:
        NotFound: there is none.
    """
    now, number = datetime.now(UTC), tenant_of(engine, tenant)
    with transaction(engine) as connection:
        if not queries.postpone(connection, number, identifier, min(expires_at, now + LONGEST)):
            raise _unknown(identifier)


def delete(engine: Engine, tenant: str, identifier: str) -> None:
    """Delete EntityMap, clause 5.14.3.

    Raises:
        NotFound: there is none.
    """
    number = tenant_of(engine, tenant)
    with transaction(engine) as connection:
        if not queries.delete_entity_map(connection, number, identifier):
            raise _unknown(identifier)


def _unknown(identifier: str) -> NotFound:
    cure = "It may have expired: ask with entityMap=true for a new one"
    return NotFound(f"no EntityMap {identifier}", field="entityMapId", value=identifier, cure=cure)
