"""Sequences of requests that stay with one set of entities: EntityMaps (clauses 5.5.9.3 and 5.5.14)."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
import orjson

from machinami.api.answers import ROOT
from machinami.api.call import ENTITY_MAP, Call
from machinami.api.finding import find_entities, is_split
from machinami.errors import BadRequestData
from machinami.linkage import entity_maps, read
from machinami.linkage.entity_maps import EntityMap
from machinami.linkage.read import Found, Page, Selection
from machinami.ngsild.durations import parse_duration

HERE = "@none"
"""Stands for this broker among the sources of an entity (clause 5.2.39)."""

_SAME = (
    "datasetId", "q", "csf", "scopeQ", "expandValues", "jsonKeys",
    "georel", "geometry", "coordinates", "geoproperty",
    "orderBy", "orderFrom", "orderGeometry", "collation",
)  # fmt: skip
_AT_ONCE = 100

_Item = TypeVar("_Item")


class Mapped(msgspec.Struct, frozen=True, kw_only=True):
    """The EntityMap that a request works with.

    Attributes:
        is_new: it was made for this request.
    """

    item: EntityMap
    is_new: bool

    @property
    def status(self) -> int:
        """Of the answer (Table 6.4.3.2-3)."""
        return 201 if self.is_new else 200

    @property
    def headers(self) -> dict[str, str]:
        """Where the EntityMap is."""
        return {ENTITY_MAP: f"{ROOT}/entityMaps/{quote(self.item.id, safe=':')}"}


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A page of what an EntityMap names; see `machinami.linkage.read.Found`."""

    ids: list[str]
    more: bool
    total: int


def is_wanted(call: Call) -> bool:
    """Whether a request is to work with an EntityMap."""
    return call.arguments.flag("entityMap") or ENTITY_MAP in call.headers


def map_entity(call: Call, entity_id: str) -> Mapped:
    """The EntityMap of a retrieval (clauses 5.7.1.4 and 5.7.3.4)."""
    if call.entity_map is not None:
        return Mapped(item=call.entity_map, is_new=False)
    here = read.retrieve_entities(call.services.engine, call.tenant, [entity_id])
    known = [entity_id] if here or call.remote is None else []
    return Mapped(item=_create(call, "", [entity_id], known), is_new=True)


def map_entities(call: Call, selection: Selection, *, anew: bool = False) -> Mapped:
    """The EntityMap of Query Entities (clauses 5.7.2.4 and 5.14.4): the one named, else a new one.

    Args:
        anew: make one in any case.

    Raises:
        BadRequestData: the one named was made for another query.
        TooManyResults: it would hold too many entities.
    """
    wide = Selection(selectors=selection.selectors) if call.remote and is_split(call) else selection
    engine = call.services.engine
    return _mapped(
        call,
        _digest(call, "entities", selection),
        lambda: read.matching_ids(engine, call.tenant, wide, entity_maps.MOST + 1),
        anew=anew,
    )


def map_evolutions(
    call: Call, selection: Selection, find: Callable[[Selection, int], list[str]], *, anew: bool = False
) -> Mapped:
    """As `map_entities`, for Query Temporal Evolution of Entities (clauses 5.7.4.4 and 5.14.5).

    Args:
        find: ids of so many evolutions of a selection.
    """
    digest = _digest(call, "evolutions", selection)
    return _mapped(call, digest, lambda: find(selection, entity_maps.MOST + 1), anew=anew)


def find_mapped(call: Call, selection: Selection, page: Page, item: EntityMap) -> Found:
    """A page of the entities of an EntityMap that still match; those passed over that do not go."""
    chosen = msgspec.structs.replace(selection, order=())

    def load(ids: Sequence[str]) -> dict[str, Any]:
        some = msgspec.structs.replace(chosen, among=tuple(ids))
        return {each.id: each for each in find_entities(call, some, Page(limit=len(ids))).entities}

    kept, part = walk(call, item, page, load)
    return Found(entities=kept, more=part.more, total=part.total if page.count else None)


def walk(
    call: Call, item: EntityMap, page: Page, load: Callable[[Sequence[str]], Mapping[str, _Item]]
) -> tuple[list[_Item], Part]:
    """Fill a page (clause 5.5.9.3).

    Args:
        load: what still matches among these ids.
    """
    wanted = call.arguments.names("id")
    ids = [each for each in item.ids if each in wanted] if wanted else item.ids
    kept: dict[str, _Item] = {}
    gone: list[str] = []
    place = page.offset
    while len(kept) < page.limit and place < len(ids):
        some = ids[place : place + _AT_ONCE]
        there = load(some)
        for identifier in some:
            if len(kept) == page.limit:
                break
            place += 1
            if identifier in there:
                kept[identifier] = there[identifier]
            else:
                gone.append(identifier)
    if gone:
        entity_maps.take_out(call.services.engine, call.tenant, item, gone)
    return [*kept.values()], Part(
        ids=[*kept], more=page.limit > 0 and place < len(ids), total=len(ids) - len(gone)
    )


def _mapped(call: Call, digest: str, find: Callable[[], list[str]], *, anew: bool) -> Mapped:
    found = None if anew else call.entity_map
    if found is None:
        here = find()
        elsewhere = call.remote.ids if call.remote else []
        ids = sorted({*here, *elsewhere}) if elsewhere else here
        return Mapped(item=_create(call, digest, ids, here), is_new=True)
    if found.query != digest:
        raise BadRequestData(
            "the EntityMap was made for another query",
            field=ENTITY_MAP,
            value=found.id,
            cure="Ask with the same parameters, or without the header for a new one",
        )
    return Mapped(item=found, is_new=False)


def _create(call: Call, digest: str, ids: Sequence[str], here: Sequence[str]) -> EntityMap:
    lifetime = entity_maps.LIFETIME
    if "entityMapLifetime" in call.arguments:
        lifetime = parse_duration(call.arguments["entityMapLifetime"], "entityMapLifetime")
    known = {*here}
    elsewhere = call.remote.registrations if call.remote else {}
    sources = {
        each: [*([HERE] if each in known else []), *dict.fromkeys(named)] for each, named in elsewhere.items()
    }
    return entity_maps.create(call.services.engine, call.tenant, digest, ids, sources, lifetime)


def _digest(call: Call, kind: str, selection: Selection) -> str:
    """What has to be the same in a sequence: all but ids, the page and the temporal query (clause 5.5.14)."""
    selectors = [[each.types, each.id_pattern] for each in selection.selectors]
    given = {name: call.arguments[name] for name in _SAME if name in call.arguments}
    said = [kind, selection.attributes, [each for each in selectors if any(each)], given, call.context.source]
    return sha256(orjson.dumps(said)).hexdigest()
