"""Resources temporal/entities/ and temporal/entities/{entityId} (clauses 6.18 and 6.19)."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace
from starlette.responses import Response

from machinami.api import parameters
from machinami.api.answers import page_headers, read_page, respond
from machinami.api.call import Call
from machinami.api.endpoint import Resource
from machinami.api.finding import (
    find_aggregates,
    find_evolution,
    find_evolution_ids,
    find_evolutions,
    find_ids_here,
)
from machinami.api.forms import Form, nothing_left
from machinami.api.mapped import Mapped, is_wanted, map_entity, map_evolutions, walk
from machinami.api.temporal_queries import (
    AGGREGATED,
    VALUES,
    Asked,
    read_asked,
    read_temporal,
    read_temporal_body,
    read_temporal_form,
    shape,
    wish_of,
)
from machinami.errors import InvalidRequest
from machinami.federation.evolutions import Wish
from machinami.linkage.entity_maps import EntityMap
from machinami.linkage.histories import Aggregated, FoundHistory, History, Span, rendered
from machinami.linkage.read import EntitySelector, Page
from machinami.model import Attributes, Entity, format_time
from machinami.ngsild.aggregation import Aggregation, parse_aggregation
from machinami.ngsild.render import render_temporal
from machinami.ngsild.temporal import TemporalQuery
from machinami.ngsild.terms import DEFAULT_INSTANCE, SCOPE

resource = Resource("Temporal evolution")

_UNIT = "date-time"  # as ETSI's test suite has it; the text of clause 6.3.10 says DateTime
_ANSWERS = {206: "As 200, but cut off: Content-Range says where", 404: "No such entity"}


@resource.endpoint(
    "GET",
    "/temporal/entities",
    clause="5.7.4, 6.18.3.2",
    parameters=parameters.QUERY_TEMPORAL,
    answers={200: "Evolutions of the matching entities, a page of them, ordered by id", 206: _ANSWERS[206]},
)
def query_temporal(call: Call) -> Response:
    """Query Temporal Evolution of Entities."""
    return _query(call)


def map_temporal(call: Call, selectors: Sequence[EntitySelector] = ()) -> Mapped:
    """A new EntityMap of a query over evolutions.

    Raises:
        BadRequestData: it is none.
    """
    return _map(call, read_asked(call, selectors), anew=True)


def find_recorded(
    call: Call, selectors: Sequence[EntitySelector], limit: int
) -> tuple[list[str], tuple[str, ...], Span]:
    """What of this broker's own a query over evolutions is about: ids, names of attributes, span of time.

    Raises:
        BadRequestData: it is none.
    """
    asked = read_asked(call, selectors)
    names = tuple(asked.form.attributes or asked.form.needed)
    return find_ids_here(call, asked.wish, asked.selection, limit), names, asked.wish.span


def _map(call: Call, asked: Asked, *, anew: bool = False) -> Mapped:
    return map_evolutions(call, asked.selection, partial(find_ids_here, call, asked.wish), anew=anew)


def _find_mapped(call: Call, asked: Asked, page: Page, item: EntityMap) -> FoundHistory:
    """A page of the evolutions of an EntityMap."""

    def load(ids: Sequence[str]) -> dict[str, str]:
        some = replace(asked.selection, among=tuple(ids))
        return {each: each for each in find_evolution_ids(call, some, asked.wish, len(ids))}

    ids, part = walk(call, item, page, load)
    total = part.total if page.count else None
    if not ids:
        return FoundHistory(histories=[], more=part.more, total=total)
    chosen = replace(asked.selection, among=tuple(ids))
    found = find_evolutions(call, chosen, asked.wish, Page(limit=len(ids)))
    return replace(found, more=part.more, total=total)


def _query(call: Call, selectors: Sequence[EntitySelector] = ()) -> Response:
    asked, page = read_asked(call, selectors), read_page(call)
    form, query = asked.form, asked.query
    mapped = _map(call, asked) if is_wanted(call) else None
    if mapped:
        found = _find_mapped(call, asked, page, mapped.item)
    else:
        found = find_evolutions(call, asked.selection, asked.wish, page)
    headers = page_headers(call, page, more=found.more, total=found.total)
    if mapped:
        headers |= mapped.headers
    status = mapped.status if mapped else 200
    if shape(call) == AGGREGATED:
        aggregates = _aggregates(call, form, asked.wish, found.histories)
        return respond(call, aggregates, headers=headers, status=status)
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
    return _query(call, read_temporal_body(call))


@resource.endpoint(
    "GET",
    "/temporal/entities/{entityId:path}",
    clause="5.7.3, 6.19.3.1",
    parameters=parameters.RETRIEVE_TEMPORAL,
    answers={200: "The entity's evolution", **_ANSWERS},
)
def retrieve_temporal(call: Call) -> Response:
    """Retrieve Temporal Evolution of an Entity."""
    form, query, entity_id = read_temporal_form(call), read_temporal(call), call.identifier("entityId")
    wish = wish_of(call, form, query)
    history = find_evolution(call, entity_id, wish)
    headers = map_entity(call, entity_id).headers if is_wanted(call) else {}
    if shape(call) == AGGREGATED:
        return respond(call, _aggregates(call, form, wish, [history])[0], headers=headers)
    evolution = _evolution(call, form, query, history)
    if not evolution:
        raise nothing_left(entity_id)
    return _answer(call, evolution, [history], query, headers)


def _evolution(call: Call, form: Form, query: TemporalQuery, history: History) -> dict[str, Any]:
    simplified = shape(call) == VALUES
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


def _aggregates(call: Call, form: Form, wish: Wish, found: Sequence[History]) -> list[dict[str, Any]]:
    """The aggregated temporal representation (clause 4.5.19)."""
    wanted = parse_aggregation(call.arguments.get("aggrMethods"), call.arguments.get("aggrPeriodDuration"))
    aggregates = find_aggregates(call, found, wish, wanted)
    return [form.visible(_aggregate(form, each.entity, aggregates[each.entity.id], wanted)) for each in found]


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
