"""Resources temporal/entities/ and temporal/entities/{entityId} (clauses 6.18 and 6.19)."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace
from starlette.responses import Response

from machinami.api import parameters
from machinami.api.answers import page_headers, read_page, respond
from machinami.api.call import Call
from machinami.api.endpoint import Resource
from machinami.api.forms import Form, nothing_left, read_form
from machinami.api.mapped import Mapped, is_wanted, map_entity, map_evolutions, walk
from machinami.api.selections import read_query, read_selection
from machinami.errors import BadRequestData, InvalidRequest
from machinami.linkage import histories
from machinami.linkage.entity_maps import EntityMap
from machinami.linkage.histories import Aggregated, FoundHistory, History, Most, Span, rendered
from machinami.linkage.read import EntitySelector, Page, Selection
from machinami.model import Attributes, Entity, format_time
from machinami.ngsild.aggregation import Aggregation, parse_aggregation
from machinami.ngsild.render import render_temporal
from machinami.ngsild.temporal import TemporalQuery, parse_temporal
from machinami.ngsild.terms import DEFAULT_INSTANCE, SCOPE

resource = Resource("Temporal evolution")

_VALUES, _AGGREGATED = "temporalValues", "aggregatedValues"
_FORMS = (_VALUES, _AGGREGATED)
_UNIT = "date-time"  # as ETSI's test suite has it; the text of clause 6.3.10 says DateTime
_DELETED = "deletedAt"
_RECORDED = frozenset({"createdAt", "modifiedAt", _DELETED})
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
    return _query(call)


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A query over evolutions, read."""

    form: Form
    query: TemporalQuery
    selection: Selection
    datasets: frozenset[str]


def _read_query(call: Call, selectors: Sequence[EntitySelector]) -> _Asked:
    form, query = _read_form(call), _read_temporal(call)
    if query.timerel is None:
        raise BadRequestData(
            "a temporal query is needed",
            field="timerel",
            cure="Give timerel and timeAt, such as timerel=before",
        )
    selection = read_selection(call, form.needed, selectors)
    if any(term.attribute != "id" for term in selection.order):
        raise BadRequestData(
            "evolutions can be ordered by id only (clause 5.7.4.4)",
            field="orderBy",
            value=call.arguments["orderBy"],
            cure="Write orderBy=id or orderBy=id;desc",
        )
    return _Asked(
        form=form,
        query=query,
        selection=selection,
        datasets=frozenset("" if name == DEFAULT_INSTANCE else name for name in form.datasets or ()),
    )


def map_temporal(call: Call, selectors: Sequence[EntitySelector] = ()) -> Mapped:
    """A new EntityMap of a query over evolutions.

    Raises:
        BadRequestData: it is none.
    """
    return _map(call, _read_query(call, selectors), anew=True)


def find_evolutions(
    call: Call, selectors: Sequence[EntitySelector], limit: int
) -> tuple[list[str], tuple[str, ...], Span]:
    """What a query over evolutions is about: ids of so many entities, names of attributes, span of time.

    Raises:
        BadRequestData: it is none.
    """
    asked = _read_query(call, selectors)
    names = tuple(asked.form.attributes or asked.form.needed)
    return _find_ids(call, asked, asked.selection, limit), names, _span(asked.query)


def _map(call: Call, asked: _Asked, *, anew: bool = False) -> Mapped:
    return map_evolutions(call, asked.selection, partial(_find_ids, call, asked), anew=anew)


def _find_ids(call: Call, asked: _Asked, selection: Selection, limit: int) -> list[str]:
    span, engine = _span(asked.query), call.services.engine
    return histories.temporal_ids(engine, call.tenant, selection, span, asked.datasets, limit)


def _find(call: Call, asked: _Asked, page: Page) -> FoundHistory:
    span, most = _span(asked.query), _most(call, asked.query)
    engine, selection = call.services.engine, asked.selection
    return histories.query_temporal(engine, call.tenant, selection, span, most, page, asked.datasets)


def _find_mapped(call: Call, asked: _Asked, page: Page, item: EntityMap) -> FoundHistory:
    """A page of the evolutions of an EntityMap."""

    def load(ids: Sequence[str]) -> dict[str, str]:
        some = replace(asked.selection, among=tuple(ids))
        return {each: each for each in _find_ids(call, asked, some, len(ids))}

    ids, part = walk(call, item, page, load)
    total = part.total if page.count else None
    if not ids:
        return FoundHistory(histories=[], more=part.more, total=total)
    asked = replace(asked, selection=replace(asked.selection, among=tuple(ids)))
    return replace(_find(call, asked, Page(limit=len(ids))), more=part.more, total=total)


def _query(call: Call, selectors: Sequence[EntitySelector] = ()) -> Response:
    asked, page = _read_query(call, selectors), read_page(call)
    form, query = asked.form, asked.query
    mapped = _map(call, asked) if is_wanted(call) else None
    found = _find_mapped(call, asked, page, mapped.item) if mapped else _find(call, asked, page)
    headers = page_headers(call, page, more=found.more, total=found.total)
    if mapped:
        headers |= mapped.headers
    status = mapped.status if mapped else 200
    if _shape(call) == _AGGREGATED:
        entities = [history.entity for history in found.histories]
        return respond(call, _aggregates(call, form, query, entities), headers=headers, status=status)
    evolutions = [_evolution(call, form, query, history) for history in found.histories]
    return _answer(call, evolutions, found.histories, query, headers, status)


@resource.endpoint(
    "POST",
    "/temporal/entityOperations/query",
    clause="5.7.4, 6.24.3.1",
    parameters=parameters.QUERY_TEMPORAL_BY_POST,
    answers={200: "Evolutions of the matching entities, a page of them, ordered by id", 206: _ANSWERS[206]},
)
def query_temporal_by_post(call: Call) -> Response:
    """Query Temporal Evolution of Entities, with the query in the body (clause 5.2.23)."""
    selectors = read_query(call, call.document(), temporal=True)
    if "aggrMethods" in call.arguments and not _shape(call):
        call.arguments["format"] = _AGGREGATED  # a body that names methods can mean nothing else
    return _query(call, selectors)


@resource.endpoint(
    "GET",
    "/temporal/entities/{entityId:path}",
    clause="5.7.3, 6.19.3.1",
    parameters=parameters.RETRIEVE_TEMPORAL,
    answers={200: "The entity's evolution", **_ANSWERS},
)
def retrieve_temporal(call: Call) -> Response:
    """Retrieve Temporal Evolution of an Entity."""
    form, query, entity_id = _read_form(call), _read_temporal(call), call.identifier("entityId")
    history = histories.retrieve_temporal(
        call.services.engine, call.tenant, entity_id, _span(query), form.needed, _most(call, query)
    )
    headers = map_entity(call, entity_id).headers if is_wanted(call) else {}
    if _shape(call) == _AGGREGATED:
        return respond(call, _aggregates(call, form, query, [history.entity])[0], headers=headers)
    evolution = _evolution(call, form, query, history)
    if not evolution:
        raise nothing_left(entity_id)
    return _answer(call, evolution, [history], query, headers)


def _read_form(call: Call) -> Form:
    form = read_form(call, _FORMS)
    if form.linked:
        raise BadRequestData(
            "linked entities have no part in a temporal representation (clauses 5.7.3.4 and 5.7.4.4)",
            field="pick" if "pick" in call.arguments else "omit",
            cure="Name attributes without braces",
        )
    return form


def _shape(call: Call) -> str:
    """Which of the temporal representations is wanted; ``format`` counts before ``options``."""
    words = [call.arguments.get("format"), *call.arguments.names("options")]
    return next((word for word in words if word in _FORMS), "")


def _read_temporal(call: Call) -> TemporalQuery:
    names = ("timerel", "timeAt", "endTimeAt", "timeproperty", "lastN")
    return parse_temporal(*(call.arguments.get(name) for name in names))


def _span(query: TemporalQuery) -> Span:
    # Without temporal query every instance is meant, also one that was never observed (clause 5.7.3).
    by_record = query.timeproperty in _RECORDED
    return Span(
        start=query.start,
        end=query.end,
        by_record=by_record,
        whole=query.timerel is None,
        deleted=query.timeproperty == _DELETED,
    )


def _most(call: Call, query: TemporalQuery) -> Most:
    return Most(last_n=query.last_n, instances=call.services.settings.temporal_instances)


def _evolution(call: Call, form: Form, query: TemporalQuery, history: History) -> dict[str, Any]:
    simplified = _shape(call) == _VALUES
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
    if form.sys_attrs and history.deleted_at:
        answer["deletedAt"] = format_time(history.deleted_at)  # clause 6.3.11
    return form.visible(answer)


def _shown(attributes: Attributes, form: Form) -> Attributes:
    kept = {
        name: instances
        for name, instances in attributes.items()
        if name == SCOPE or form.shows(name)  # a scope that is not wanted goes with `Form.hidden`
    }
    wanted = form.datasets
    if wanted is None:
        return kept
    return {
        name: [each for each in instances if each.get("datasetId", DEFAULT_INSTANCE) in wanted]
        for name, instances in kept.items()
    }


def _aggregates(
    call: Call, form: Form, query: TemporalQuery, entities: Sequence[Entity]
) -> list[dict[str, Any]]:
    """The aggregated temporal representation (clause 4.5.19)."""
    wanted = parse_aggregation(call.arguments.get("aggrMethods"), call.arguments.get("aggrPeriodDuration"))
    ids = [entity.id for entity in entities]
    found = histories.aggregate_temporal(
        call.services.engine, call.tenant, ids, form.needed, _span(query), wanted
    )
    return [form.visible(_aggregate(form, entity, found[entity.id], wanted)) for entity in entities]


def _aggregate(
    form: Form, entity: Entity, found: Sequence[Aggregated], wanted: Aggregation
) -> dict[str, Any]:
    _check_eligible(form, found, wanted)
    answer = render_temporal(entity.id, entity.types, {}, form.context)
    by_name: dict[str, list[dict[str, Any]]] = {}
    for each in found:
        series = each.series
        dataset = {"datasetId": series.dataset_id} if series.dataset_id else {}
        if form.shows(series.attribute) and series.dataset_id in (form.datasets or (series.dataset_id,)):
            values = rendered(each.periods, wanted.methods)
            by_name.setdefault(series.attribute, []).append({"type": series.kind, **dataset, **values})
    return answer | {
        form.context.names[name]: each if len(each) > 1 else each[0] for name, each in by_name.items()
    }


def _check_eligible(form: Form, found: Sequence[Aggregated], wanted: Aggregation) -> None:
    """Each attribute that is asked for by name fits one of the methods at least (clause 5.7.4.4)."""
    for each in found:
        name = each.series.attribute
        if name in (form.attributes or ()) and not any(rendered(each.periods, wanted.methods).values()):
            raise InvalidRequest(
                f"no value of {form.context.names[name]} can be aggregated like this",
                field="aggrMethods",
                value=",".join(wanted.methods),
                cure="Ask for totalCount or distinctCount too, or leave the attribute out",
            )


def _answer(
    call: Call,
    payload: Any,
    histories: list[History],
    query: TemporalQuery,
    headers: dict[str, str],
    status: int = 200,
) -> Response:
    """The status given, or 206 with the range that a partial answer holds (clause 6.3.10)."""
    extent = next((history.extent for history in histories if history.extent), None)
    if extent is None:
        return respond(call, payload, headers=headers, status=status)
    start = (query.end if query.last_n else query.start) or extent[0]
    span = f"{_UNIT} {format_time(start)}-{format_time(extent[1])}/{query.last_n or '*'}"
    return respond(call, payload, headers={**headers, "Content-Range": span}, status=206)
