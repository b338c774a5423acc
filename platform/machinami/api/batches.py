"""Resources entityOperations/… (clauses 6.14 to 6.17, 6.23): many entities, each with its result."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import orjson
from starlette.responses import Response

from machinami.api import parameters
from machinami.api.answers import ALTERED, ENTITY_MEDIA, batch_result, no_content, read_page
from machinami.api.call import Call
from machinami.api.endpoint import Resource
from machinami.api.entities import entities_answer
from machinami.api.forms import read_form, read_options
from machinami.api.linked import check_depth, read_join
from machinami.api.negotiation import JSON
from machinami.api.selections import read_query, read_selection
from machinami.api.shapes import as_object
from machinami.api.writing import entity_change, fragment_change, merge_change
from machinami.errors import BadRequestData, MachinamiError
from machinami.linkage import read
from machinami.model import Change, Entity, Operation, Outcome
from machinami.ngsild.terms import check_uri

resource = Resource("Batch operations")

Result: TypeAlias = tuple[str, Outcome | MachinamiError]
_PARAMETERS = ("local", "options")
_ANSWERS = {204: "All done", 207: "Some failed; the body says which and why"}


@resource.endpoint(
    "POST",
    "/entityOperations/create",
    clause="5.6.7, 6.14.3.1",
    parameters=_PARAMETERS,
    answers={201: "All created; the body lists their ids", 207: _ANSWERS[207]},
)
def create_entities(call: Call) -> Response:
    """Batch Entity Creation."""
    return _answer(_each(call, lambda document: _whole(call, document, Operation.CREATE)), created=True)


@resource.endpoint(
    "POST",
    "/entityOperations/upsert",
    clause="5.6.8, 6.15.3.1",
    parameters=_PARAMETERS,
    answers={201: "Done; the body lists the ids of new ones", **_ANSWERS},
)
def upsert_entities(call: Call) -> Response:
    """Batch Entity Upsert: existing ones are replaced, or with options=update updated."""
    words = read_options(call, ("update", "replace", "keyValues", "simplified", "normalized", "concise"))
    operation = Operation.MERGE if "update" in words else Operation.UPSERT
    return _answer(_each(call, lambda document: _whole(call, document, operation)))


@resource.endpoint(
    "POST",
    "/entityOperations/update",
    clause="5.6.9, 6.16.3.1",
    parameters=_PARAMETERS,
    answers=_ANSWERS,
)
def update_entities(call: Call) -> Response:
    """Batch Entity Update: adds and overwrites attributes; options=noOverwrite only adds."""
    words = read_options(call, ("noOverwrite", "keyValues", "simplified", "normalized", "concise"))
    operation = Operation.APPEND_ONLY if "noOverwrite" in words else Operation.APPEND
    return _answer(_each(call, lambda document: _part(call, document, operation)))


@resource.endpoint(
    "POST",
    "/entityOperations/delete",
    clause="5.6.10, 6.17.3.1",
    parameters=("local",),
    answers=_ANSWERS,
)
def delete_entities(call: Call) -> Response:
    """Batch Entity Delete: the body is an array of entity ids."""

    def deletion(identifier: Any) -> Change:
        return Change(entity_id=check_uri(identifier, "body"), operation=Operation.DELETE)

    return _answer(_each(call, deletion))


@resource.endpoint(
    "POST",
    "/entityOperations/query",
    clause="5.7.2, 6.23.3.1",
    parameters=parameters.QUERY_BY_POST,
    offered=ENTITY_MEDIA,
    answers={200: "The matching entities, a page of them, ordered by id", 203: ALTERED},
)
def query_entities_by_post(call: Call) -> Response:
    """Query Entities, with the query in the body (clause 5.2.23)."""
    selectors = read_query(call, call.document())
    form, page = read_form(call), read_page(call)
    check_depth(read_join(call.arguments), form)
    selection = read_selection(call, form.needed, selectors)
    return entities_answer(call, form, selection, page)


@resource.endpoint(
    "POST",
    "/entityOperations/merge",
    clause="5.6.20, 6.31.3.1",
    parameters=_PARAMETERS,
    answers=_ANSWERS,
)
def merge_entities(call: Call) -> Response:
    """Batch Entity Merge: to any depth; what is urn:ngsi-ld:null goes."""
    found = read.retrieve_entities(
        call.services.engine, call.tenant, [_id_of(each) for each in call.documents()]
    )
    there = {entity.id: entity for entity in found}
    return _answer(_each(call, lambda document: _merge(call, document, there)))


def _whole(call: Call, document: Any, operation: Operation) -> Change:
    return entity_change(call, call.plain(document, "body"), call.context_of(document), operation)


def _part(call: Call, document: Any, operation: Operation) -> Change:
    plain = call.plain(document, "body")
    return fragment_change(
        call, check_uri(plain.get("id"), "id"), plain, call.context_of(document), operation
    )


def _merge(call: Call, document: Any, there: Mapping[str, Entity]) -> Change:
    plain = call.plain(document, "body")
    entity_id = check_uri(plain.get("id"), "id")
    entity = there.get(entity_id) or Entity(id=entity_id, types=(), attributes={})  # refused when applied
    return merge_change(call, plain, call.context_of(document), entity)


def _each(call: Call, read_change: Callable[[Any], Change]) -> list[Result]:
    """Apply each member of the batch in order; those that can be read share a transaction."""
    results: list[Result] = []
    changes: list[Change] = []
    for document in call.documents():
        try:
            changes.append(read_change(document))
        except MachinamiError as error:
            results.append((_id_of(document), error))
    outcomes = call.apply(changes)
    return results + [(change.entity_id, outcome) for change, outcome in zip(changes, outcomes, strict=True)]


def _answer(results: Sequence[Result], *, created: bool = False) -> Response:
    """201 with the ids of new entities, 204 where there are none, 207 where one failed (6.15.3.1)."""
    failed = [(identifier, error) for identifier, outcome in results for error in _errors(outcome)]
    if failed:
        return batch_result([identifier for identifier, outcome in results if not _errors(outcome)], failed)
    new = [identifier for identifier, outcome in results if isinstance(outcome, Outcome) and outcome.created]
    if not (new or created):
        return no_content()
    return Response(orjson.dumps(new), 201, media_type=JSON)


def _errors(outcome: Outcome | MachinamiError) -> list[MachinamiError]:
    """What went wrong with one member: its error, or attributes that were left alone."""
    if isinstance(outcome, MachinamiError):
        return [outcome]
    left = "; ".join(f"{name}: {reason}" for name, reason in outcome.not_updated.items())
    return [BadRequestData(f"some attributes were left alone: {left}", field="attrs")] if left else []


def _id_of(document: Any) -> str:
    identifier = as_object(document).get("id", document)
    return identifier if isinstance(identifier, str) else ""
