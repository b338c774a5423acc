"""Entities out of the database: a selection becomes one WHERE clause, and every filter of it runs there."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    true,
)

from machinami.model import Entity
from machinami.ngsild.geo import GeoQuery
from machinami.ngsild.ordering import OrderTerm
from machinami.ngsild.query import Node
from machinami.store.entities import living_entity_of
from machinami.store.queries_order import order_by
from machinami.store.queries_q import q_clause
from machinami.store.tables import Box, entity
from machinami.store.tables import tenant as tenants

TypeSelection = tuple[tuple[str, ...], ...]
"""Disjunction of conjunctions of expanded type IRIs: ``A,(B;C)`` is ``((A,), (B, C))`` (clause 4.17)."""

ScopeSelection = tuple[tuple[str, ...], ...]
"""Disjunction of conjunctions of regular expressions, each for the whole of a scope (clause 4.19)."""

_LOCATION = "https://uri.etsi.org/ngsi-ld/location"
_COLUMNS = (
    entity.c.id,
    entity.c.types,
    entity.c.attributes,
    entity.c.scope,
    entity.c.created_at,
    entity.c.modified_at,
    entity.c.expires_at,
    entity.c.due_at,
)


def is_living() -> ColumnElement[bool]:
    """Entities whose time is not past, though they may not be swept yet (clause 4.22)."""
    return or_(entity.c.expires_at.is_(None), entity.c.expires_at > func.now())


_BY_IDS = (  # built once: it is what most requests ask
    select(*_COLUMNS)
    .where(
        entity.c.tenant == bindparam("tenant"),
        entity.c.id == func.any(bindparam("ids", type_=ARRAY(Text))),
        is_living(),
    )
    .order_by(entity.c.id)
)


class EntitySelector(msgspec.Struct, frozen=True, kw_only=True):
    """Which entities are meant (clause 5.2.33); an empty member asks for nothing.

    Attributes:
        types: see `TypeSelection`.
        ids: any of these; where there are some, id_pattern counts for nothing.
        id_pattern: POSIX regular expression that the id matches somewhere.
    """

    types: TypeSelection = ()
    ids: tuple[str, ...] = ()
    id_pattern: str = ""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which entities a query wants (clause 5.7.2); an empty member asks for nothing.

    Attributes:
        selectors: any of these.
        among: ids, of which the entity's is one.
        attributes: expanded names, at least one of which the entity has.
        q: query over values, clause 4.9.
        geo: geo-query, clause 4.10; only its bounding box is asked of the database.
        scopes: see `ScopeSelection`.
        order: of the result; by id where it says nothing.
    """

    selectors: tuple[EntitySelector, ...] = ()
    among: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    q: Node | None = None
    geo: GeoQuery | None = None
    scopes: ScopeSelection = ()
    order: tuple[OrderTerm, ...] = ()


def fetch_entities(
    connection: Connection, tenant: int, selection: Selection, *, limit: int, offset: int = 0
) -> list[Entity]:
    """Entities in the order wanted. The geo-query is not refined here: see `fetch_candidates`."""
    query = select(*_COLUMNS).where(*clauses(tenant, selection)).order_by(*order_by(selection.order))
    return [living_entity_of(row) for row in connection.execute(query.limit(limit).offset(offset))]


def fetch_ids(connection: Connection, tenant: int, selection: Selection, *, limit: int) -> list[str]:
    """Ids of the entities, otherwise as `fetch_entities`."""
    query = select(entity.c.id).where(*clauses(tenant, selection)).order_by(*order_by(selection.order))
    return list(connection.execute(query.limit(limit)).scalars())


def fetch_by_ids(connection: Connection, tenant: int, ids: Sequence[str]) -> list[Entity]:
    """The entities of these ids that exist, in the order of their ids."""
    return [
        living_entity_of(row) for row in connection.execute(_BY_IDS, {"tenant": tenant, "ids": list(ids)})
    ]


def count_entities(connection: Connection, tenant: int, selection: Selection) -> int:
    """How many entities a selection without geo-query has."""
    query = select(func.count()).select_from(entity).where(*clauses(tenant, selection))
    return connection.execute(query).scalar_one()


def fetch_candidates(
    connection: Connection, tenant: int, selection: Selection, geoproperties: Sequence[str]
) -> list[tuple[str, list[list[dict[str, Any]]]]]:
    """Ids of the candidates and their instances of these GeoProperties, for what is decided outside.

    They come in the order wanted; terms by distance are passed over in it.
    """
    geometries = [entity.c.attributes[name] for name in geoproperties]
    plain = tuple(term for term in selection.order if not term.by_distance)
    query = select(entity.c.id, *geometries).where(*clauses(tenant, selection)).order_by(*order_by(plain))
    return [(row[0], [each or [] for each in row[1:]]) for row in connection.execute(query)]


def fetch_next(
    connection: Connection, tenant: int, selection: Selection, *, after: str, limit: int
) -> list[tuple[str, list[dict[str, Any]]]]:
    """The next ids of a selection in their order, with the geometries for the exact test of a geo-query."""
    geometry = entity.c.attributes[selection.geo.geoproperty] if selection.geo else null()
    query = select(entity.c.id, geometry).where(*clauses(tenant, selection), entity.c.id > after)
    rows = connection.execute(query.order_by(entity.c.id).limit(limit))
    return [(row[0], row[1] or []) for row in rows]


def fetch_due(connection: Connection, limit: int) -> list[tuple[str, str]]:
    """Names of tenants and ids of entities, parts of which are past their time (clause 4.22)."""
    there = entity.join(tenants, tenants.c.tenant == entity.c.tenant)
    query = select(tenants.c.name, entity.c.id).select_from(there).where(entity.c.due_at <= func.now())
    return [(row[0], row[1]) for row in connection.execute(query.limit(limit))]


def clauses(tenant: int, selection: Selection) -> list[ColumnElement[bool]]:
    """The WHERE clause of a selection; the geo-query only by bounding box."""
    wanted = [entity.c.tenant == tenant, is_living()]
    return wanted + [
        clause(getattr(selection, name)) for name, clause in _CLAUSES if getattr(selection, name)
    ]


def of_types(types: TypeSelection) -> ColumnElement[bool]:
    """Entities of these types."""
    single = [group[0] for group in types if len(group) == 1]
    several = [entity.c.types.contains(list(group)) for group in types if len(group) > 1]
    return or_(*([entity.c.types.overlap(single)] if single else []), *several)


def _any_of(selectors: Sequence[EntitySelector]) -> ColumnElement[bool]:
    return or_(*(and_(true(), *_selected(selector)) for selector in selectors))


def _selected(selector: EntitySelector) -> Iterator[ColumnElement[bool]]:
    if selector.types:
        yield of_types(selector.types)
    if selector.ids:
        yield _one_of(selector.ids)
    elif selector.id_pattern:
        yield entity.c.id.regexp_match(selector.id_pattern)


def _one_of(ids: Sequence[str]) -> ColumnElement[bool]:
    return entity.c.id == func.any(cast(list(ids), ARRAY(Text)))


def _has_any(names: Sequence[str]) -> ColumnElement[bool]:
    return entity.c.attributes.has_any(cast(list(names), ARRAY(Text)))


def _within_bounds(geo: GeoQuery) -> ColumnElement[bool]:
    """Candidates of a geo-query: those whose geometry may match. A box over the date line is two boxes."""
    has_geometry = entity.c.attributes.has_key(geo.geoproperty)
    bounds = geo.bounds()
    if bounds is None or geo.geoproperty != _LOCATION:
        return has_geometry
    west, south, east, north = bounds
    spans = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
    boxes = [cast(literal(f"({e},{north}),({w},{south})"), Box) for w, e in spans]
    return and_(has_geometry, or_(*(entity.c.bounds.op("&&")(box) for box in boxes)))


def in_scopes(selection: ScopeSelection) -> ColumnElement[bool]:
    """Entities whose scope is one of these now."""
    return or_(*(and_(*(_in_scope(pattern) for pattern in group)) for group in selection))


def _in_scope(pattern: str) -> ColumnElement[bool]:
    one = func.unnest(entity.c.scope).table_valued("scope", name="one").render_derived()
    return select(1).select_from(one).where(one.c.scope.regexp_match(pattern)).exists()


_CLAUSES: tuple[tuple[str, Callable[[Any], ColumnElement[bool]]], ...] = (
    ("selectors", _any_of),
    ("among", _one_of),
    ("attributes", _has_any),
    ("q", q_clause),
    ("geo", _within_bounds),
    ("scopes", in_scopes),
)
