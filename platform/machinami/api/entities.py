"""Resources entities/, entities/{entityId}, …/attrs/ and …/attrs/{attrId} (clauses 6.4 to 6.7)."""

from starlette.responses import Response

from machinami.api import parameters
from machinami.api.answers import (
    ENTITY_MEDIA,
    created,
    no_content,
    page_headers,
    place_of,
    raised,
    read_page,
    respond,
    update_result,
)
from machinami.api.call import Call
from machinami.api.endpoint import Resource
from machinami.api.forms import Form, nothing_left, read_form, read_options
from machinami.api.linked import check_depth, joined, read_join
from machinami.api.negotiation import GEO_JSON
from machinami.api.selections import read_selection
from machinami.api.writing import delete_change, entity_change, fragment_changes
from machinami.errors import BadRequestData, NotFound
from machinami.linkage import read
from machinami.linkage.read import Found, Page
from machinami.linkage.types import has_types, parse_types
from machinami.model import Change, Entity, Instance, Operation
from machinami.ngsild.documents import read_attribute
from machinami.ngsild.terms import DEFAULT_INSTANCE

resource = Resource("Entities")


@resource.endpoint(
    "POST",
    "/entities",
    clause="5.6.1, 6.4.3.1",
    parameters=("local", "options", "format"),
    answers={201: "Created; Location says where", 409: "The id is taken"},
)
def create_entity(call: Call) -> Response:
    """Create Entity."""
    change = entity_change(call, call.document(), call.context, Operation.CREATE)
    raised(call.services.linkage.apply([change])[0])
    return created(place_of(change.entity_id))


@resource.endpoint(
    "GET",
    "/entities",
    clause="5.7.2, 6.4.3.2",
    parameters=parameters.QUERY_ENTITIES,
    pending=parameters.QUERY_ENTITIES_PENDING,
    offered=ENTITY_MEDIA,
    answers={200: "The matching entities, a page of them, ordered by id"},
)
def query_entities(call: Call) -> Response:
    """Query Entities."""
    form, page = read_form(call), read_page(call)
    check_depth(read_join(call.arguments), form)
    found = read.query_entities(call.services.engine, call.tenant, read_selection(call, form.needed), page)
    return entities_answer(call, form, found, page)


def entities_answer(call: Call, form: Form, found: Found, page: Page) -> Response:
    """A page of entities in the form asked for."""
    headers = page_headers(call, page, more=found.more, total=found.total)
    if call.accept == GEO_JSON:
        return respond(call, form.collection(found.entities), headers=headers)
    return respond(call, joined(call, form, found.entities, read_join(call.arguments)), headers=headers)


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
    operation = Operation.APPEND_ONLY if "noOverwrite" in words else Operation.APPEND
    return _write_fragment(call, operation)


@resource.endpoint(
    "PATCH",
    "/entities/{entityId:path}/attrs",
    clause="5.6.2, 6.6.3.2",
    parameters=parameters.WRITE,
    answers={204: "Updated", 207: "Some were left alone", 404: "No such entity"},
)
def update_attributes(call: Call) -> Response:
    """Update Attributes of an Entity."""
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
    fragments = read_attribute(call.path["attrId"], call.document(), call.context, partial=True)
    entity, name = _named_attribute(call)
    return _write_attribute(call, entity, name, fragments, Operation.PATCH)


@resource.endpoint(
    "PUT",
    "/entities/{entityId:path}/attrs/{attrId:path}",
    clause="5.6.19, 6.7.3.3",
    parameters=parameters.WRITE,
    answers={204: "Replaced", 404: "No such entity or attribute"},
)
def replace_attribute(call: Call) -> Response:
    """Attribute replacement."""
    instances = read_attribute(call.path["attrId"], call.document(), call.context)
    entity, name = _named_attribute(call)
    return _write_attribute(call, entity, name, instances)


@resource.endpoint(
    "DELETE",
    "/entities/{entityId:path}/attrs/{attrId:path}",
    clause="5.6.5, 6.7.3.2",
    parameters=(*parameters.WRITE, "datasetId", "deleteAll"),
    answers={204: "Deleted", 404: "No such entity or attribute"},
)
def delete_attribute(call: Call) -> Response:
    """Delete Attribute: its default instance, that of datasetId, or with deleteAll=true every one."""
    entity, name = _named_attribute(call)
    datasets = call.arguments.names("datasetId")
    instances = [
        {} if dataset == DEFAULT_INSTANCE else {"datasetId": dataset} for dataset in datasets or ["@none"]
    ]
    removed = {name: [] if call.arguments.flag("deleteAll") else instances}
    raised(call.services.linkage.apply([delete_change(call, entity.id, removed)])[0])
    return no_content()


@resource.endpoint(
    "GET",
    "/entities/{entityId:path}",
    clause="5.7.1, 6.5.3.1",
    parameters=parameters.RETRIEVE_ENTITY,
    pending=parameters.RETRIEVE_ENTITY_PENDING,
    offered=ENTITY_MEDIA,
    answers={200: "The entity", 404: "No such entity"},
)
def retrieve_entity(call: Call) -> Response:
    """Retrieve Entity."""
    form, join, entity = read_form(call), read_join(call.arguments), _target(call)
    check_depth(join, form)
    if form.needed and entity.attributes.keys().isdisjoint(form.needed):
        raise nothing_left(entity.id)
    if call.accept == GEO_JSON:
        return respond(call, form.feature(entity))
    answers = joined(call, form, [entity], join)
    if not answers[0]:
        raise nothing_left(entity.id)
    return respond(call, answers if join.how == "flat" else answers[0])


@resource.endpoint(
    "PUT",
    "/entities/{entityId:path}",
    clause="5.6.18, 6.5.3.3",
    parameters=(*parameters.WRITE, "options", "format"),
    answers={204: "Replaced", 404: "No such entity"},
)
def replace_entity(call: Call) -> Response:
    """Entity replacement."""
    document, entity = call.document(), _target(call)
    types = [call.context.compact(name) for name in entity.types]
    document = {"id": entity.id, "type": types, **document}
    change = entity_change(call, document, call.context, Operation.REPLACE)
    check_same_id(change.entity_id, entity.id)
    raised(call.services.linkage.apply([change])[0])
    return no_content()


@resource.endpoint(
    "DELETE",
    "/entities/{entityId:path}",
    clause="5.6.6, 6.5.3.2",
    parameters=parameters.WRITE,
    answers={204: "Deleted", 404: "No such entity"},
)
def delete_entity(call: Call) -> Response:
    """Delete Entity."""
    entity_id = _target(call).id if "type" in call.arguments else call.identifier("entityId")
    change = Change(entity_id=entity_id, operation=Operation.DELETE, tenant=call.tenant)
    raised(call.services.linkage.apply([change])[0])
    return no_content()


resource.pending("PATCH", "/entities/{entityId:path}", "5.6.17, 6.5.3.4", "Merge Entity")
resource.pending("DELETE", "/entities", "5.6.21, 6.4.3.3", "Purge Entities")


def check_same_id(given: str, path: str) -> None:
    """The id of a body is that of its path.

    Raises:
        BadRequestData: it is another.
    """
    if given != path:
        raise BadRequestData(
            "the body's id is not the path's", field="id", value=given, cure="Leave out id, or mend it"
        )


def _target(call: Call) -> Entity:
    """The entity that the path names, if it has the types that the parameter ``type`` selects."""
    entity = read.retrieve_entity(call.services.engine, call.tenant, call.identifier("entityId"))
    selected = (
        parse_types(call.arguments["type"], call.context.expand_type) if "type" in call.arguments else ()
    )
    if not has_types(entity.types, selected):
        raise read.entity_not_found(entity.id, call.tenant)
    return entity


def _named_attribute(call: Call) -> tuple[Entity, str]:
    entity, name = _target(call), call.context.expand(call.path["attrId"])
    if name not in entity.attributes:
        raise NotFound(f"{entity.id} has no attribute {call.path['attrId']}", field="attrId", value=name)
    return entity, name


def _write_attribute(
    call: Call, entity: Entity, name: str, instances: list[Instance], operation: Operation = Operation.UPDATE
) -> Response:
    change = Change(
        entity_id=entity.id, operation=operation, attributes={name: instances}, tenant=call.tenant
    )
    outcome = raised(call.services.linkage.apply([change])[0])
    if outcome.not_updated:  # removed since it was read
        raise NotFound(f"{entity.id} has no attribute {call.path['attrId']}", field="attrId", value=name)
    return no_content()


def _write_fragment(call: Call, operation: Operation) -> Response:
    entity_id = _target(call).id if "type" in call.arguments else call.identifier("entityId")
    changes = fragment_changes(call, entity_id, call.document(), call.context, operation)
    return update_result([raised(outcome) for outcome in call.services.linkage.apply(changes)])
