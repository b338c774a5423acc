"""Distributed batches (clauses 5.6.7 to 5.6.10 and 5.6.20): each source gets its part of every entity."""

from collections.abc import Sequence
from typing import Any

import msgspec
import orjson

from machinami.api.call import Call
from machinami.api.distributed_results import Plan, Refusal
from machinami.api.distributed_writes import known_types
from machinami.api.shapes import as_object
from machinami.errors import MachinamiError
from machinami.federation.exchange import Dialect, Forward, Origin, path_of
from machinami.federation.registration import Registration
from machinami.federation.writing import Subject, attribute_names, divide, part_of, translate
from machinami.ngsild.context import Context
from machinami.ngsild.documents import read_fragment
from machinami.ngsild.terms import is_uri


class Single(msgspec.Struct, frozen=True, kw_only=True):
    """How a source without the batch operation is asked for one entity.

    Attributes:
        operation: which it must have.
        path: what comes after the entity's id; None where the id is in the body.
    """

    operation: str
    method: str
    path: str | None = ""


_CREATE = Single(operation="createEntity", method="POST", path=None)
_REPLACE = Single(operation="replaceEntity", method="PUT")
_UPDATE = Single(operation="updateEntity", method="PATCH", path="/attrs/")
_APPEND = Single(operation="appendAttrs", method="POST", path="/attrs/")
_MERGE = Single(operation="mergeEntity", method="PATCH")
_DELETE = Single(operation="deleteEntity", method="DELETE")


class _Share(msgspec.Struct, kw_only=True):
    """What one source gets: entities, each in the words that it came in."""

    registration: Registration
    members: list[tuple[str, Any, Context]] = msgspec.field(default_factory=list[tuple[str, Any, Context]])


def plan_batch(operation: str, call: Call, origin: Origin) -> Plan:
    """Divide each entity of a batch, and give every source its part at once where it can take it so.

    A member that breaks the standard stays here, where it is answered.
    """
    registrations = call.services.sources.registrations(call.tenant, origin.via)
    single = _single(operation, call)
    shares: dict[str, _Share] = {}
    refused: list[Refusal] = []
    rest: list[Any] = []
    ids_here: list[str] = []
    forgives = True
    for document in call.documents():
        subject, context = _subject(call, operation, document)
        if subject is None:
            rest.append(document)
            continue
        division = divide(registrations, (operation, single.operation), subject)
        for part in division.parts:
            if part.is_possible:
                share = shares.setdefault(part.registration.id, _Share(registration=part.registration))
                share.members.append((subject.entity_id, _cut(document, part.names, context), context))
            else:
                refused.append(Refusal(entity_id=subject.entity_id, registration=part.registration))
        if division.is_here:
            rest.append(
                document
                if division.here == subject.names
                else _cut(document, division.here, context, whole=True)
            )
            ids_here.append(subject.entity_id)
            forgives &= division.is_proxied
    forwards = [
        each for share in shares.values() for each in _forwards(operation, single, call, origin, share)
    ]
    return Plan(
        entity_ids=tuple(_id_of(document) for document in call.documents()),
        forwards=tuple(forwards),
        refused=tuple(refused),
        rest=call.with_body(orjson.dumps(rest)) if rest else None,
        ids_here=tuple(ids_here),
        forgives=forgives,
        creates=operation == "createBatch",
        is_batch=True,
    )


def _single(operation: str, call: Call) -> Single:
    options = call.arguments.names("options")
    return {
        "createBatch": _CREATE,
        "upsertBatch": _UPDATE if "update" in options else _REPLACE,
        "updateBatch": _APPEND if "noOverwrite" in options else _UPDATE,
        "mergeBatch": _MERGE,
        "deleteBatch": _DELETE,
    }[operation]


def _subject(call: Call, operation: str, document: Any) -> tuple[Subject | None, Context]:
    if operation == "deleteBatch":
        types = known_types(call, document) if is_uri(document) else ()
        return (
            Subject(entity_id=document, types=types) if is_uri(document) else None
        ), call.services.contexts.resolve(None)
    try:
        context = call.context_of(document)
        plain = call.plain(document, "body")
        fragment = read_fragment(plain, context, deep=operation == "mergeBatch")
    except MachinamiError:
        return None, call.services.contexts.resolve(None)
    if not is_uri(plain.get("id")):
        return None, context
    found = fragment.types or known_types(call, plain["id"])
    return Subject(entity_id=plain["id"], types=found, names=frozenset(fragment.attributes)), context


def _cut(document: Any, names: frozenset[str], context: Context, *, whole: bool = False) -> Any:
    """An entity with only these attributes (none means all); an id stays as it is."""
    if not isinstance(document, dict):
        return document
    kept = part_of(as_object(document), names or attribute_names(as_object(document), context), context)
    return kept if whole else {name: value for name, value in kept.items() if name != "@context"}


def _forwards(operation: str, single: Single, call: Call, origin: Origin, share: _Share) -> Sequence[Forward]:
    """One request for all where the source has the batch operation, else one for each."""
    dialect = Dialect(share.registration, origin)
    documents = [translate(document, context, dialect.context) for _, document, context in share.members]
    ids = tuple(identifier for identifier, _, _ in share.members)
    parameters = tuple((name, value) for name, value in call.arguments.items() if name != "local")
    if operation in share.registration.operations:
        path = path_of(*call.target.removeprefix("/ngsi-ld/v1/").rstrip("/").split("/"))
        return [dialect.forward("POST", path, parameters, documents, ids)]
    simplified = tuple(pair for pair in parameters if pair[1] in ("keyValues", "simplified", "noOverwrite"))
    return [
        dialect.forward(
            single.method,
            path_of("entities") if single.path is None else path_of("entities", identifier) + single.path,
            simplified,
            document if isinstance(document, dict) else None,
            (identifier,),
        )
        for identifier, document in zip(ids, documents, strict=True)
    ]


def _id_of(document: Any) -> str:
    identifier = as_object(document).get("id", document)
    return identifier if isinstance(identifier, str) else ""
