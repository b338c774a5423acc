"""Resources entities/{entityId}/attrs/ and …/attrs/{attrId} (clauses 6.6 and 6.7)."""

from starlette.responses import Response

from machinami.api import parameters
from machinami.api.answers import no_content, raised, update_result
from machinami.api.call import Call
from machinami.api.endpoint import Resource
from machinami.api.entities import target
from machinami.api.forms import read_options
from machinami.api.writing import fragment_change
from machinami.errors import BadRequestData
from machinami.linkage.draft import NO_SCOPE
from machinami.model import Attributes, Change, Instance, Operation
from machinami.ngsild.documents import read_attribute
from machinami.ngsild.terms import DEFAULT_INSTANCE

resource = Resource("Attributes of entities")


@resource.endpoint(
    "POST",
    "/entities/{entityId:path}/attrs",
    clause="5.6.3, 6.6.3.1",
    parameters=(*parameters.WRITE, "options"),
    answers={204: "Appended", 207: "Some were left alone", 404: "No such entity"},
)
def append_attributes(call: Call) -> Response:
    """Append Attributes to Entity; options=noOverwrite leaves existing ones alone."""
    words = read_options(call, ("noOverwrite",))
    return _write_fragment(call, Operation.APPEND_ONLY if "noOverwrite" in words else Operation.APPEND)


@resource.endpoint(
    "PATCH",
    "/entities/{entityId:path}/attrs",
    clause="5.6.2, 6.6.3.2",
    parameters=parameters.WRITE,
    answers={204: "Updated", 207: "The entity has no scope to update", 404: "No such entity"},
)
def update_attributes(call: Call) -> Response:
    """Update Attributes of an Entity: instances are replaced or added, urn:ngsi-ld:null deletes."""
    return _write_fragment(call, Operation.UPDATE)


@resource.endpoint(
    "PATCH",
    "/entities/{entityId:path}/attrs/{attrId:path}",
    clause="5.6.4, 6.7.3.1",
    parameters=parameters.WRITE,
    answers={204: "Updated", 404: "No such entity or attribute"},
)
def update_attribute(call: Call) -> Response:
    """Partial Attribute update: the members given replace those that are there."""
    return _write_attribute(call, _read_instances(call, partial=True), Operation.PATCH)


@resource.endpoint(
    "PUT",
    "/entities/{entityId:path}/attrs/{attrId:path}",
    clause="5.6.19, 6.7.3.3",
    parameters=parameters.WRITE,
    answers={204: "Replaced", 404: "No such entity or attribute"},
)
def replace_attribute(call: Call) -> Response:
    """Attribute replacement."""
    return _write_attribute(call, _read_instances(call), Operation.REPLACE_ATTRIBUTE)


@resource.endpoint(
    "DELETE",
    "/entities/{entityId:path}/attrs/{attrId:path}",
    clause="5.6.5, 6.7.3.2",
    parameters=(*parameters.WRITE, "datasetId", "deleteAll"),
    answers={204: "Deleted", 404: "No such entity or attribute"},
)
def delete_attribute(call: Call) -> Response:
    """Delete Attribute: its default instance, that of datasetId, or with deleteAll=true every one."""
    if call.path["attrId"] == "scope":
        return _apply(call, Change(entity_id=_entity_id(call), operation=_DELETION, scope=NO_SCOPE))
    datasets = call.arguments.names("datasetId") or [DEFAULT_INSTANCE]
    instances: list[Instance] = [
        {} if dataset == DEFAULT_INSTANCE else {"datasetId": dataset} for dataset in datasets
    ]
    removed = [] if call.arguments.flag("deleteAll") else instances
    return _write_attribute(call, removed, _DELETION)


_DELETION = Operation.DELETE_ATTRIBUTE


def _entity_id(call: Call) -> str:
    """The entity of the path, looked at beforehand only if it is to be of a type."""
    return target(call).id if "type" in call.arguments else call.identifier("entityId")


def _read_instances(call: Call, *, partial: bool = False) -> list[Instance]:
    name = call.path["attrId"]
    if name == "scope":
        raise BadRequestData(
            "scope is no attribute that can be written alone",
            field="attrId",
            value=name,
            cure="Write it with the entity, or PATCH …/attrs",
        )
    return read_attribute(name, call.document(), call.context, partial=partial)


def _write_attribute(call: Call, instances: list[Instance], operation: Operation) -> Response:
    attributes: Attributes = {call.context.expand(call.path["attrId"]): instances}
    return _apply(call, Change(entity_id=_entity_id(call), operation=operation, attributes=attributes))


def _apply(call: Call, change: Change) -> Response:
    raised(call.apply([change])[0])
    return no_content()


def _write_fragment(call: Call, operation: Operation) -> Response:
    change = fragment_change(call, _entity_id(call), call.document(), call.context, operation)
    return update_result(raised(call.apply([change])[0]))
