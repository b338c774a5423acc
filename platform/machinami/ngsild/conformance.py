"""Entities as earlier versions of the standard have them (clause 4.3.6.8)."""

import re
from collections.abc import Mapping
from typing import Any, TypeAlias, cast

import msgspec

from machinami.errors import BadRequestData
from machinami.model import Entity, Instance
from machinami.ngsild.terms import KINDS, NON_REIFIED

Version: TypeAlias = tuple[int, int]

_VERSION = re.compile(r"(\d{1,3})\.(\d{1,3})")
_INTRODUCED: Mapping[str, tuple[Version, str]] = {
    "LanguageProperty": ((1, 4), "Property"),
    "JsonProperty": ((1, 8), "Property"),
    "VocabProperty": ((1, 8), "Property"),
    "ListProperty": ((1, 8), "Property"),
    "ListRelationship": ((1, 8), "Relationship"),
}
_MEMBERS: Mapping[str, Version] = {
    "datasetId": (1, 3),
    "observedAt": (1, 3),
    "unitCode": (1, 3),
    "objectType": (1, 8),
    "expiresAt": (1, 9),
    "valueType": (1, 9),
}
_SCOPES, _SEVERAL, _EXPIRY = (1, 4), (1, 3), (1, 9)
NEWEST: Version = (1, 9)
"""The version of which an answer is where nobody asks for another."""


def parse_version(text: object) -> Version:
    """``ngsildConformance``: major.minor.

    Raises:
        BadRequestData: it is none.
    """
    found = _VERSION.fullmatch(text) if isinstance(text, str) else None
    if not found:
        cure = 'Write major.minor, such as "1.6"'
        raise BadRequestData("not a version", field="ngsildConformance", value=text, cure=cure)
    return int(found[1]), int(found[2])


def format_version(version: Version) -> str:
    """major.minor."""
    return ".".join(map(str, version))


def amended(entity: Entity, version: Version, names: Mapping[str, str]) -> Entity:
    """The entity in the words of a version.

    Args:
        names: IRI → name, as `context.Context.names`; a vocab in a plain Property is a text.
    """
    attributes = {
        iri: _amended_instances(instances, version, names) for iri, instances in entity.attributes.items()
    }
    return msgspec.structs.replace(
        entity,
        attributes=attributes,
        types=entity.types[:1] if version < _SEVERAL else entity.types,
        scope=() if version < _SCOPES else entity.scope,
        expires_at=None if version < _EXPIRY else entity.expires_at,
    )


def amended_document(document: Any, version: Version) -> Any:
    """An entity, fragment or attribute as JSON, or a list of such, in the words of a version; values stay."""
    if isinstance(document, list):
        return [amended_document(each, version) for each in cast("list[object]", document)]
    if not isinstance(document, dict):
        return cast("object", document)
    given = cast("dict[str, Any]", document)
    rest = {
        name: _amended_member(name, value, version) for name, value in given.items() if _knows(version, name)
    }
    if version < _SCOPES:
        rest.pop("scope", None)
    for kind, (since, fallback) in _INTRODUCED.items():
        member = KINDS[kind].member
        if version < since and member in rest and rest.get("type", kind) == kind:
            value = rest.pop(member)
            rest |= {"type": fallback, KINDS[fallback].member: value}
    return rest


def _amended_member(name: str, value: Any, version: Version) -> Any:
    if name in NON_REIFIED or name == "@context":
        return value
    if name == "type" and isinstance(value, list) and version < _SEVERAL:
        return cast("list[Any]", value)[0]
    return amended_document(cast("Any", value), version)


def _knows(version: Version, name: str) -> bool:
    return version >= _MEMBERS.get(name, version)


def _amended_instances(
    instances: list[Instance], version: Version, names: Mapping[str, str]
) -> list[Instance]:
    """Those of one attribute; before there were several, the default one, or the first."""
    if version < _SEVERAL:
        instances = sorted(instances, key=lambda instance: "datasetId" in instance)[:1]
    return [_amended(each, version, names) for each in instances]


def _amended(instance: Instance, version: Version, names: Mapping[str, str]) -> Instance:
    rest = {
        name: _amended_instances(value, version, names) if ":" in name else value
        for name, value in instance.items()
        if _knows(version, name)
    }
    since, fallback = _INTRODUCED.get(instance["type"], ((1, 0), ""))
    if version >= since:
        return rest
    member = KINDS[instance["type"]].member
    value = rest.pop(member)
    value = _named(value, names) if member == "vocab" else value
    return {**rest, "type": fallback, KINDS[fallback].member: value}


def _named(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [names[iri] for iri in cast("list[str]", value)]
    return names[value]
