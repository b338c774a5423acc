"""Resources entities/ and entities/{entityId} (clauses 6.4 and 6.5)."""

from starlette.responses import Response

from machinami.api import parameters
from machinami.api.answers import (
    ALTERED,
    ENTITY_MEDIA,
    created,
    no_content,
    page_headers,
    place_of,
    raised,
    read_page,
    respond,
)
from machinami.api.call import Call
from machinami.api.endpoint import Resource
from machinami.api.finding import find_entities, find_entity
from machinami.api.forms import Form, conformance, nothing_left, read_form
from machinami.api.linked import check_depth, read_join, with_linked
from machinami.api.mapped import find_mapped, is_wanted, map_entities, map_entity
from machinami.api.negotiation import GEO_JSON
from machinami.api.purging import narrow_purge, read_projection
from machinami.api.selections import read_selection
from machinami.api.writing import entity_change, merge_change
from machinami.errors import BadRequestData
from machinami.linkage import read
from machinami.linkage.purging import purge
from machinami.linkage.read import Page, Selection
from machinami.linkage.types import has_types, parse_types
from machinami.model import Change, Entity, Operation

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
    raised(call.apply([change])[0])
    return created(place_of(change.entity_id))


@resource.endpoint(
    "GET",
    "/entities",
    clause="5.7.2, 6.4.3.2",
    parameters=parameters.QUERY_ENTITIES,
    offered=ENTITY_MEDIA,
    answers={
        200: "The matching entities, a page of them, ordered by id",
        201: "So, and a new EntityMap",
        203: ALTERED,
    },
)
def query_entities(call: Call) -> Response:
    """Query Entities."""
    form, page = read_form(call), read_page(call)
    check_depth(read_join(call.arguments), form)
    return entities_answer(call, form, read_selection(call, form.needed), page)


def entities_answer(call: Call, form: Form, selection: Selection, page: Page) -> Response:
    """A page of the entities of a selection, or of an EntityMap of it, in the form asked for."""
    mapped = map_entities(call, selection) if is_wanted(call) else None
    found = (
        find_mapped(call, selection, page, mapped.item) if mapped else find_entities(call, selection, page)
    )
    headers = page_headers(call, page, more=found.more, total=found.total)
    if call.accept == GEO_JSON:
        answer = form.collection(found.entities)
    else:
        answer = with_linked(call, form, found.entities, read_join(call.arguments))
    status = mapped.status if mapped else 200
    applied, status = conformance(form, found.entities, status)
    headers |= (mapped.headers if mapped else {}) | applied
    return respond(call, answer, headers=headers, status=status)


@resource.endpoint(
    "GET",
    "/entities/{entityId:path}",
    clause="5.7.1, 6.5.3.1",
    parameters=parameters.RETRIEVE_ENTITY,
    offered=ENTITY_MEDIA,
    answers={200: "The entity", 203: ALTERED, 404: "No such entity"},
)
def retrieve_entity(call: Call) -> Response:
    """Retrieve Entity."""
    form, join, entity = read_form(call), read_join(call.arguments), target(call)
    check_depth(join, form)
    if form.needed and entity.attributes.keys().isdisjoint(form.needed):
        raise nothing_left(entity.id)
    answers = [] if call.accept == GEO_JSON else with_linked(call, form, [entity], join)
    if answers and not answers[0]:
        raise nothing_left(entity.id)
    headers = map_entity(call, entity.id).headers if is_wanted(call) else {}
    if call.accept == GEO_JSON:
        return respond(call, form.feature(entity), headers=headers)
    applied, status = conformance(form, [entity], 200)
    answer = answers if join.how == "flat" else answers[0]
    return respond(call, answer, headers={**headers, **applied}, status=status)


@resource.endpoint(
    "PUT",
    "/entities/{entityId:path}",
    clause="5.6.18, 6.5.3.3",
    parameters=(*parameters.WRITE, "options", "format"),
    answers={204: "Replaced", 404: "No such entity"},
)
def replace_entity(call: Call) -> Response:
    """Entity replacement."""
    document, entity = call.document(), target(call)
    types = [call.context.compact(name) for name in entity.types]
    document = {"id": entity.id, "type": types, **document}
    change = entity_change(call, document, call.context, Operation.REPLACE)
    check_same_id(change.entity_id, entity.id)
    raised(call.apply([change])[0])
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
    entity_id = target(call).id if "type" in call.arguments else call.identifier("entityId")
    raised(call.apply([Change(entity_id=entity_id, operation=Operation.DELETE)])[0])
    return no_content()


@resource.endpoint(
    "PATCH",
    "/entities/{entityId:path}",
    clause="5.6.17, 6.5.3.4",
    parameters=(*parameters.WRITE, "options", "format", "lang", "observedAt"),
    answers={204: "Merged", 404: "No such entity"},
)
def merge_entity(call: Call) -> Response:
    """Merge Entity: to any depth; what is urn:ngsi-ld:null goes."""
    change = merge_change(call, call.document(), call.context, target(call))
    raised(call.apply([change])[0])
    return no_content()


@resource.endpoint(
    "DELETE",
    "/entities",
    clause="5.6.21, 6.4.3.3",
    parameters=parameters.PURGE,
    answers={204: "Deleted"},
)
def purge_entities(call: Call) -> Response:
    """Purge Entities: delete those that a query finds, or with drop or keep only attributes of them."""
    projection = read_projection(call)
    narrow_purge(call.arguments)
    selection = read_selection(call, [call.context.expand(name) for name in call.arguments.names("attrs")])
    purge(call.services.linkage, call.services.engine, call.tenant, selection, projection)
    return no_content()


def check_same_id(given: str, path: str) -> None:
    """The id of a body is that of its path.

    Raises:
        BadRequestData: it is another.
    """
    if given != path:
        raise BadRequestData(
            "the body's id is not the path's", field="id", value=given, cure="Leave out id, or mend it"
        )


def target(call: Call) -> Entity:
    """The entity that the path names, if it has the types that the parameter ``type`` selects."""
    entity = find_entity(call, call.identifier("entityId"))
    selected = (
        parse_types(call.arguments["type"], call.context.expand_type) if "type" in call.arguments else ()
    )
    if not has_types(entity.types, selected):
        raise read.entity_not_found(entity.id, call.tenant)
    return entity
