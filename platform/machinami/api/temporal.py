"""Resources temporal/entities/ and temporal/entities/{entityId} (clauses 6.18 and 6.19)."""

from typing import Any

from starlette.responses import Response

from machinami.api import parameters
from machinami.api.answers import page_headers, read_page, respond
from machinami.api.call import Call
from machinami.api.endpoint import Resource
from machinami.api.forms import Form, read_form
from machinami.api.selections import read_selection
from machinami.errors import BadRequestData, NotSupported
from machinami.linkage import read
from machinami.linkage.read import History, Span
from machinami.model import Attributes, format_time
from machinami.ngsild.render import render_temporal
from machinami.ngsild.temporal import TemporalQuery, parse_temporal
from machinami.ngsild.terms import DEFAULT_INSTANCE

resource = Resource("Temporal evolution")

_EVOLUTION = "/temporal/entities/{entityId:path}"
_INSTANCE = _EVOLUTION + "/attrs/{attrId}/{instanceId}"
_FORMS = ("temporalValues", "aggregatedValues")
_RECORDED = frozenset({"createdAt", "modifiedAt"})
_ANSWERS = {206: "As 200, but cut off: Content-Range says where", 404: "No such entity"}


@resource.endpoint(
    "GET",
    "/temporal/entities",
    clause="5.7.4, 6.18.3.2",
    parameters=parameters.QUERY_TEMPORAL,
    pending=parameters.QUERY_TEMPORAL_PENDING,
    answers={200: "Evolutions of the matching entities, a page of them, ordered by id", 206: _ANSWERS[206]},
)
def query_temporal(call: Call) -> Response:
    """Query Temporal Evolution of Entities."""
    form, query, page = _read_form(call), _read_temporal(call), read_page(call)
    if query.timerel is None:
        raise BadRequestData(
            "a temporal query is needed",
            field="timerel",
            cure="Give timerel and timeAt, such as timerel=before",
        )
    selection = read_selection(call, form.needed or tuple(form.attributes or ()))
    found = read.query_temporal(
        call.services.engine, call.tenant, selection, _span(query), query.last_n, page
    )
    headers = page_headers(call, page, more=found.more, total=found.total)
    evolutions = [_evolution(call, form, query, history) for history in found.histories]
    return _answer(call, evolutions, found.histories, query, headers)


@resource.endpoint(
    "GET",
    "/temporal/entities/{entityId:path}",
    clause="5.7.3, 6.19.3.1",
    parameters=parameters.RETRIEVE_TEMPORAL,
    pending=parameters.RETRIEVE_TEMPORAL_PENDING,
    answers={200: "The entity's evolution", **_ANSWERS},
)
def retrieve_temporal(call: Call) -> Response:
    """Retrieve Temporal Evolution of an Entity."""
    form, query, entity_id = _read_form(call), _read_temporal(call), call.identifier("entityId")
    names = form.needed or tuple(form.attributes or ())
    history = read.retrieve_temporal(
        call.services.engine, call.tenant, entity_id, _span(query), names, query.last_n
    )
    return _answer(call, _evolution(call, form, query, history), [history], query, {})


for _method, _path, _clause, _summary in (
    ("POST", "/temporal/entities", "5.6.11, 6.18.3.1", "Create or Update Temporal Evolution"),
    ("DELETE", _EVOLUTION, "5.6.16, 6.19.3.2", "Delete Temporal Evolution"),
    ("POST", _EVOLUTION + "/attrs", "5.6.12, 6.20.3.1", "Add Attributes to Temporal Evolution"),
    ("DELETE", _EVOLUTION + "/attrs/{attrId}", "5.6.13, 6.21.3.1", "Delete Temporal Attribute"),
    ("PATCH", _INSTANCE, "5.6.14, 6.22.3.1", "Modify Attribute Instance"),
    ("DELETE", _INSTANCE, "5.6.15, 6.22.3.2", "Delete Attribute Instance"),
    ("POST", "/temporal/entityOperations/query", "5.7.4, 6.24.3.1", "Query Temporal Evolution by POST"),
):  # fmt: skip
    resource.pending(_method, _path, _clause, _summary)


def _read_form(call: Call) -> Form:
    """The form; aggregation is of the standard but not here yet."""
    if "aggregatedValues" in (call.arguments.get("format"), *call.arguments.names("options")):
        raise NotSupported(
            "aggregated temporal representation (clause 4.5.19) is not implemented yet",
            field="format",
            value="aggregatedValues",
            cure="Ask for temporalValues and aggregate them",
        )
    return read_form(call, _FORMS)


def _is_simplified(call: Call) -> bool:
    return "temporalValues" in (call.arguments.get("format"), *call.arguments.names("options"))


def _read_temporal(call: Call) -> TemporalQuery:
    names = ("timerel", "timeAt", "endTimeAt", "timeproperty", "lastN")
    query = parse_temporal(*(call.arguments.get(name) for name in names))
    if query.timeproperty not in ("observedAt", *_RECORDED):
        raise NotSupported(
            f"timeproperty {query.timeproperty} is not implemented yet",
            field="timeproperty",
            value=query.timeproperty,
            cure="Use observedAt, createdAt or modifiedAt",
        )
    return query


def _span(query: TemporalQuery) -> Span:
    # Without temporal query every instance is meant, also one that was never observed (clause 5.7.3).
    by_record = query.timeproperty in _RECORDED
    return Span(start=query.start, end=query.end, by_record=by_record, whole=query.timerel is None)


def _evolution(call: Call, form: Form, query: TemporalQuery, history: History) -> dict[str, Any]:
    simplified = _is_simplified(call)
    answer = render_temporal(
        history.entity.id,
        history.entity.types,
        _shown(history.attributes, form),
        call.context,
        temporal_values=simplified,
        timeproperty=query.timeproperty,
        sys_attrs=form.sys_attrs or simplified,
        lang=form.lang,
    )
    return {name: value for name, value in answer.items() if name not in form.hidden}


def _shown(attributes: Attributes, form: Form) -> Attributes:
    kept = {name: instances for name, instances in attributes.items() if name not in form.omitted}
    wanted = form.datasets
    if wanted is None:
        return kept
    return {
        name: [each for each in instances if each.get("datasetId", DEFAULT_INSTANCE) in wanted]
        for name, instances in kept.items()
    }


def _answer(
    call: Call, payload: Any, histories: list[History], query: TemporalQuery, headers: dict[str, str]
) -> Response:
    """200, or 206 with the range that a partial answer holds (clause 6.3.10)."""
    extent = next((history.extent for history in histories if history.extent), None)
    if extent is None:
        return respond(call, payload, headers=headers)
    start = (query.end if query.last_n else query.start) or extent[0]
    span = f"DateTime {format_time(start)}-{format_time(extent[1])}/{query.last_n or '*'}"
    return respond(call, payload, headers={**headers, "Content-Range": span}, status=206)
