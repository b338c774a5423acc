"""What a request asks for: from here, and from sources that were asked before (`Call.remote`)."""

from collections.abc import Sequence

from machinami.api.call import Call
from machinami.federation import evolutions, reading
from machinami.federation.aggregating import aggregate
from machinami.federation.evolutions import Wish
from machinami.linkage import histories, read
from machinami.linkage.histories import Aggregated, FoundHistory, History
from machinami.linkage.read import Found, Page, Selection
from machinami.model import Entity
from machinami.ngsild.aggregation import Aggregation


def find_entity(call: Call, entity_id: str) -> Entity:
    """One entity by id.

    Raises:
        NotFound: nobody has it.
    """
    if call.remote is None:
        return read.retrieve_entity(call.services.engine, call.tenant, entity_id)
    return reading.retrieve(call.services.engine, call.tenant, entity_id, call.remote)


def find_entities(call: Call, selection: Selection, page: Page) -> Found:
    """A page of those that are selected."""
    if call.remote is None:
        return read.query_entities(call.services.engine, call.tenant, selection, page)
    remote = call.remote.among(selection.among) if selection.among else call.remote
    split = is_split(call)
    return reading.query(call.services.engine, call.tenant, selection, page, remote, split=split)


def is_split(call: Call) -> bool:
    """Whether an entity may be spread over several places (clause 4.3.6.7)."""
    if "splitEntities" in call.arguments:
        return call.arguments.flag("splitEntities")
    return call.services.settings.split_entities


def find_evolution(call: Call, entity_id: str, wish: Wish) -> History:
    """The evolution of one entity.

    Raises:
        NotFound: nobody has it.
    """
    engine = call.services.engine
    if call.remote is None:
        return histories.retrieve_temporal(engine, call.tenant, entity_id, wish.span, wish.names, wish.most)
    return evolutions.retrieve(engine, call.tenant, entity_id, wish, call.remote)


def find_evolutions(call: Call, selection: Selection, wish: Wish, page: Page) -> FoundHistory:
    """A page of the evolutions that are selected."""
    engine = call.services.engine
    if call.remote is None:
        return histories.query_temporal(
            engine, call.tenant, selection, wish.span, wish.most, page, wish.datasets
        )
    remote = call.remote.among(selection.among) if selection.among else call.remote
    return evolutions.query(engine, call.tenant, selection, wish, page, remote, split=is_split(call))


def find_evolution_ids(call: Call, selection: Selection, wish: Wish, limit: int) -> list[str]:
    """Ids of so many of the evolutions that `find_evolutions` would find."""
    if call.remote is None:
        return find_ids_here(call, wish, selection, limit)
    remote = call.remote.among(selection.among) if selection.among else call.remote
    ids, _ = evolutions.find_ids(
        call.services.engine, call.tenant, selection, wish, Page(limit=limit), remote, split=is_split(call)
    )
    return ids[:limit]


def find_ids_here(call: Call, wish: Wish, selection: Selection, limit: int) -> list[str]:
    """Ids of so many of the evolutions that are here."""
    return histories.temporal_ids(
        call.services.engine, call.tenant, selection, wish.span, wish.datasets, limit
    )


def find_aggregates(
    call: Call, found: Sequence[History], wish: Wish, wanted: Aggregation
) -> dict[str, list[Aggregated]]:
    """Aggregates of evolutions that were found, by the ids of their entities.

    Raises:
        TooManyResults: too much would have to be put together.
    """
    if not wish.apart:
        ids = [each.entity.id for each in found]
        return histories.aggregate_temporal(
            call.services.engine, call.tenant, ids, wish.names, wish.span, wanted
        )
    if any(each.extent for each in found):
        raise evolutions.too_much()
    return {each.entity.id: aggregate(each, wish.timeproperty, wish.span, wanted) for each in found}
