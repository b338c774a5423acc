"""Resources snapshots/, snapshots/{snapshotId} and …/clone (clauses 6.36, 6.37 and 6.38)."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from starlette.background import BackgroundTask
from starlette.responses import Response

from machinami.api.answers import batch_result, created, no_content, respond
from machinami.api.call import SNAPSHOT, Call
from machinami.api.endpoint import Resource
from machinami.api.snapshot_documents import (
    PRIORITY,
    as_entity,
    check_members,
    read_changes,
    read_snapshot,
    show_snapshot,
)
from machinami.api.snapshot_filling import fill, fill_clone, tell
from machinami.errors import BadRequestData, MachinamiError, NotFound
from machinami.linkage import snapshots
from machinami.linkage.snapshots import StoredSnapshot
from machinami.ngsild.matching import matches
from machinami.ngsild.q import parse_q
from machinami.ngsild.terms import check_uri

resource = Resource("Snapshots")

_SNAPSHOT = "/snapshots/{snapshotId:path}"
_MADE = {201: "Being prepared; Location says where", 409: "The id is taken"}


@resource.endpoint("POST", "/snapshots", clause="5.16.1, 6.36.3.1", answers=_MADE)
def create_snapshot(call: Call) -> Response:
    """Create Snapshot: its queries run when this is answered."""
    _refuse_nesting(call)
    document = call.document()
    made = _create(call, document, read_snapshot(document, call.context))
    return _created(made, BackgroundTask(fill, call, made))


@resource.endpoint(
    "POST",
    "/snapshots/{snapshotId}/clone",
    clause="5.16.2, 6.38.3.1",
    answers={**_MADE, 404: "No such snapshot"},
)
def clone_snapshot(call: Call) -> Response:
    """Clone Snapshot: its data is copied when this is answered."""
    _refuse_nesting(call)
    document = call.document()
    kept = {"snapshotPriority": PRIORITY, **read_changes(document, call.context)}
    source = _retrieve(call)
    made = _create(call, document, kept)
    return _created(made, BackgroundTask(fill_clone, call, source, made))


@resource.endpoint(
    "GET", _SNAPSHOT, clause="5.16.3, 6.37.3.1", answers={200: "Its status", 404: "No such snapshot"}
)
def retrieve_snapshot(call: Call) -> Response:
    """Retrieve Snapshot Status."""
    _refuse_nesting(call)
    return respond(call, show_snapshot(_retrieve(call)))


@resource.endpoint(
    "PATCH", _SNAPSHOT, clause="5.16.4, 6.37.3.2", answers={200: "Its status now", 404: "No such snapshot"}
)
def update_snapshot(call: Call) -> Response:
    """Update Snapshot Status: lifetime, priority, and who is told."""
    _refuse_nesting(call)
    document, identifier = call.document(), call.identifier("snapshotId")
    if document.get("id", identifier) != identifier:
        raise BadRequestData("an id does not change", field="id", value=document["id"], cure="Leave it out")
    changes = read_changes({"type": "Snapshot", **document}, call.context)
    changed = snapshots.update(call.services.engine, call.tenant, identifier, changes)
    response = respond(call, show_snapshot(changed))
    response.background = BackgroundTask(tell, call, changed)
    return response


@resource.endpoint(
    "DELETE", _SNAPSHOT, clause="5.16.5, 6.37.3.3", answers={204: "Deleted", 404: "No such snapshot"}
)
def delete_snapshot(call: Call) -> Response:
    """Delete Snapshot, with all its data."""
    _refuse_nesting(call)
    snapshots.delete(call.services.engine, call.tenant, call.identifier("snapshotId"))
    return no_content()


@resource.endpoint(
    "DELETE",
    "/snapshots",
    clause="5.16.7, 6.36.3.2",
    parameters=("q",),
    answers={204: "Deleted", 207: "Some were not deleted", 404: "The query finds none"},
)
def purge_snapshots(call: Call) -> Response:
    """Purge Snapshots: delete those that a query finds."""
    _refuse_nesting(call)
    if "q" not in call.arguments:
        raise BadRequestData("a query is needed", field="q", cure="Give such as q=snapshotPriority<5")
    node = parse_q(call.arguments["q"], call.context)
    check_members(node, call.context)
    known = snapshots.retrieve_all(call.services.engine, call.tenant)
    found = [each.id for each in known if matches(node, as_entity(each, call.context))]
    if not found:
        raise NotFound("the query finds no snapshot", field="q", value=call.arguments["q"])
    failed = [each for identifier in found if (each := _failure(call, identifier))]
    gone = {identifier for identifier, _ in failed}
    return batch_result([each for each in found if each not in gone], failed) if failed else no_content()


def _failure(call: Call, identifier: str) -> tuple[str, MachinamiError] | None:
    try:
        snapshots.delete(call.services.engine, call.tenant, identifier)
    except MachinamiError as error:
        return identifier, error
    return None


def _retrieve(call: Call) -> StoredSnapshot:
    return snapshots.retrieve(call.services.engine, call.tenant, call.identifier("snapshotId"))


def _create(call: Call, document: Mapping[str, Any], stored: Mapping[str, Any]) -> StoredSnapshot:
    given = document.get("id")
    identifier = f"urn:ngsi-ld:Snapshot:{uuid4()}" if given is None else check_uri(given, "id")
    return snapshots.create(call.services.engine, call.tenant, identifier, stored)


def _created(made: StoredSnapshot, task: BackgroundTask) -> Response:
    response = created(f"/snapshots/{made.id}")
    response.background = task
    return response


def _refuse_nesting(call: Call) -> None:
    if name := call.headers.get(SNAPSHOT):
        raise BadRequestData(
            "a snapshot has no snapshots of its own",
            field=SNAPSHOT,
            value=name,
            cure="Leave out the header; POST …/clone makes a copy of it",
        )
