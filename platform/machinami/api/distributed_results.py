"""One answer for a change of which parts went to sources (clauses 5.2.16 and 6.3.17).

What was done everywhere is answered as if it had been done here; where a part failed, 207 says which and why.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import orjson
from starlette.responses import Response

from machinami.api.answers import created, no_content, place_of
from machinami.api.call import Call
from machinami.api.negotiation import JSON
from machinami.api.problems import problem, problem_response
from machinami.api.shapes import as_array, as_object, is_texts
from machinami.errors import BadRequestData, Conflict, MachinamiError, NotFound
from machinami.federation.exchange import Forward, Reply
from machinami.federation.registration import Registration

_PART = 207


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A change, divided.

    Attributes:
        entity_ids: what it is about; empty for a purge.
        forwards: what goes to sources.
        refused: id of an entity, and the registration whose source cannot do what it alone might.
        rest: what is left to do here; None where nothing is.
        ids_here: entities of the rest.
        forgives: that nothing is found here is no error, since it is elsewhere.
        creates: its answer says 201.
        is_batch: its answer lists entities.
    """

    entity_ids: tuple[str, ...]
    forwards: tuple[Forward, ...]
    refused: tuple[tuple[str, Registration], ...] = ()
    rest: Call | None = None
    ids_here: tuple[str, ...] = ()
    forgives: bool = False
    creates: bool = False
    is_batch: bool = False


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong with one entity (BatchEntityError, clause 5.2.17).

    Attributes:
        error: one of ours, or problem details of a source.
    """

    entity_id: str
    error: MachinamiError | Mapping[str, Any]
    registration_id: str = ""

    def show(self) -> dict[str, Any]:
        """As clause 5.2.17 has it."""
        error = problem(self.error) if isinstance(self.error, MachinamiError) else self.error
        registration = {"registrationId": self.registration_id} if self.registration_id else {}
        return {"entityId": self.entity_id, "error": error, **registration}


class Results:
    """What became of each part."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self.succeeded: dict[str, None] = {}
        self.created: dict[str, None] = {}

    def add_refused(self, identifier: str, registration: Registration) -> None:
        """A source that alone has something does not offer the operation."""
        error = Conflict(
            f"the source of {registration.id} does not offer this operation, and has the only copy",
            field="registrationId",
            value=registration.id,
            cure="Ask the source itself, or extend operations of its registration",
        )
        self.failures.append(Failure(entity_id=identifier, error=error, registration_id=registration.id))

    def add_reply(self, reply: Reply) -> None:
        """The answer of a source."""
        ids, body = reply.forward.entity_ids, reply.json()
        if reply.is_success:
            self.succeeded |= dict.fromkeys(ids)
            if reply.status == 201:
                self.created |= dict.fromkeys(_ids(body, ids))
            return
        registration_id = reply.forward.registration.id
        listed = as_array(as_object(body).get("errors")) if reply.status == _PART else []
        if not listed:
            error = reply.error()
            self.failures += [
                Failure(entity_id=each, error=error, registration_id=registration_id) for each in ids or ("",)
            ]
            return
        self.succeeded |= dict.fromkeys(
            each for each in as_array(as_object(body).get("success")) if each in ids
        )
        for each in map(as_object, listed):
            error, identifier = as_object(each.get("error")), str(each.get("entityId", ""))
            self.failures.append(Failure(entity_id=identifier, error=error, registration_id=registration_id))

    def add_here(self, plan: Plan, outcome: Response | MachinamiError) -> None:
        """What was done here."""
        if isinstance(outcome, MachinamiError):
            self.failures += [Failure(entity_id=each, error=outcome) for each in plan.ids_here or ("",)]
            return
        body = orjson.loads(outcome.body) if outcome.body else None
        if outcome.status_code != _PART:
            self.succeeded |= dict.fromkeys(plan.ids_here)
            if outcome.status_code == 201:
                self.created |= dict.fromkeys(_ids(body, plan.ids_here))
        elif plan.is_batch:
            self._add_batch(plan, as_object(body))
        else:
            left = "; ".join(f"{each['attributeName']}: {each['reason']}" for each in _left(body))
            error = BadRequestData(f"some attributes were left alone: {left}", field="attrs")
            self.failures += [Failure(entity_id=each, error=error) for each in plan.ids_here]

    def _add_batch(self, plan: Plan, body: Mapping[str, Any]) -> None:
        self.succeeded |= dict.fromkeys(as_array(body.get("success")))
        for each in map(as_object, as_array(body.get("errors"))):
            error = as_object(each.get("error"))
            if not (plan.forgives and error.get("status") == NotFound.status):
                self.failures.append(Failure(entity_id=str(each.get("entityId", "")), error=error))


def combined(plan: Plan, replies: Sequence[Reply], function: Callable[[Call], Response]) -> Response:
    """Do what is left here, and answer for all parts together.

    Raises:
        MachinamiError: there is one part only, and it failed.
    """
    results = Results()
    for identifier, registration in plan.refused:
        results.add_refused(identifier, registration)
    for reply in replies:
        results.add_reply(reply)
    outcome = _do(plan.rest, function) if plan.rest is not None else None
    if plan.forgives and isinstance(outcome, NotFound):
        outcome = None
    if outcome is not None:
        results.add_here(plan, outcome)
    parts = len(plan.refused) + len(replies) + (outcome is not None)
    if results.failures:
        return _failed(plan, results, parts)
    return _done(plan, results)


def _do(rest: Call, function: Callable[[Call], Response]) -> Response | MachinamiError:
    try:
        return function(rest)
    except MachinamiError as error:
        return error


def _failed(plan: Plan, results: Results, parts: int) -> Response:
    first = results.failures[0].error
    if parts == 1 and isinstance(first, MachinamiError) and not plan.is_batch:
        return problem_response(first)
    body = {"success": list(results.succeeded), "errors": [failure.show() for failure in results.failures]}
    return Response(orjson.dumps(body, default=str), _PART, media_type=JSON)


def _done(plan: Plan, results: Results) -> Response:
    if plan.is_batch and (plan.creates or results.created):
        listed = plan.entity_ids if plan.creates else list(results.created)
        return Response(orjson.dumps(listed), 201, media_type=JSON)
    return created(place_of(plan.entity_ids[0])) if plan.creates else no_content()


def _ids(body: Any, default: Sequence[str]) -> Sequence[str]:
    """Ids of entities that an answer lists; those that it was about where it lists none."""
    return body if is_texts(body) else default


def _left(body: Any) -> Iterator[dict[str, Any]]:
    yield from map(as_object, as_array(as_object(body).get("notUpdated")))
