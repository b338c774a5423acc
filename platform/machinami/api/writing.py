"""Documents of requests become changes."""

from typing import Any

from machinami.api.call import Call
from machinami.api.forms import REPRESENTATIONS, read_options
from machinami.errors import BadRequestData
from machinami.model import Attributes, Change, Instance, Operation
from machinami.ngsild.context import Context
from machinami.ngsild.documents import read_entity, read_fragment
from machinami.ngsild.render import Representation
from machinami.ngsild.terms import is_null


def entity_change(call: Call, document: dict[str, Any], context: Context, operation: Operation) -> Change:
    """A change from a whole entity.

    Raises:
        BadRequestData: it breaks a rule of the standard.
    """
    entity = read_entity(document, context, simplified=is_simplified(call))
    return Change(
        entity_id=entity.id,
        operation=operation,
        types=entity.types,
        attributes=entity.attributes,
        scope=entity.scope or None,
        tenant=call.tenant,
    )


def fragment_changes(
    call: Call, entity_id: str, document: dict[str, Any], context: Context, operation: Operation
) -> list[Change]:
    """Changes from part of an entity: one writes, a second removes NGSI-LD Nulls (clause 4.5.0).

    Raises:
        BadRequestData: it breaks a rule of the standard, or is about another entity.
    """
    if document.get("id", entity_id) != entity_id:
        raise BadRequestData(
            "the body's id is not the path's",
            field="id",
            value=document["id"],
            cure="Leave out id, or mend it",
        )
    types, scope, attributes = read_fragment(document, context, simplified=is_simplified(call))
    written, removed = _split(attributes)
    writing = Change(
        entity_id=entity_id,
        operation=operation,
        types=types or (),
        attributes=written,
        scope=scope,
        tenant=call.tenant,
    )
    return [writing, delete_change(call, entity_id, removed)] if removed else [writing]


def delete_change(call: Call, entity_id: str, attributes: Attributes) -> Change:
    """The removal of attributes; an empty list of instances means all of them."""
    operation = Operation.DELETE_ATTRIBUTE
    return Change(entity_id=entity_id, operation=operation, attributes=attributes, tenant=call.tenant)


def is_simplified(call: Call) -> bool:
    """Whether the body is said to be in the simplified representation."""
    words = read_options(call, (*REPRESENTATIONS, "noOverwrite", "update", "replace"))
    given = [
        call.arguments.one_of("format", REPRESENTATIONS, None),
        *(REPRESENTATIONS.get(word) for word in words),
    ]
    return Representation.SIMPLIFIED in given


def _split(attributes: Attributes) -> tuple[Attributes, Attributes]:
    written: Attributes = {}
    removed: Attributes = {}
    for name, instances in attributes.items():
        for instance in instances:
            home = removed if is_null(instance) else written
            home.setdefault(name, []).append(_bare(instance) if home is removed else instance)
    return written, removed


def _bare(instance: Instance) -> Instance:
    return {"datasetId": instance["datasetId"]} if "datasetId" in instance else {}
