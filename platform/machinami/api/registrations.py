"""Resources csourceRegistrations/ and csourceRegistrations/{registrationId} (clauses 6.8 and 6.9)."""

from collections.abc import Iterator
from uuid import uuid4

from starlette.responses import Response

from machinami.api.answers import created, no_content, page_headers, read_page, respond
from machinami.api.call import Call
from machinami.api.endpoint import Resource
from machinami.api.forms import read_options
from machinami.api.parameters import GEO_QUERY, PAGE
from machinami.api.registration_documents import read_change, read_registration
from machinami.api.selections import read_selection
from machinami.errors import BadRequestData
from machinami.federation import registering
from machinami.federation.discovery import SourceSelection
from machinami.federation.matching import Wanted
from machinami.federation.showing import show_registration
from machinami.linkage.read import Selection
from machinami.ngsild.q import parse_q
from machinami.ngsild.query import And, Linked, Node, Or
from machinami.ngsild.temporal import TemporalQuery, parse_temporal
from machinami.ngsild.terms import check_uri

resource = Resource("Context source registrations")

_TEMPORAL = ("timerel", "timeAt", "endTimeAt", "timeproperty")
_QUERY = (
    "type", "id", "idPattern", "attrs", "q", "csf", "scopeQ", *GEO_QUERY, *_TEMPORAL, *PAGE,
    "options", "local",
)  # fmt: skip
_NARROWING = ("type", "attrs", "q", "georel", "id")
_ANSWERS = {404: "No such registration", 409: "Another registration or an entity stands against it"}


@resource.endpoint(
    "POST",
    "/csourceRegistrations",
    clause="5.9.2, 6.8.3.1",
    parameters=("local",),
    answers={201: "Registered; Location says where", 409: "The id is taken, or " + _ANSWERS[409].lower()},
)
def create_registration(call: Call) -> Response:
    """Register Context Source."""
    document = call.document()
    stored = read_registration(document, call.context)
    given = document.get("id")
    identifier = (
        f"urn:ngsi-ld:ContextSourceRegistration:{uuid4()}" if given is None else check_uri(given, "id")
    )
    registering.create_registration(call.services.engine, call.tenant, identifier, stored)
    call.services.sources.reload()
    return created(f"/csourceRegistrations/{identifier}")


@resource.endpoint(
    "GET",
    "/csourceRegistrations",
    clause="5.10.2, 6.8.3.2",
    parameters=_QUERY,
    answers={200: "Registrations of sources that may tell, a page of them, ordered by id"},
)
def query_registrations(call: Call) -> Response:
    """Query Context Source Registrations."""
    page, sys_attrs = read_page(call), _sys_attrs(call)
    found = registering.query_registrations(call.services.engine, call.tenant, _selection(call), page)
    shown = [show_registration(each, call.context, sys_attrs=sys_attrs) for each in found.registrations]
    return respond(call, shown, headers=page_headers(call, page, more=found.more, total=found.total))


@resource.endpoint(
    "GET",
    "/csourceRegistrations/{registrationId:path}",
    clause="5.10.1, 6.9.3.1",
    parameters=("options", "local"),
    answers={200: "The registration", 404: _ANSWERS[404]},
)
def retrieve_registration(call: Call) -> Response:
    """Retrieve Context Source Registration."""
    identifier = call.identifier("registrationId")
    stored = registering.retrieve_registration(call.services.engine, call.tenant, identifier)
    return respond(call, show_registration(stored, call.context, sys_attrs=_sys_attrs(call)))


@resource.endpoint(
    "PATCH",
    "/csourceRegistrations/{registrationId:path}",
    clause="5.9.3, 6.9.3.2",
    parameters=("local",),
    answers={204: "Updated", **_ANSWERS},
)
def update_registration(call: Call) -> Response:
    """Update Context Source Registration: members given replace those there; urn:ngsi-ld:null removes one."""
    identifier = call.identifier("registrationId")
    change = read_change(call.document(), call.context)
    registering.update_registration(call.services.engine, call.tenant, identifier, change)
    call.services.sources.reload()
    return no_content()


@resource.endpoint(
    "DELETE",
    "/csourceRegistrations/{registrationId:path}",
    clause="5.9.4, 6.9.3.3",
    parameters=("local",),
    answers={204: "Deleted", 404: _ANSWERS[404]},
)
def delete_registration(call: Call) -> Response:
    """Delete Context Source Registration."""
    registering.delete_registration(call.services.engine, call.tenant, call.identifier("registrationId"))
    call.services.sources.reload()
    return no_content()


def _sys_attrs(call: Call) -> bool:
    return "sysAttrs" in read_options(call, ("sysAttrs",))


def _selection(call: Call) -> SourceSelection:
    """What the parameters ask for; names in q narrow it as attrs do (clause 5.10.2.4)."""
    arguments, context = call.arguments, call.context
    if not any(name in arguments for name in _NARROWING):
        raise BadRequestData(
            "the query is too wide", field="type", cure="Give at least one of type, attrs, q, georel"
        )
    named = [context.expand(name) for name in arguments.names("attrs")]
    selection = read_selection(call, named)
    return SourceSelection(
        wanted=Wanted(selectors=selection.selectors, attributes=_attributes(selection)),
        geo=selection.geo,
        temporal=_temporal(call),
        csf=parse_q(arguments["csf"], context) if "csf" in arguments else None,
        scopes=selection.scopes,
    )


def _attributes(selection: Selection) -> frozenset[str]:
    queried = _names(selection.q) if selection.q else ()
    return frozenset(selection.attributes).union(queried)


def _names(node: Node) -> Iterator[str]:
    if isinstance(node, And | Or):
        for each in node.nodes:
            yield from _names(each)
    elif isinstance(node, Linked):
        yield node.relationship
    else:
        yield node.path.attribute


def _temporal(call: Call) -> TemporalQuery | None:
    if "timerel" not in call.arguments and "timeAt" not in call.arguments:
        return None
    return parse_temporal(*(call.arguments.get(name) for name in _TEMPORAL))
