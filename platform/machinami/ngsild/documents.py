"""Entities and attributes as clients write them → the platform's own words (clauses 4.5 and 5.5.4).

Normalized, concise and simplified representation are all taken, mixed as they come. Inside, an instance has
core terms for its own members and, for each sub-attribute, its expanded IRI with a list of instances, as in
`machinami.model.Attributes`; VocabProperty values, ``objectType`` and ``valueType`` are expanded too.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

import msgspec

from machinami.errors import BadRequestData
from machinami.model import NEVER, Attributes, Entity, Instance
from machinami.ngsild.content import check_content
from machinami.ngsild.context import Context
from machinami.ngsild.instances import Reader, Rules
from machinami.ngsild.terms import NGSI_NULL, SCOPE, SYSTEM_MEMBERS, check_scope, check_uri
from machinami.ngsild.times import parse_time
from machinami.ngsild.values import wrong

_KEYWORDS = {"@id": "id", "@type": "type"}
_OWN = frozenset({"id", "type", "scope", "expiresAt"})
_PASSED_OVER = (SYSTEM_MEMBERS - {"instanceId"}) | {"@context"}  # which an entity has not (clause 4.5.1)


class Fragment(msgspec.Struct, frozen=True, kw_only=True):
    """Part of an entity; None stands for what it does not say.

    Attributes:
        expires_at: `NEVER` where it is to be kept for good.
    """

    types: tuple[str, ...] | None = None
    scope: tuple[str, ...] | None = None
    expires_at: datetime | None = None
    attributes: Attributes = {}


def read_entity(document: object, context: Context, *, simplified: bool = False) -> Entity:
    """Reads a whole entity; a ``@context`` member is passed over, the context given counts.

    Args:
        simplified: the request says so (``options=keyValues``): an object with a ``type`` that is no
            attribute kind is a plain value then and not an error.

    Raises:
        BadRequestData: names the JSON path of what breaks the standard.
    """
    return _entity(document, Reader(context, Rules(simplified=simplified)))


def read_temporal(document: object, context: Context) -> Entity:
    """Reads the temporal representation of an entity (clause 4.5.6): many instances of each attribute.

    A scope that is written as instances of a Property is among the attributes, under `SCOPE`.
    """
    return _entity(document, Reader(context, Rules(history=True)))


def read_fragment(
    document: object, context: Context, *, simplified: bool = False, nulls: bool = True, deep: bool = False
) -> Fragment:
    """Reads part of an entity (clause 5.4).

    Args:
        simplified: see `read_entity`.
        nulls: ``urn:ngsi-ld:null`` may stand where something is to be deleted; see `terms.is_null`.
        deep: it may stand inside a value too (merge patch, clause 5.5.12).

    Raises:
        BadRequestData: names the JSON path of what breaks the standard.
    """
    members = _members(document, nulls=nulls)
    if "id" in members:
        check_uri(members["id"], "id")
    return Fragment(
        types=_types(members["type"], context) if "type" in members else None,
        scope=_scope(members["scope"], nulls=nulls) if "scope" in members else None,
        expires_at=_expiry(members["expiresAt"], nulls=nulls) if "expiresAt" in members else None,
        attributes=_attributes(
            members, Reader(context, Rules(simplified=simplified, nulls=nulls, deep=deep))
        ),
    )


def read_history_fragment(document: object, context: Context) -> Fragment:
    """Reads part of a temporal representation (clause 5.4): as `read_fragment`, many instances of each."""
    members = _members(document, nulls=True)
    types = _types(members["type"], context) if "type" in members else None
    reader = Reader(context, Rules(history=True))
    attributes = _attributes(members, reader)
    scope = _scope(members["scope"], nulls=False) if "scope" in members and SCOPE not in attributes else None
    return Fragment(types=types, scope=scope, attributes=attributes)


def read_attribute(
    name: str, document: object, context: Context, *, simplified: bool = False, partial: bool = False
) -> list[Instance]:
    """Reads the instances of one attribute.

    Args:
        name: as the client wrote it, for messages and for what the core terms demand.
        simplified: see `read_entity`.
        partial: a partial update (clause 5.6.4): value and type may be missing, nulls may be there.
    """
    if isinstance(document, dict):
        document = {
            key: value for key, value in cast("dict[str, Any]", document).items() if key != "@context"
        }
    check_content(document, nulls=partial)
    rules = Rules(simplified=simplified, nulls=partial, partial=partial)
    return Reader(context, rules).read(context.expand(name), document, name)


def _entity(document: object, reader: Reader) -> Entity:
    members = _members(document, nulls=reader.rules.history)
    for mandatory in ("id", "type"):
        if mandatory not in members:
            raise BadRequestData(f"The entity has no {mandatory}", field=mandatory, cure=f"Add {mandatory}")
    attributes = _attributes(members, reader)
    return Entity(
        id=check_uri(members["id"], "id"),
        types=_types(members["type"], reader.context),
        scope=_scope(members["scope"], nulls=False) if "scope" in members and SCOPE not in attributes else (),
        expires_at=parse_time(members["expiresAt"], "expiresAt") if "expiresAt" in members else None,
        attributes=attributes,
    )


def _members(document: object, *, nulls: bool) -> dict[str, Any]:
    """Members of an entity or fragment, ``@id`` and ``@type`` under their core terms (clause 4.4)."""
    if not isinstance(document, dict):
        raise BadRequestData("An entity is a JSON object", field="$", value=document, cure="Send an object")
    members = cast("dict[str, Any]", document)
    check_content({key: value for key, value in members.items() if key != "@context"}, nulls=nulls)
    return {_KEYWORDS.get(key, key): value for key, value in members.items() if key not in _PASSED_OVER}


def _attributes(members: Mapping[str, Any], reader: Reader) -> Attributes:
    attributes: Attributes = {}
    for name, value in members.items():
        if name not in _OWN:
            reader.add(attributes, name, value, name)
    if reader.rules.history and _is_reified(members.get("scope")):
        attributes[SCOPE] = [_scope_instance(each) for each in reader.read(SCOPE, members["scope"], "scope")]
    return attributes


def _is_reified(scope: object) -> bool:
    entries = cast("list[object]", scope if isinstance(scope, list) else [scope])
    return any(isinstance(entry, dict) for entry in entries)


def _scope_instance(instance: Instance) -> Instance:
    if instance.keys() != {"type", "value", "observedAt"} or instance["type"] != "Property":
        raise wrong("scope", instance, "is no past scope", "Write a Property with value and observedAt")
    _scope(instance["value"], nulls=False)
    return instance


def _types(value: object, context: Context) -> tuple[str, ...]:
    names = cast("list[object]", value if isinstance(value, list) else [value])
    if not names or not all(isinstance(name, str) for name in names):
        raise BadRequestData(
            f"type is neither a name nor a list of names: {names!r}",
            field="type",
            value=names,
            cure="Name a type",
        )
    return tuple(dict.fromkeys(_type(str(name), context) for name in names))


def _type(name: str, context: Context) -> str:
    iri = context.expand_type(name)
    if iri.startswith("@"):
        raise BadRequestData(
            f"{name} is a word of JSON-LD, no type", field="type", value=name, cure="Choose another type"
        )
    return iri


def _expiry(value: object, *, nulls: bool) -> datetime:
    return NEVER if nulls and value == NGSI_NULL else parse_time(value, "expiresAt")


def _scope(value: object, *, nulls: bool) -> tuple[str, ...]:
    scopes = cast("list[object]", value) if isinstance(value, list) else [value]
    if value == NGSI_NULL and nulls:
        return (NGSI_NULL,)
    return tuple(dict.fromkeys(check_scope(scope, "scope") for scope in scopes))
