"""Distributed temporal reads: evolutions of several places become one (clauses 5.7.3.4, 5.7.4.4, 4.5.5)."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec
from msgspec.structs import replace
from sqlalchemy import Engine

from machinami.errors import NotFound, TooManyResults
from machinami.federation.merging import merge
from machinami.federation.reading import MAX_HERE, is_selected, too_many
from machinami.federation.received import Remote
from machinami.linkage import histories, read
from machinami.linkage.histories import FoundHistory, History, Most
from machinami.linkage.read import Page, Selection
from machinami.model import Entity, Instance
from machinami.ngsild.terms import SCOPE
from machinami.ngsild.times import parse_time
from machinami.store.queries import ScopeSelection
from machinami.store.queries_temporal import Observed
from machinami.store.queries_window import Span

MOST_INSTANCES = 100_000
"""Attribute instances that are put together in memory for one answer."""

_Slot: TypeAlias = tuple[str, str, bool, datetime]
_STAMPS = ("modifiedAt", "createdAt", "deletedAt")


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What of an evolution is wanted.

    Attributes:
        names: expanded names of attributes; none means all.
        datasets: an entity must have instances of one of these, '' for default ones.
        apart: aggregates are made of the instances found, as only some of the time counts.
    """

    span: Span
    timeproperty: str
    most: Most
    names: Sequence[str] = ()
    datasets: Collection[str] = ()
    apart: bool = False


def retrieve(engine: Engine, tenant: str, entity_id: str, wish: Wish, remote: Remote) -> History:
    """An evolution out of what is here and what sources have said.

    Raises:
        NotFound: nobody has it.
    """
    if entity_id not in remote.ids:
        return histories.retrieve_temporal(engine, tenant, entity_id, wish.span, wish.names, wish.most)
    [found] = _together(engine, tenant, [entity_id], wish, remote)
    try:
        _, deleted_at = histories.find_entity(engine, tenant, entity_id)
    except NotFound:
        return found
    return replace(found, deleted_at=deleted_at)


def query(
    engine: Engine,
    tenant: str,
    selection: Selection,
    wish: Wish,
    page: Page,
    remote: Remote,
    *,
    split: bool,
) -> FoundHistory:
    """A page of evolutions out of what is here and what sources have said; ordered by id.

    Args:
        split: filters are asked of what was put together only.

    Raises:
        TooManyResults: too much would have to be put together.
    """
    ids, total = find_ids(engine, tenant, selection, wish, page, remote, split=split)
    end = page.offset + page.limit
    found = _together(engine, tenant, ids[page.offset : end], wish, remote, selection.scopes)
    return FoundHistory(histories=found, more=end < len(ids) and page.limit > 0, total=total)


def find_ids(
    engine: Engine, tenant: str, selection: Selection, wish: Wish, page: Page, remote: Remote, *, split: bool
) -> tuple[list[str], int | None]:
    """Ids in order, at least one more than up to the end of a page where there are; how many in all."""
    known = remote.ids
    accepted = _accepted(engine, tenant, selection, wish, remote) if split else known
    most = page.offset + page.limit + len(known) + 1
    here = histories.temporal_ids(
        engine, tenant, selection, wish.span, wish.datasets, min(most, MAX_HERE + 1)
    )
    if len(here) > MAX_HERE:
        raise too_many()
    ids = sorted({*here}.difference(known).union(accepted))
    if not page.count:
        return ids, None
    counted = histories.query_temporal(
        engine, tenant, selection, wish.span, wish.most, Page(limit=0, count=True), wish.datasets
    )
    twice = _here_too(engine, tenant, selection, wish, known)
    return ids, (counted.total or 0) - len(twice) + len(accepted)


def _here_too(
    engine: Engine, tenant: str, selection: Selection, wish: Wish, known: Sequence[str]
) -> list[str]:
    """Of these ids, those that are selected here."""
    if not known:
        return []
    some = replace(selection, among=tuple(known))
    return histories.temporal_ids(engine, tenant, some, wish.span, wish.datasets, len(known))


def _accepted(engine: Engine, tenant: str, selection: Selection, wish: Wish, remote: Remote) -> list[str]:
    """Of what sources have said something of, what meets the filters once it is put together."""
    whole = replace(wish, names=(), most=Most(instances=MOST_INSTANCES))
    found = _together(engine, tenant, remote.ids, whole, remote)
    if any(each.extent for each in found):
        raise too_much()
    return [each.entity.id for each in found if is_selected(selection, _judged(each))]


def _judged(history: History) -> Entity:
    """An evolution as an entity that has all its instances, and all its scopes, at once."""
    values: list[str | list[str]] = [each["value"] for each in history.attributes.get(SCOPE, [])]
    scopes = [scope for value in values for scope in ([value] if isinstance(value, str) else value)]
    scope = tuple(dict.fromkeys((*history.entity.scope, *scopes)))
    return replace(history.entity, attributes=history.attributes, scope=scope)


def _together(
    engine: Engine,
    tenant: str,
    ids: Sequence[str],
    wish: Wish,
    remote: Remote,
    scopes: ScopeSelection = (),
) -> list[History]:
    """Evolutions of these ids, in their order; what of them is here need not have been selected here."""
    number = read.tenant_of(engine, tenant)
    here = {entity.id: entity for entity in read.load_entities(engine, number, ids)}
    local = histories.load(engine, number, ids, wish.span, wish.names, wish.most, scopes)
    told = [row for identifier in ids for row in _told(local, identifier, wish, remote)]
    rows = sorted(told, key=lambda row: row.moment, reverse=wish.most.last_n is not None)
    horizon = horizon_of(wish, remote)
    entities = [_entity(identifier, here, remote) for identifier in ids]
    carried = histories.carried(engine, number, list(here), wish.span, wish.names, scopes)
    return histories.compose(entities, rows, wish.most, carried=carried, horizon=horizon)


def _entity(identifier: str, here: Mapping[str, Entity], remote: Remote) -> Entity:
    """The entity itself, as all of them describe it."""
    own = [here[identifier]] if identifier in here else []
    equals = [*own, *remote.equals.get(identifier, [])]
    bare = [replace(each, attributes={}) for each in equals]
    others = [replace(each, attributes={}) for each in remote.supplements.get(identifier, [])]
    return merge(bare, others)


def _told(local: Sequence[Observed], identifier: str, wish: Wish, remote: Remote) -> Iterable[Observed]:
    """Rows of one entity: of two at one moment of a series the newer counts; others only add (4.5.5.3)."""
    slots: dict[_Slot, Observed] = {}
    rows = [row for row in local if row.entity_id == identifier]
    for entity in remote.equals.get(identifier, []):
        rows += _rows(entity, wish)
    for row in rows:
        known = slots.setdefault(_slot(row), row)
        if row.instance.get("modifiedAt", "") > known.instance.get("modifiedAt", ""):
            slots[_slot(row)] = row
    for entity in remote.supplements.get(identifier, []):
        slots = {**{_slot(row): row for row in _rows(entity, wish)}, **slots}
    return slots.values()


def _slot(row: Observed) -> _Slot:
    return row.attribute, row.instance.get("datasetId", ""), "deletedAt" in row.instance, row.moment


def _rows(entity: Entity, wish: Wish) -> Iterator[Observed]:
    for name, instances in entity.attributes.items():
        if wish.names and name not in wish.names:
            continue
        for instance in instances:
            moment = _moment(instance, wish)
            if moment is not None and _is_in(moment, wish.span):
                yield Observed(entity_id=entity.id, attribute=name, moment=moment, instance=instance)


def _moment(instance: Instance, wish: Wish) -> datetime | None:
    """The time meant; without a temporal query any time stands in for one that lacks (clause 5.7.3)."""
    names = (wish.timeproperty, *(_STAMPS if wish.span.whole else ()))
    text = next((instance[name] for name in names if name in instance), None)
    return None if text is None else parse_time(text)


def _is_in(moment: datetime, span: Span) -> bool:
    return (span.start is None or span.start <= moment) and (span.end is None or moment < span.end)


def horizon_of(wish: Wish, remote: Remote) -> datetime | None:
    """Moment up to which all is known where sources told a first part only (6.3.10); None if none did."""
    backwards = wish.most.last_n is not None
    ends = [
        max(moments) if not backwards else min(moments)
        for part in remote.partial
        if (moments := [row.moment for entity in part for row in _rows(entity, wish)])
    ]
    return (max(ends) if backwards else min(ends)) if ends else None


def too_much() -> TooManyResults:
    """The error for more instances than `MOST_INSTANCES`, or for more than a source has told."""
    return TooManyResults(
        f"more than {MOST_INSTANCES} attribute instances would have to be put together",
        field="timerel",
        cure="Ask for less time, or with local=true",
    )
