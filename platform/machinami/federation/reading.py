"""Distributed reads: what sources are asked, and how their answers join what is here (5.7.1 to 5.7.4)."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Engine

from machinami.errors import TooManyResults
from machinami.federation.exchange import Dialect, Origin, path_of
from machinami.federation.matching import Wanted, is_meant, matching_information
from machinami.federation.merging import merge
from machinami.federation.received import Asked, Remote
from machinami.federation.registration import EntityInfo, Information, Registration
from machinami.linkage import read
from machinami.linkage.read import EntitySelector, Found, Page, Selection
from machinami.linkage.types import format_types, has_scopes, has_types, selects
from machinami.model import Entity
from machinami.ngsild.geo import GeoQuery
from machinami.ngsild.matching import matches
from machinami.ngsild.patterns import found

PAGE = 1000
"""Entities that a source is asked for at a time."""

MAX_PAGES = 10
"""Pages that one source is asked for."""

MAX_HERE = 10_000
"""Entities that may be put together in memory for one answer."""

_TERM = re.compile(r"\w+")
_ANY = EntityInfo()
_EVERYTHING = EntitySelector()


class Service(msgspec.Struct, frozen=True):
    """Operations (clause 4.20) by which a kind of thing is read, and its path.

    Attributes:
        by_batch: empty where there is none.
        instead: what can be queried only is retrieved so, too.
        is_typed: a retrieval says the type, where it is known.
    """

    retrieve: str
    query: str
    path: tuple[str, ...]
    by_batch: str = ""
    instead: bool = False
    is_typed: bool = False


ENTITIES = Service(
    "retrieveEntity", "queryEntity", ("entities",), by_batch="queryBatch", instead=True, is_typed=True
)
EVOLUTIONS = Service("retrieveTemporal", "queryTemporal", ("temporal", "entities"))


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a request wants to read.

    Attributes:
        service: what is read.
        wanted: entities and attributes; one entity by id for a retrieval.
        is_retrieval: one entity, not a query.
        by_post: the query came in a body, and is passed on so where the source can take it.
        filters: parameters that filter, as given: q, georel …; they go along unless entities are split.
        geo: sources elsewhere need not be asked.
        passed: parameters that always go along.
        split: an entity may be spread over several places, so filters count for the whole only.
    """

    service: Service = ENTITIES
    wanted: Wanted
    is_retrieval: bool = False
    by_post: bool = False
    filters: Mapping[str, str] = {}
    geo: GeoQuery | None = None
    passed: Mapping[str, str] = {}
    split: bool = False


def plan(registrations: Iterable[Registration], origin: Origin, question: Question) -> list[Asked]:
    """The requests that a read becomes; each source is asked only for what it is registered for.

    Raises:
        TooComplexQuery: a pattern takes too long.
    """
    return [
        asked
        for registration in registrations
        if question.geo is None
        or registration.location is None
        or question.geo.may_match_in(registration.location)
        for item in matching_information(registration, question.wanted)
        for asked in _ask(registration, item, origin, question)
    ]


def retrieve(engine: Engine, tenant: str, entity_id: str, remote: Remote) -> Entity:
    """An entity out of what is here and what sources have said.

    Raises:
        NotFound: nobody has it.
    """
    here = read.load_entities(engine, read.tenant_of(engine, tenant), [entity_id])
    equals, supplements = remote.equals.get(entity_id, []), remote.supplements.get(entity_id, [])
    if not (here or equals or supplements):
        raise read.entity_not_found(entity_id, tenant)
    return merge([*here, *equals], supplements)


def query(
    engine: Engine, tenant: str, selection: Selection, page: Page, remote: Remote, *, split: bool
) -> Found:
    """A page of entities out of what is here and what sources have said; ordered by id.

    Raises:
        TooManyResults: more than `MAX_HERE` would have to be put together.
    """
    if split:
        return _query_split(engine, tenant, selection, page, remote)
    upto = page.offset + page.limit
    here = read.query_entities(engine, tenant, selection, Page(limit=min(upto, MAX_HERE), count=page.count))
    if upto > MAX_HERE and here.more:
        raise too_many()
    parts = read.load_entities(engine, read.tenant_of(engine, tenant), remote.ids)
    both = {entity.id: entity for entity in here.entities} | {entity.id: entity for entity in parts}
    merged = _merged(both, remote)
    total = None
    if here.total is not None:
        total = here.total + len(remote.ids) - sum(is_selected(selection, entity) for entity in parts)
    return _cut(merged, page, more=here.more, total=total)


def _query_split(engine: Engine, tenant: str, selection: Selection, page: Page, remote: Remote) -> Found:
    """Filters are asked of whole entities only, once they are put together."""
    wide = Selection(selectors=selection.selectors, among=selection.among)
    here = read.query_entities(engine, tenant, wide, Page(limit=MAX_HERE))
    if here.more:
        raise too_many()
    parts = read.load_entities(engine, read.tenant_of(engine, tenant), remote.ids)
    both = {entity.id: entity for entity in [*here.entities, *parts]}
    merged = [entity for entity in _merged(both, remote) if is_selected(selection, entity)]
    return _cut(merged, page, more=False, total=len(merged) if page.count else None)


def _ask(
    registration: Registration, item: Information, origin: Origin, question: Question
) -> Iterator[Asked]:
    dialect = Dialect(registration, origin)
    selectors = question.wanted.selectors or (_EVERYTHING,)
    for info in item.entities or (_ANY,):
        for selector in selectors:
            if is_meant(info, selector):
                yield from _ask_one(registration, item, dialect, question, narrow(selector, info))


def _ask_one(
    registration: Registration,
    item: Information,
    dialect: Dialect,
    question: Question,
    selector: EntitySelector,
) -> Iterator[Asked]:
    """The request in the operation that the source has: by id if it can, else by query (clause 4.20)."""
    offered, service = registration.operations, question.service
    named = _names(item, question)
    ask = partial(Asked, item=item, names=frozenset(named), of_history=service is EVOLUTIONS)
    common = {**question.passed, **dialect.projection(named), "options": "sysAttrs"}
    types = {"type": format_types(selector.types, dialect.context.compact)} if selector.types else {}
    if question.is_retrieval and service.retrieve in offered:
        path = path_of(*service.path, *selector.ids)
        typed = types if service.is_typed else {}
        yield ask(forward=dialect.forward("GET", path, _pairs(typed | common)))
        return
    if question.is_retrieval and not service.instead:
        return
    kept = _having(dialect.terms(named), {} if question.split or not dialect.is_own else question.filters)
    paged = {**kept, **common, "limit": str(PAGE)}
    if service.query in offered and not (question.by_post and service.by_batch in offered):
        ids = {"id": ",".join(selector.ids)} if selector.ids else {}
        pattern = {"idPattern": selector.id_pattern} if selector.id_pattern else {}
        parameters = _pairs({**types, **ids, **pattern, **paged})
        yield ask(forward=dialect.forward("GET", path_of(*service.path), parameters))
    elif service.by_batch in offered:
        document = {**_query_document(types, selector, kept), **dialect.projection(named, posted=True)}
        rest = _pairs({"options": "sysAttrs", "limit": str(PAGE), **question.passed})
        path = path_of("entityOperations", "query")
        yield ask(forward=dialect.forward("POST", path, rest, document))


def narrow(selector: EntitySelector, info: EntityInfo) -> EntitySelector:
    """What of a selector's entities a source has."""
    groups = tuple(group for group in selector.types if not info.types or has_types(info.types, (group,)))
    ids = selector.ids
    if info.id:
        ids = (info.id,)
    elif info.id_pattern:
        ids = tuple(each for each in ids if found(info.id_pattern, each))
    pattern = "" if ids else selector.id_pattern or info.id_pattern
    return EntitySelector(types=groups or ((info.types,) if info.types else ()), ids=ids, id_pattern=pattern)


def _names(item: Information, question: Question) -> list[str]:
    """Attributes to ask for: those wanted that the source has; none means all."""
    wanted = question.wanted.attributes
    if question.split and not question.is_retrieval:
        return sorted(item.attributes)
    return sorted(wanted & item.attributes if wanted and item.attributes else wanted or item.attributes)


def _having(terms: Sequence[str], filters: Mapping[str, str]) -> Mapping[str, str]:
    """Filters, with the one that an entity has one of these attributes; q cannot say so of full names."""
    if not terms or not all(_TERM.fullmatch(term) for term in terms):
        return filters
    has = "|".join(terms)
    return {**filters, "q": f"({filters['q']});({has})" if "q" in filters else has}


def _query_document(
    types: Mapping[str, str], selector: EntitySelector, filters: Mapping[str, str]
) -> dict[str, Any]:
    """A Query (clause 5.2.23)."""
    entity: dict[str, Any] = {**types}
    if selector.ids:
        entity["id"] = selector.ids[0] if len(selector.ids) == 1 else list(selector.ids)
    elif selector.id_pattern:
        entity["idPattern"] = selector.id_pattern
    document: dict[str, Any] = {"type": "Query", "entities": [{"type": "*", **entity}]}
    geo = {
        name: filters[name]
        for name in ("georel", "geometry", "coordinates", "geoproperty")
        if name in filters
    }
    rest = {name: value for name, value in filters.items() if name not in geo}
    return {**document, **rest, **({"geoQ": geo} if geo else {})}


def _pairs(parameters: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(parameters.items())


def _merged(here: Mapping[str, Entity], remote: Remote) -> list[Entity]:
    ids = sorted(here.keys() | remote.equals.keys() | remote.supplements.keys())
    return [
        merge(
            [*([here[identifier]] if identifier in here else []), *remote.equals.get(identifier, [])],
            remote.supplements.get(identifier, []),
        )
        for identifier in ids
    ]


def _cut(entities: Sequence[Entity], page: Page, *, more: bool, total: int | None) -> Found:
    end = page.offset + page.limit
    further = (more or end < len(entities)) and page.limit > 0
    return Found(entities=list(entities[page.offset : end]), more=further, total=total)


def is_selected(selection: Selection, entity: Entity) -> bool:
    """Whether an entity is selected; what the database answers for many, here for one."""
    return (
        (not selection.selectors or any(selects(selector, entity) for selector in selection.selectors))
        and (not selection.attributes or not entity.attributes.keys().isdisjoint(selection.attributes))
        and (not selection.scopes or has_scopes(entity.scope, selection.scopes))
        and (selection.q is None or matches(selection.q, entity))
        and (selection.geo is None or _lies(selection.geo, entity))
    )


def _lies(geo: GeoQuery, entity: Entity) -> bool:
    instances = entity.attributes.get(geo.geoproperty, [])
    return any("value" in instance and geo.matches(instance["value"]) for instance in instances)


def too_many() -> TooManyResults:
    """The error for more entities than `MAX_HERE`."""
    return TooManyResults(
        f"more than {MAX_HERE} entities would have to be put together",
        field="type",
        cure="Narrow the query, or ask with local=true",
    )
