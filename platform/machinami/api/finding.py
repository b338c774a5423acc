"""Entities that a request asks for: from here, and from sources that were asked before (`Call.remote`)."""

from machinami.api.call import Call
from machinami.federation import reading
from machinami.linkage import read
from machinami.linkage.read import Found, Page, Selection
from machinami.model import Entity


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
