"""Snapshots as clients write and read them (clauses 5.2.41, 5.2.42 and 5.3.4)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from machinami.api.members import Reader, Readers, duration, header_pairs, number, record, web_address, wrong
from machinami.api.shapes import as_array, as_object
from machinami.linkage.snapshots import StoredSnapshot
from machinami.model import Entity, format_time
from machinami.ngsild.context import Context
from machinami.ngsild.query import Absent, And, Comparison, Exists, Linked, Node, Or

QUERIES, EVOLUTIONS = "snapshotQueries", "snapshotTemporalQueries"
DETAILS = {QUERIES: "snapshotQueriesDetails", EVOLUTIONS: "snapshotTemporalQueriesDetails"}
"""Members with queries → members with their results."""

PRIORITY = 5
"""Of a snapshot that says nothing of it."""

_STATUS = "snapshotStatus"
_TIMES = ("createdAt", "modifiedAt", "expiresAt", "lastUsedAt")
_OUTPUT = frozenset({_STATUS, *DETAILS.values(), *_TIMES})
_IGNORED = _OUTPUT | {"id", "type"}


def read_snapshot(document: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """A whole Snapshot as it is stored.

    Raises:
        BadRequestData: it breaks clause 5.2.41.
    """
    stored = {"snapshotPriority": PRIORITY, **_read(document, context, {**_CHANGING, **_FIXED})}
    if not stored.keys() & DETAILS.keys():
        raise wrong(QUERIES, None, "is missing, and the temporal ones too", "Give some queries")
    return stored


def read_changes(document: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """What an update, or the making of a clone, says of a Snapshot.

    Raises:
        BadRequestData: it breaks clause 5.2.41.
    """
    return _read(document, context, _CHANGING)


def show_snapshot(stored: StoredSnapshot) -> dict[str, Any]:
    """A Snapshot as a client reads it."""
    moments = (stored.created_at, stored.modified_at, stored.expires_at, stored.used_at)
    times = {name: format_time(moment) for name, moment in zip(_TIMES, moments, strict=True)}
    return {"id": stored.id, "type": "Snapshot", **stored.document, **stored.details, **times}


def notice_of(stored: StoredSnapshot) -> dict[str, Any]:
    """The SnapshotNotification of its status (clause 5.3.4)."""
    lists = {QUERIES: DETAILS[QUERIES], EVOLUTIONS: "temporalSnapshotQueriesDetails"}
    details = {
        name: stored.details[DETAILS[member]]
        for member, name in lists.items()
        if DETAILS[member] in stored.details
    }
    return {
        "id": f"urn:ngsi-ld:SnapshotNotification:{uuid4()}",
        "type": "SnapshotNotification",
        "notifiedAt": format_time(datetime.now(UTC)),
        "expiresAt": format_time(stored.expires_at),
        "snapshotId": stored.id,
        "snapshotPriority": stored.document["snapshotPriority"],
        _STATUS: stored.details[_STATUS],
        **details,
    }


def status_of(results: Sequence[str]) -> str:
    """What became of a snapshot, by the results of its queries (clause 5.16.1.4)."""
    if all(result == "success" for result in results):
        return "success"
    return next((status for word, status in _STATUSES.items() if word in results), "failure")


def as_entity(stored: StoredSnapshot, context: Context) -> Entity:
    """A snapshot as something that a query can be asked of (clause 5.16.7)."""
    shown = show_snapshot(stored)
    plain = {name: value for name, value in shown.items() if name not in ("id", "type", *_TIMES)}
    plain["lastUsedAt"] = shown["lastUsedAt"]
    return Entity(
        id=stored.id,
        types=("Snapshot",),
        attributes={
            context.expand(name): [{"type": "Property", "value": each}] for name, each in plain.items()
        },
        created_at=stored.created_at,
        modified_at=stored.modified_at,
        expires_at=stored.expires_at,
    )


def check_members(node: Node, context: Context) -> None:
    """Check that a query asks for members of a Snapshot only (clause 5.16.7.4).

    Raises:
        BadRequestData: it asks for something else.
    """
    known = {context.expand(name) for name in (*_CHANGING, *_FIXED, *_OUTPUT)} | set(_TIMES)
    for name in _asked(node):
        if name not in known:
            raise wrong("q", name, "is no member of a Snapshot", "Ask for such as snapshotPriority<5")


def _asked(node: Node) -> Iterator[str]:
    match node:
        case And() | Or():
            for each in node.nodes:
                yield from _asked(each)
        case Linked():
            yield node.relationship
        case Absent() | Exists() | Comparison():
            yield node.path.attribute


def _read(document: Mapping[str, Any], context: Context, readers: Readers) -> dict[str, Any]:
    if document.get("type") != "Snapshot":
        raise wrong("type", document.get("type"), "is not Snapshot", 'Add "type": "Snapshot"')
    if document.keys() <= _IGNORED:
        return {}
    return {**record("snapshot", readers, ignored=_IGNORED)(document, context)["snapshot"]}


def _queries(name: str, *, temporal: bool) -> Reader:
    """A list of Queries, all of them temporal or none."""

    def read(value: Any, _: Context) -> Mapping[str, Any]:
        found = as_array(value)
        if not found or not all(
            as_object(each).get("type") == "Query" and ("temporalQ" in each) == temporal for each in found
        ):
            kind = "with temporalQ" if temporal else "without temporalQ"
            raise wrong(name, value, f"is not a list of Queries {kind}", 'Write [{"type": "Query", …}]')
        return {name: found}

    return read


_STATUSES = {"success": "partial", "empty": "empty"}
_CHANGING: Readers = {
    "snapshotLifetime": duration("snapshotLifetime"),
    "snapshotPriority": number("snapshotPriority", most=10, whole=True),
    "endpoint": web_address("endpoint"),
    "receiverInfo": header_pairs("receiverInfo"),
}
_FIXED: Readers = {
    QUERIES: _queries(QUERIES, temporal=False),
    EVOLUTIONS: _queries(EVOLUTIONS, temporal=True),
}
