"""Documents of requests become changes."""

from collections.abc import Mapping
from typing import Any

from machinami.api.call import Call
from machinami.api.forms import REPRESENTATIONS, read_options
from machinami.errors import BadRequestData
from machinami.model import Change, Entity, Operation
from machinami.ngsild.context import Context
from machinami.ngsild.documents import read_entity, read_fragment
from machinami.ngsild.merging import Common, adapted
from machinami.ngsild.render import Representation
from machinami.ngsild.times import clean_time
from machinami.ngsild.values import check_language

NULLABLE = frozenset({Operation.UPDATE, Operation.MERGE_PATCH})
"""Operations whose fragments may delete by NGSI-LD Null (clauses 5.6.2 and 5.6.17)."""


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
        expires_at=entity.expires_at,
    )


def fragment_change(
    call: Call, entity_id: str, document: Mapping[str, Any], context: Context, operation: Operation
) -> Change:
    """A change from part of an entity.

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
    fragment = read_fragment(
        document,
        context,
        simplified=is_simplified(call),
        nulls=operation in NULLABLE,
        deep=operation is Operation.MERGE_PATCH,
    )
    return Change(
        entity_id=entity_id,
        operation=operation,
        types=fragment.types or (),
        attributes=fragment.attributes,
        scope=fragment.scope,
        expires_at=fragment.expires_at,
    )


def merge_change(call: Call, document: Mapping[str, Any], context: Context, entity: Entity) -> Change:
    """A merge patch (clause 5.6.17) of an entity as it is now: its kinds of attributes are kept.

    Raises:
        BadRequestData: it breaks a rule of the standard, or is about another entity.
    """
    arguments = call.arguments
    common = Common(
        simplified=is_simplified(call),
        lang=check_language(arguments["lang"], "lang") if "lang" in arguments else "",
        observed_at=clean_time(arguments["observedAt"], "observedAt") if "observedAt" in arguments else "",
    )
    document = adapted(document, entity.attributes, context, common)
    return fragment_change(call, entity.id, document, context, Operation.MERGE_PATCH)


def is_simplified(call: Call) -> bool:
    """Whether the body is said to be in the simplified representation; format counts before options."""
    words = read_options(call, (*REPRESENTATIONS, "noOverwrite", "update", "replace"))
    given = [REPRESENTATIONS[word] for word in words if word in REPRESENTATIONS]
    default = Representation.SIMPLIFIED if Representation.SIMPLIFIED in given else None
    return call.arguments.one_of("format", REPRESENTATIONS, default) is Representation.SIMPLIFIED
