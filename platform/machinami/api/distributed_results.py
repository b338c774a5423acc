"""One answer for a change of which parts went to sources (clauses 5.2.16 and 6.3.17).

What was done everywhere is answered as if it had been done here; where a part failed, 207 says which and why.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import orjson
from starlette.responses import Response

from machinami.api.answers import ROOT, created, no_content, place_of
from machinami.api.call import Call
from machinami.api.negotiation import JSON
from machinami.api.problems import problem, problem_response
from machinami.api.shapes import as_array, as_object, is_texts
from machinami.errors import BadRequestData, Conflict, MachinamiError, NotFound
from machinami.federation.exchange import Forward, Reply
from machinami.federation.registration import Registration

_PART = 207


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a change that only a source might do which does not offer it.

    Attributes:
        names: attributes of the part, expanded.
    """

    entity_id: str
    registration: Registration
    names: frozenset[str] = frozenset()

    @property
    def error(self) -> Conflict:
        """For the one who asked."""
        return Conflict(
            f"the source of {self.registration.id} does not offer this operation, and has the only copy",
            field="registrationId",
            value=self.registration.id,
            cure="Ask the source itself, or extend operations of its registration",
        )


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A change, divided.

    Attributes:
        entity_ids: what it is about; empty for a purge.
        forwards: what goes to sources.
        rest: what is left to do here; None where nothing is.
        ids_here: entities of the rest.
        names_here: attributes of the rest, expanded.
        forgives: that nothing is found here is no error, since it is elsewhere.
        creates: its answer says 201.
        is_batch: its answer lists entities.
        is_update: it is about attributes; a partial success lists these.
    """

    entity_ids: tuple[str, ...]
    forwards: tuple[Forward, ...]
    refused: tuple[Refusal, ...] = ()
    rest: Call | None = None
    ids_here: tuple[str, ...] = ()
    names_here: frozenset[str] = frozenset()
    forgives: bool = False
    creates: bool = False
    is_batch: bool = False
    is_update: bool = False


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

    @property
    def error(self) -> MachinamiError | None:
        """What went wrong first; None where a source has said it of single entities."""
        first = self.failures[0].error
        return first if isinstance(first, MachinamiError) else None

    def show(self) -> dict[str, Any]:
        """As clause 5.2.16 has it."""
        return {"success": list(self.succeeded), "errors": [failure.show() for failure in self.failures]}

    def add_refused(self, refusal: Refusal) -> None:
        """A source that alone has something does not offer the operation."""
        self.failures.append(
            Failure(entity_id=refusal.entity_id, error=refusal.error, registration_id=refusal.registration.id)
        )

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
        else:
            self._add_batch(plan, as_object(body))

    def _add_batch(self, plan: Plan, body: Mapping[str, Any]) -> None:
        self.succeeded |= dict.fromkeys(as_array(body.get("success")))
        for each in map(as_object, as_array(body.get("errors"))):
            error = as_object(each.get("error"))
            if not (plan.forgives and error.get("status") == NotFound.status):
                self.failures.append(Failure(entity_id=str(each.get("entityId", "")), error=error))


class Updates:
    """What became of each attribute (UpdateResult, clause 5.2.18); names are expanded."""

    created = ()
    """No entities."""

    def __init__(self) -> None:
        self.failures: list[MachinamiError] = []
        self._updated: set[str] = set()
        self._left: list[dict[str, str]] = []

    @property
    def error(self) -> MachinamiError | None:
        """What went wrong first; None where something was done."""
        return None if self._updated else self.failures[0]

    def add_refused(self, refusal: Refusal) -> None:
        """A source that alone has something does not offer the operation."""
        self._fail(refusal.names, refusal.error, refusal.registration.id)

    def add_reply(self, reply: Reply) -> None:
        """The answer of a source."""
        names, registration_id = reply.forward.names, reply.forward.registration.id
        if reply.is_success:
            self._updated |= names
            return
        left = as_array(as_object(reply.json()).get("notUpdated")) if reply.status == _PART else []
        reasons = {
            reply.forward.context.expand(str(each.get("attributeName"))): str(each.get("reason"))
            for each in map(as_object, left)
        }
        if reasons.keys() <= names and reasons:
            self._updated |= names - reasons.keys()
            self.failures.append(reply.error())
            self._leave(reasons, registration_id)
        else:
            self._fail(names, reply.error(), registration_id)

    def add_here(self, plan: Plan, outcome: Response | MachinamiError) -> None:
        """What was done here."""
        if isinstance(outcome, MachinamiError):
            self._fail(plan.names_here, outcome)
        elif outcome.status_code == _PART:
            said = orjson.loads(outcome.body)
            self._updated.update(said["updated"])
            self._left += said["notUpdated"]
            self.failures.append(BadRequestData("some attributes were left alone", field="attrs"))
        else:
            self._updated |= plan.names_here

    def show(self) -> dict[str, Any]:
        """As clause 5.2.18 has it."""
        return {"updated": sorted(self._updated), "notUpdated": self._left}

    def _fail(self, names: Iterable[str], error: MachinamiError, registration_id: str = "") -> None:
        self.failures.append(error)
        self._leave({name: str(error) for name in sorted(names)}, registration_id)

    def _leave(self, reasons: Mapping[str, str], registration_id: str) -> None:
        source = {"registrationId": registration_id} if registration_id else {}
        self._left += [
            {"attributeName": name, "reason": reason, **source} for name, reason in reasons.items()
        ]


def combined(plan: Plan, replies: Sequence[Reply], function: Callable[[Call], Response]) -> Response:
    """Do what is left here, and answer for all parts together.

    Raises:
        MachinamiError: there is one part only, and it failed.
    """
    results = Updates() if plan.is_update else Results()
    for refusal in plan.refused:
        results.add_refused(refusal)
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
    return _done(plan, results.created)


def _do(rest: Call, function: Callable[[Call], Response]) -> Response | MachinamiError:
    try:
        return function(rest)
    except MachinamiError as error:
        return error


def _failed(plan: Plan, results: Results | Updates, parts: int) -> Response:
    if parts == 1 and results.error is not None and not plan.is_batch:
        return problem_response(results.error)
    place = (
        {"Location": f"{ROOT}{place_of(plan.entity_ids[0])}"} if plan.creates and not plan.is_batch else {}
    )
    return Response(orjson.dumps(results.show(), default=str), _PART, headers=place, media_type=JSON)


def _done(plan: Plan, created_ids: Iterable[str]) -> Response:
    listed = plan.entity_ids if plan.creates else tuple(created_ids)
    if plan.is_batch and listed:
        return Response(orjson.dumps(listed), 201, media_type=JSON)
    return created(place_of(plan.entity_ids[0])) if plan.creates else no_content()


def _ids(body: Any, default: Sequence[str]) -> Sequence[str]:
    """Ids of entities that an answer lists; those that it was about where it lists none."""
    return body if is_texts(body) else default
