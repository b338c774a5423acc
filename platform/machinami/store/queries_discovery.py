"""Which types and attributes there are (clauses 5.7.5 to 5.7.10)."""

import msgspec
from sqlalchemy import Connection, func, select, text

from machinami.store.queries import is_living
from machinami.store.tables import entity


class AttributeUse(msgspec.Struct, frozen=True, kw_only=True):
    """One attribute as it is used: on which types, as which kinds, how often."""

    name: str
    kinds: tuple[str, ...]
    types: tuple[str, ...]
    count: int


_USES = text("""
    SELECT key AS name,
           array_agg(DISTINCT instance ->> 'type') AS kinds,
           array_agg(DISTINCT type) AS types,
           count(DISTINCT id) AS entities
    FROM entity
    CROSS JOIN unnest(types) AS type
    CROSS JOIN jsonb_each(attributes) AS attribute (key, instances)
    CROSS JOIN jsonb_array_elements(instances) AS instance
    WHERE tenant = :tenant AND (expires_at IS NULL OR expires_at > now())
      AND (CAST(:type AS text) IS NULL OR types @> ARRAY[CAST(:type AS text)])
      AND (CAST(:name AS text) IS NULL OR key = :name)
    GROUP BY key ORDER BY key
""")


def fetch_types(connection: Connection, tenant: int) -> dict[str, int]:
    """Every type, and how many entities have it."""
    name = func.unnest(entity.c.types).label("name")
    types = select(name).where(entity.c.tenant == tenant, is_living()).subquery()
    query = select(types.c.name, func.count()).group_by(types.c.name).order_by(types.c.name)
    return {row[0]: row[1] for row in connection.execute(query)}


def fetch_attribute_uses(
    connection: Connection, tenant: int, *, type_name: str | None = None, name: str | None = None
) -> list[AttributeUse]:
    """Attributes in use, of all entities or of one type, or one attribute alone."""
    rows = connection.execute(_USES, {"tenant": tenant, "type": type_name, "name": name})
    return [
        AttributeUse(name=n, kinds=tuple(kinds), types=tuple(types), count=count)
        for n, kinds, types, count in rows
    ]


def fetch_type_attributes(connection: Connection, tenant: int) -> dict[str, list[str]]:
    """Every type with the names of its attributes."""
    found: dict[str, list[str]] = {name: [] for name in fetch_types(connection, tenant)}
    for use in fetch_attribute_uses(connection, tenant):
        for name in use.types:
            found[name].append(use.name)
    return found
