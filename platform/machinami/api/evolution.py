"""Resources temporal/entities/ and those below it, written (clauses 6.18 to 6.22)."""

from urllib.parse import quote

from msgspec.structs import replace
from starlette.responses import Response

from machinami.api import parameters
from machinami.api.answers import created, no_content, raised
from machinami.api.call import Call
from machinami.api.endpoint import Resource
from machinami.errors import BadRequestData
from machinami.linkage import evolution
from machinami.model import Attributes, Change, Operation
from machinami.ngsild.documents import read_attribute, read_history_fragment, read_temporal
from machinami.ngsild.terms import DEFAULT_INSTANCE, SCOPE, check_uri

resource = Resource("Temporal evolution")

_EVOLUTION = "/temporal/entities/{entityId:path}"
_ATTRIBUTE = _EVOLUTION + "/attrs/{attrId:name}"
_INSTANCE = _ATTRIBUTE + "/{instanceId}"


@resource.endpoint(
    "POST",
    "/temporal/entities",
    clause="5.6.11, 6.18.3.1",
    parameters=("local",),
    answers={201: "Created; Location says where", 204: "Added to what was recorded"},
)
def upsert_evolution(call: Call) -> Response:
    """Create or Update (Upsert) Temporal Evolution of an Entity."""
    entity = read_temporal(call.document(), call.context)
    change = replace(
        _change(call, entity.id, Operation.MERGE, entity.types, entity.scope, entity.attributes),
        expires_at=entity.expires_at,
    )
    new = not evolution.is_recorded(call.services.engine, call.tenant, entity.id)
    raised(call.services.linkage.apply([change])[0])
    return created(f"/temporal/entities/{quote(entity.id, safe=':')}") if new else no_content()


@resource.endpoint(
    "DELETE",
    _EVOLUTION,
    clause="5.6.16, 6.19.3.2",
    parameters=parameters.WRITE,
    answers={204: "Deleted", 404: "Nothing of it is recorded"},
)
def delete_evolution(call: Call) -> Response:
    """Delete Temporal Evolution of an Entity; its current state stays."""
    evolution.delete(call.services.engine, call.tenant, call.identifier("entityId"))
    return no_content()


@resource.endpoint(
    "POST",
    _EVOLUTION + "/attrs",
    clause="5.6.12, 6.20.3.1",
    parameters=parameters.WRITE,
    answers={204: "Added", 404: "No such entity"},
)
def add_temporal_attributes(call: Call) -> Response:
    """Add Attributes to Temporal Evolution of an Entity."""
    entity_id = call.identifier("entityId")
    given = read_history_fragment(call.document(), call.context)
    change = _change(
        call, entity_id, Operation.APPEND, given.types or (), given.scope or (), given.attributes
    )
    raised(call.services.linkage.apply([change])[0])
    return no_content()


def _change(
    call: Call,
    entity_id: str,
    operation: Operation,
    types: tuple[str, ...],
    scope: tuple[str, ...],
    attributes: Attributes,
) -> Change:
    """What was recorded elsewhere, as a change; of past scopes the newest is current."""
    past = sorted(attributes.get(SCOPE, []), key=lambda instance: instance["observedAt"])
    return Change(
        entity_id=entity_id,
        operation=operation,
        types=types,
        attributes={name: each for name, each in attributes.items() if name != SCOPE},
        scope=scope or None,
        scope_history=tuple(past),
        tenant=call.tenant,
        only_newer=True,
    )


@resource.endpoint(
    "DELETE",
    _ATTRIBUTE,
    clause="5.6.13, 6.21.3.1",
    parameters=(*parameters.WRITE, "datasetId", "deleteAll"),
    answers={204: "Deleted", 404: "Nothing of it is recorded"},
)
def delete_temporal_attribute(call: Call) -> Response:
    """Delete Attribute from Temporal Evolution of an Entity."""
    entity_id, name = call.identifier("entityId"), call.context.expand(call.path["attrId"])
    dataset = call.arguments.get("datasetId", DEFAULT_INSTANCE)
    if call.arguments.flag("deleteAll"):
        if "datasetId" in call.arguments:
            raise BadRequestData(
                "deleteAll and datasetId contradict each other", field="datasetId", value=dataset
            )
        datasets = None
    else:
        datasets = [""] if dataset == DEFAULT_INSTANCE else [check_uri(dataset, "datasetId")]
    evolution.delete_attribute(call.services.engine, call.tenant, entity_id, name, datasets)
    return no_content()


@resource.endpoint(
    "PATCH",
    _INSTANCE,
    clause="5.6.14, 6.22.3.1",
    parameters=parameters.WRITE,
    answers={204: "Modified", 404: "No such instance"},
)
def modify_attribute_instance(call: Call) -> Response:
    """Modify Attribute instance in Temporal Evolution of an Entity; it keeps its identifier."""
    name = call.path["attrId"]
    document = call.document()
    # The clause has the instance in an array under its attribute's name; alone is taken too.
    fragments = read_attribute(name, document.get(name, document), call.context, partial=True)
    if len(fragments) != 1:
        raise BadRequestData("the body is not one attribute instance", field=name, cure="Send one object")
    evolution.modify_instance(call.services.engine, call.tenant, *_instance(call), fragments[0])
    return no_content()


@resource.endpoint(
    "DELETE",
    _INSTANCE,
    clause="5.6.15, 6.22.3.2",
    parameters=parameters.WRITE,
    answers={204: "Deleted", 404: "No such instance"},
)
def delete_attribute_instance(call: Call) -> Response:
    """Delete Attribute instance from Temporal Evolution of an Entity."""
    evolution.delete_instance(call.services.engine, call.tenant, *_instance(call))
    return no_content()


def _instance(call: Call) -> tuple[str, str, str]:
    entity_id, name = call.identifier("entityId"), call.context.expand(call.path["attrId"])
    return entity_id, name, call.identifier("instanceId")
