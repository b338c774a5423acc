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
_SCOPES, _SEVERAL = (1, 4), (1, 3)


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


def amended(entity: Entity, version: Version, names: Mapping[str, str]) -> Entity:
    """The entity in the words of a version.

    Args:
        names: IRI → name, as `context.Context.names`; a vocab in a plain Property is a text.
    """
    attributes = {
        iri: [_amended(each, version, names) for each in _instances(instances, version)]
        for iri, instances in entity.attributes.items()
    }
    return msgspec.structs.replace(
        entity,
        attributes=attributes,
        types=entity.types[:1] if version < _SEVERAL else entity.types,
        scope=() if version < _SCOPES else entity.scope,
    )


def amended_document(document: Any, version: Version) -> Any:
    """An entity, fragment or attribute as JSON, or a list of such, in the words of a version; values stay."""
    if isinstance(document, list):
        return [amended_document(each, version) for each in cast("list[object]", document)]
    if not isinstance(document, dict):
        return cast("object", document)
    given = cast("dict[str, Any]", document)
    rest = {name: _amended_member(name, value, version) for name, value in given.items()}
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


def _instances(instances: list[Instance], version: Version) -> list[Instance]:
    """Before there were several, the default one, or the first."""
    if version >= _SEVERAL:
        return instances
    return sorted(instances, key=lambda instance: "datasetId" in instance)[:1]


def _amended(instance: Instance, version: Version, names: Mapping[str, str]) -> Instance:
    since, fallback = _INTRODUCED.get(instance["type"], ((1, 0), ""))
    if version >= since:
        return instance
    member = KINDS[instance["type"]].member
    rest = {name: value for name, value in instance.items() if name not in ("type", member)}
    value = _named(instance[member], names) if member == "vocab" else instance[member]
    return {"type": fallback, KINDS[fallback].member: value, **rest}


def _named(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [names[iri] for iri in cast("list[str]", value)]
    return names[value]
