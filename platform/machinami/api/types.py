"""Resources types/ and attributes/ (clauses 6.25 to 6.28): what there is."""

from typing import Any
from uuid import uuid4

from starlette.responses import Response

from machinami.api.answers import respond
from machinami.api.call import Call
from machinami.api.endpoint import Resource
from machinami.errors import NotFound
from machinami.linkage import read
from machinami.linkage.read import AttributeUse

resource = Resource("Types and attributes")


@resource.endpoint(
    "GET",
    "/types",
    clause="5.7.5, 5.7.6, 6.25.3.1",
    parameters=("details", "local"),
    answers={200: "EntityTypeList, or with details=true an array of EntityType"},
)
def list_types(call: Call) -> Response:
    """Retrieve Available Entity Types."""
    compact = call.context.compact
    if not call.arguments.flag("details"):
        names = sorted(compact(iri) for iri in read.types(call.services.engine, call.tenant))
        return respond(call, {"id": _list_id("EntityTypeList"), "type": "EntityTypeList", "typeList": names})
    described = read.type_attributes(call.services.engine, call.tenant)
    return respond(call, [_type(compact(iri), iri, map(compact, names)) for iri, names in described.items()])


@resource.endpoint(
    "GET",
    "/types/{type:path}",
    clause="5.7.7, 6.26.3.1",
    parameters=("local",),
    answers={200: "EntityTypeInfo", 404: "No entity has this type"},
)
def retrieve_type(call: Call) -> Response:
    """Retrieve Available Entity Type Information."""
    iri = call.context.expand_type(call.path["type"])
    count = read.types(call.services.engine, call.tenant).get(iri, 0)
    if not count:
        raise NotFound("no entity has this type", field="type", value=call.path["type"])
    uses = read.attributes(call.services.engine, call.tenant, type_name=iri)
    details = [_attribute(call, use) for use in uses]
    info = {"id": iri, "type": "EntityTypeInfo", "typeName": call.context.compact(iri), "entityCount": count}
    return respond(call, {**info, "attributeDetails": details})


@resource.endpoint(
    "GET",
    "/attributes",
    clause="5.7.8, 5.7.9, 6.27.3.1",
    parameters=("details", "local"),
    answers={200: "AttributeList, or with details=true an array of Attribute"},
)
def list_attributes(call: Call) -> Response:
    """Retrieve Available Attributes."""
    uses = read.attributes(call.services.engine, call.tenant)
    if call.arguments.flag("details"):
        return respond(call, [_listed(call, use) for use in uses])
    names = sorted(call.context.compact(use.name) for use in uses)
    return respond(call, {"id": _list_id("AttributeList"), "type": "AttributeList", "attributeList": names})


@resource.endpoint(
    "GET",
    "/attributes/{attrId:path}",
    clause="5.7.10, 6.28.3.1",
    parameters=("local",),
    answers={200: "Attribute", 404: "No entity has this attribute"},
)
def retrieve_attribute(call: Call) -> Response:
    """Retrieve Available Attribute Information."""
    name = call.context.expand(call.path["attrId"])
    uses = read.attributes(call.services.engine, call.tenant, name=name)
    if not uses:
        raise NotFound("no entity has this attribute", field="attrId", value=call.path["attrId"])
    described = {**_attribute(call, uses[0]), "typeNames": _type_names(call, uses[0])}
    return respond(call, {**described, "attributeCount": uses[0].count})


def _list_id(kind: str) -> str:
    return f"urn:ngsi-ld:{kind}:{uuid4()}"


def _type(name: str, iri: str, attributes: Any) -> dict[str, Any]:
    return {"id": iri, "type": "EntityType", "typeName": name, "attributeNames": sorted(attributes)}


def _attribute(call: Call, use: AttributeUse) -> dict[str, Any]:
    name = call.context.compact(use.name)
    return {"id": use.name, "type": "Attribute", "attributeName": name, "attributeTypes": list(use.kinds)}


def _listed(call: Call, use: AttributeUse) -> dict[str, Any]:
    """One of a list: without its kinds, which clause 5.7.9.4 leaves out there."""
    name = call.context.compact(use.name)
    return {"id": use.name, "type": "Attribute", "attributeName": name, "typeNames": _type_names(call, use)}


def _type_names(call: Call, use: AttributeUse) -> list[str]:
    return sorted(call.context.compact(iri) for iri in use.types)
