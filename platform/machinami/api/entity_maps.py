"""Resources entityMaps/, entityMaps/{entityMapId} and temporal/entityMaps/ (clauses 6.32, 6.34 and 6.35)."""

from starlette.responses import Response

from machinami.api import parameters
from machinami.api.answers import no_content, respond
from machinami.api.call import Call
from machinami.api.endpoint import Resource
from machinami.api.forms import read_form
from machinami.api.linked import check_depth, read_join
from machinami.api.mapped import HERE, Mapped, map_entities
from machinami.api.selections import read_query, read_selection
from machinami.api.temporal import map_temporal
from machinami.api.temporal_queries import read_temporal_body
from machinami.errors import BadRequestData
from machinami.linkage import entity_maps
from machinami.linkage.entity_maps import EntityMap
from machinami.linkage.read import EntitySelector
from machinami.model import format_time
from machinami.ngsild.times import parse_time

resource = Resource("Entity maps")

_MAP = "/entityMaps/{entityMapId:path}"
_MADE = {201: "The EntityMap; the header NGSILD-EntityMap says where it is"}
_OUTPUT = frozenset({"id", "entityMap", "linkedMaps"})


@resource.endpoint(
    "GET", "/entityMaps", clause="5.14.4, 6.34.3.1", parameters=parameters.QUERY_ENTITIES, answers=_MADE
)
def create_entity_map(call: Call) -> Response:
    """Create EntityMap for Query Entities."""
    return _create(call)


@resource.endpoint(
    "POST", "/entityMaps", clause="5.14.4, 6.34.3.2", parameters=parameters.QUERY_BY_POST, answers=_MADE
)
def create_entity_map_by_post(call: Call) -> Response:
    """Create EntityMap for Query Entities, with the query in the body (clause 5.2.23)."""
    return _create(call, read_query(call, call.document()))


@resource.endpoint(
    "GET",
    "/temporal/entityMaps",
    clause="5.14.5, 6.35.3.1",
    parameters=parameters.QUERY_TEMPORAL,
    answers=_MADE,
)
def create_temporal_entity_map(call: Call) -> Response:
    """Create EntityMap for Query Temporal Evolution of Entities."""
    return _made(call, map_temporal(call))


@resource.endpoint(
    "POST",
    "/temporal/entityMaps",
    clause="5.14.5, 6.35.3.2",
    parameters=parameters.QUERY_TEMPORAL_BY_POST,
    answers=_MADE,
)
def create_temporal_entity_map_by_post(call: Call) -> Response:
    """Create EntityMap for Query Temporal Evolution of Entities, with the query in the body."""
    return _made(call, map_temporal(call, read_temporal_body(call)))


@resource.endpoint(
    "GET", _MAP, clause="5.14.1, 6.32.3.1", answers={200: "The EntityMap", 404: "No such EntityMap"}
)
def retrieve_entity_map(call: Call) -> Response:
    """Retrieve EntityMap."""
    found = entity_maps.retrieve(call.services.engine, call.tenant, call.identifier("entityMapId"))
    return respond(call, _shown(found))


@resource.endpoint(
    "PATCH", _MAP, clause="5.14.2, 6.32.3.2", answers={204: "Updated", 404: "No such EntityMap"}
)
def update_entity_map(call: Call) -> Response:
    """Update EntityMap: when it expires; the rest is for reading only."""
    document, identifier = call.document(), call.identifier("entityMapId")
    others = document.keys() - _OUTPUT - {"expiresAt", "type"}
    if others or document.get("type", "EntityMap") != "EntityMap":
        field = min(others, default="type")
        raise BadRequestData("not an EntityMap", field=field, value=document[field], cure="Send expiresAt")
    if "expiresAt" in document:
        moment = parse_time(document["expiresAt"], "expiresAt")
        entity_maps.postpone(call.services.engine, call.tenant, identifier, moment)
    else:
        entity_maps.retrieve(call.services.engine, call.tenant, identifier)
    return no_content()


@resource.endpoint(
    "DELETE", _MAP, clause="5.14.3, 6.32.3.3", answers={204: "Deleted", 404: "No such EntityMap"}
)
def delete_entity_map(call: Call) -> Response:
    """Delete EntityMap."""
    entity_maps.delete(call.services.engine, call.tenant, call.identifier("entityMapId"))
    return no_content()


def _create(call: Call, selectors: list[EntitySelector] | None = None) -> Response:
    form = read_form(call)
    check_depth(read_join(call.arguments), form)
    return _made(call, map_entities(call, read_selection(call, form.needed, selectors or ()), anew=True))


def _made(call: Call, mapped: Mapped) -> Response:
    return respond(call, _shown(mapped.item), headers=mapped.headers, status=201)


def _shown(item: EntityMap) -> dict[str, object]:
    return {
        "id": item.id,
        "type": "EntityMap",
        "expiresAt": format_time(item.expires_at),
        "entityMap": {each: item.sources.get(each, [HERE]) for each in item.ids},
        "linkedMaps": {},
    }
