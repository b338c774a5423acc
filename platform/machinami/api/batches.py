"""Resources entityOperations/… (clauses 6.14 to 6.17, 6.23): many entities, each with its result."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import orjson
from msgspec.structs import replace
from starlette.responses import Response

from machinami.api import parameters
from machinami.api.answers import ENTITY_MEDIA, batch_result, no_content, read_page
from machinami.api.call import Call
from machinami.api.endpoint import Resource
from machinami.api.entities import entities_answer
from machinami.api.forms import read_form, read_options
from machinami.api.linked import check_depth, read_join
from machinami.api.negotiation import JSON
from machinami.api.selections import read_query, read_selection
from machinami.api.shapes import as_object
from machinami.api.writing import entity_change, fragment_changes
from machinami.errors import AlreadyExists, BadRequestData, MachinamiError, NotFound, Unavailable
from machinami.linkage import read
from machinami.model import Change, Operation, Outcome
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
    if "update" in words:
        return _answer(_each(call, lambda document: _whole(call, document, Operation.MERGE)))
    return _answer(_upserted(call))


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

    def deletion(identifier: Any) -> list[Change]:
        checked = check_uri(identifier, "body")
        return [Change(entity_id=checked, operation=Operation.DELETE, tenant=call.tenant)]

    return _answer(_each(call, deletion))


@resource.endpoint(
    "POST",
    "/entityOperations/query",
    clause="5.7.2, 6.23.3.1",
    parameters=(*parameters.PAGE, *parameters.REPRESENTATION, *parameters.LINKED, "local"),
    pending=parameters.MAPPED,
    offered=ENTITY_MEDIA,
    answers={200: "The matching entities, a page of them, ordered by id"},
)
def query_entities_by_post(call: Call) -> Response:
    """Query Entities, with the query in the body (clause 5.2.23)."""
    selectors = read_query(call, call.document())
    form, page = read_form(call), read_page(call)
    check_depth(read_join(call.arguments), form)
    selection = read_selection(call, form.needed, selectors)
    return entities_answer(
        call, form, read.query_entities(call.services.engine, call.tenant, selection, page), page
    )


resource.pending("POST", "/entityOperations/merge", "5.6.20, 6.31.3.1", "Batch Entity Merge")


def _whole(call: Call, document: Any, operation: Operation) -> list[Change]:
    return [entity_change(call, call.plain(document, "body"), call.context_of(document), operation)]


def _part(call: Call, document: Any, operation: Operation) -> list[Change]:
    plain = call.plain(document, "body")
    return fragment_changes(
        call, check_uri(plain.get("id"), "id"), plain, call.context_of(document), operation
    )


def _each(call: Call, read_changes: Callable[[Any], list[Change]]) -> list[Result]:
    """Apply each member of the batch; those that can be read share a transaction."""
    results: list[Result] = []
    changes: list[Change] = []
    for document in call.documents():
        try:
            changes += read_changes(document)
        except MachinamiError as error:
            results.append((_id_of(document), error))
    return results + _applied(call, changes)


def _applied(call: Call, changes: Sequence[Change]) -> list[Result]:
    if not changes:
        return []
    outcomes = call.services.linkage.apply(changes)
    return [(change.entity_id, outcome) for change, outcome in zip(changes, outcomes, strict=True)]


def _upserted(call: Call) -> list[Result]:
    """Create what is new and replace the rest; where another writer came between, try again."""
    whole: dict[str, Change] = {}

    def note(document: Any) -> list[Change]:
        change = _whole(call, document, Operation.CREATE)[0]
        whole[change.entity_id] = change  # the last of two with one id counts
        return []

    results = _each(call, note)
    waiting = list(whole.values())
    for operation in (Operation.CREATE, Operation.REPLACE, Operation.CREATE):
        tried = _applied(call, [replace(change, operation=operation) for change in waiting])
        done, left = _sorted_out(tried)
        results += done
        waiting = [whole[identifier] for identifier in left]
    return results + [
        (change.entity_id, Unavailable("others write this entity", cure="Try again")) for change in waiting
    ]


def _sorted_out(tried: Sequence[Result]) -> tuple[list[Result], list[str]]:
    """Results that stand, and ids to try again with the other operation."""
    again = [identifier for identifier, outcome in tried if isinstance(outcome, AlreadyExists | NotFound)]
    return [result for result in tried if result[0] not in set(again)], again


def _answer(results: Sequence[Result], *, created: bool = False) -> Response:
    """201 with the ids of new entities, 204 where there are none, 207 where one failed (6.15.3.1)."""
    failed = [(identifier, error) for identifier, outcome in results for error in _errors(outcome)]
    unhappy = {identifier for identifier, _ in failed}
    if failed:
        succeeded = dict.fromkeys(identifier for identifier, _ in results if identifier not in unhappy)
        return batch_result(list(succeeded), failed)
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
