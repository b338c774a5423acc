"""Attribute instances as clients write them → instances as `machinami.model` keeps them (clause 4.5)."""

from collections.abc import Iterator
from typing import Any, TypeAlias, cast

import msgspec

from machinami.model import Instance
from machinami.ngsild.content import check_content
from machinami.ngsild.context import CORE, Context
from machinami.ngsild.core_terms import DEFAULT_VOCABULARY, NGSI_LD
from machinami.ngsild.geometry import looks_like_geometry
from machinami.ngsild.terms import (
    DEFAULT_INSTANCE,
    GEO_ATTRIBUTES,
    KINDS,
    NAME_MEMBERS,
    NGSI_NULL,
    NON_REIFIED,
    PROOF,
    PROOF_MEMBERS,
    SYSTEM_MEMBERS,
    VALUE_MEMBERS,
    Kind,
    is_null,
)
from machinami.ngsild.values import FIXED_MEMBERS, MEMBER_CHECKS, VALUE_CHECKS, wrong

_PASSED_OVER = SYSTEM_MEMBERS | {"type", "lang"}
_COMMON = frozenset({"observedAt", "datasetId", "expiresAt"})
_WRAPPED = frozenset({"languageMap", "vocab", "json"})  # value members that the simplified form keeps
_RESERVED_IRIS = frozenset(CORE.expand(member) for member in NON_REIFIED)
_GEO_IRIS = frozenset(CORE.expand(term) for term in GEO_ATTRIBUTES)
_PROOF_IRIS = frozenset({NGSI_LD + PROOF, DEFAULT_VOCABULARY + PROOF})  # Annex B of 1.9.1, and before it
_PROPERTY = KINDS["Property"]
_PROOF_KIND = msgspec.structs.replace(_PROPERTY, extras=_PROPERTY.extras | PROOF_MEMBERS)
_ANY_EXTRAS = frozenset[str]().union(*(kind.extras for kind in KINDS.values()))

_Part: TypeAlias = tuple[Kind | None, dict[str, Any], str]
"""Kind of an instance (None where a partial update leaves it out), its members, its JSON path."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What a request allows.

    Attributes:
        simplified: an object with a foreign ``type`` is a value, and so is one with a ``value`` member.
        nulls: ``urn:ngsi-ld:null`` may stand for what is to be deleted.
        deep: it may do so inside a value too (merge patch, clause 5.5.12).
        partial: the value may be missing (clause 5.6.4).
        history: one datasetId may come many times (temporal representation).
    """

    simplified: bool = False
    nulls: bool = False
    deep: bool = False
    partial: bool = False
    history: bool = False


class Reader:
    """Reads attributes of one request."""

    def __init__(self, context: Context, rules: Rules) -> None:
        self.context = context
        self.rules = rules

    def add(self, into: dict[str, Any], name: str, document: object, path: str) -> None:
        """Reads the attribute `name` and puts its instances into `into` under its IRI."""
        iri = self.context.expand(name, path)
        if name in NON_REIFIED or iri in _RESERVED_IRIS or iri.startswith("@"):
            raise wrong(path, name, "is a term of the standard, no attribute name", "Choose another name")
        if iri in into:
            raise wrong(path, name, f"is given twice, as {iri}", "Keep one of the two")
        into[iri] = self.read(iri, document, path)

    def read(self, iri: str, document: object, path: str) -> list[Instance]:
        """Instances of one attribute, in any representation."""
        instances: list[Instance] = []
        for told, members, place in self._parts(document, path):
            kind = _proof_kind(told, members, place) if iri in _PROOF_IRIS else told
            instance = self._instance(kind, members, place)
            if iri in _GEO_IRIS:
                _check_geo(instance, place)
            instances.append(instance)
        if not self.rules.history:
            _check_datasets(instances, path)
        return instances

    def _parts(self, document: object, path: str) -> Iterator[_Part]:
        """The instances: of an array of them, of the simplified ``dataset`` form, or a single one."""
        views = _views(document)
        for dataset, view in views.items():
            kind, members, place = self._part(view, f"{path}.dataset.{dataset}")
            yield kind, {**members, "datasetId": dataset}, place
        entries = _instances_among(document, simplified=self.rules.simplified)
        for index, entry in enumerate(entries):
            if not isinstance(entry, dict):
                raise wrong(f"{path}[{index}]", entry, "is no instance", 'Write it as {"value": …}')
            yield self._part(cast("object", entry), f"{path}[{index}]")
        if not views and not entries:
            yield self._part(document, path)

    def _part(self, document: object, path: str) -> _Part:
        """Kind and members, in the normalized way, of a single instance in any representation."""
        if not isinstance(document, dict):
            return KINDS["Property"], {"value": document}, path
        members = cast("dict[str, Any]", document)
        if looks_like_geometry(members):
            return KINDS["GeoProperty"], {"value": members}, path
        if "@type" in members:  # may stand for type (clause 4.4)
            members = {"type" if name == "@type" else name: value for name, value in members.items()}
        if "type" in members:
            return *self._typed(members, path), path
        member = next((name for name in VALUE_MEMBERS if name in members), None)
        if member and not (self.rules.simplified and (member not in _WRAPPED or len(members) > 1)):
            return _told_by(member, members), members, path
        if self.rules.partial:
            return None, members, path
        return KINDS["Property"], {"value": members}, path

    def _typed(self, members: dict[str, Any], path: str) -> tuple[Kind, dict[str, Any]]:
        given = members["type"]
        if isinstance(given, str) and given in KINDS:
            return KINDS[given], members
        if self.rules.simplified:
            return KINDS["Property"], {"value": members}
        raise wrong(f"{path}.type", given, "is no kind of attribute", f"Use one of {', '.join(KINDS)}")

    def _instance(self, kind: Kind | None, members: dict[str, Any], path: str) -> Instance:
        instance: Instance = {}
        if kind:
            instance["type"] = kind.name
            if kind.member in members or not self.rules.partial:
                instance[kind.member] = self._value(kind, members.get(kind.member), f"{path}.{kind.member}")
        for name, value in members.items():
            if name not in _PASSED_OVER and not (kind and name == kind.member):
                self._add_member(instance, kind, name, value, f"{path}.{name}")
        return instance

    def _value(self, kind: Kind, value: object, path: str) -> object:
        if value is None:
            raise wrong(path, value, "is missing or null", f"A {kind.name} needs {kind.member}")
        if value == NGSI_NULL and (self.rules.nulls or self.rules.history):
            return value
        if self.rules.nulls and not self.rules.deep and not is_null({kind.member: value}):
            check_content(value, nulls=False)
        return self._coerced(kind.member, VALUE_CHECKS[kind.name](value, path), path)

    def _coerced(self, member: str, value: Any, path: str) -> object:
        """Names among the members, expanded (clause 5.5.7)."""
        if member not in NAME_MEMBERS or value == NGSI_NULL:
            return value
        if isinstance(value, list):
            return [self.context.expand_value(name, path) for name in cast("list[str]", value)]
        return self.context.expand_value(value, path)

    def _add_member(self, instance: Instance, kind: Kind | None, name: str, value: object, path: str) -> None:
        if name not in NON_REIFIED:
            self.add(instance, name, value, path)
        elif name not in (kind.extras if kind else _ANY_EXTRAS) | _COMMON:
            whose = kind.name if kind else "partial update"
            raise wrong(path, value, f"is not allowed in a {whose}", f"Leave out {name}")
        elif value == NGSI_NULL and self.rules.nulls and name != "datasetId":
            instance[name] = value
        elif kind and value != (fixed := FIXED_MEMBERS.get((kind.name, name), value)):
            raise wrong(path, value, f"can only be {fixed}", "Write that, or leave it out")
        elif (name, value) != ("datasetId", DEFAULT_INSTANCE):
            instance[name] = self._coerced(name, MEMBER_CHECKS[name](value, path), path)


def _proof_kind(kind: Kind | None, members: dict[str, Any], path: str) -> Kind:
    """The kind of a proof: a Property with an object in it (clause 4.5.2.2)."""
    value = members.get("value", {})
    if kind not in (None, _PROPERTY) or not (isinstance(value, dict) or value == NGSI_NULL):
        raise wrong(path, members, f"is no {PROOF}", "Write a Property whose value is a W3C proof, an object")
    return _PROOF_KIND


def _check_geo(instance: Instance, path: str) -> None:
    """Some attributes are GeoProperties always (clause 4.7.1)."""
    if instance.get("type", "GeoProperty") != "GeoProperty" and instance.get("value") != NGSI_NULL:
        raise wrong(path, instance.get("value"), "is a GeoProperty always", "Give it a GeoJSON geometry")


def _instances_among(document: object, *, simplified: bool = False) -> list[object]:
    """Elements of an array of attribute instances; none where the array is a value, or there is no array."""
    entries = cast("list[object]", document) if isinstance(document, list) else []
    return entries if any(_is_instance(entry, simplified) for entry in entries) else []


def _is_instance(entry: object, simplified: bool) -> bool:
    if not isinstance(entry, dict):
        return False
    members = cast("dict[str, Any]", entry)
    kind = members.get("type")
    return (isinstance(kind, str) and kind in KINDS) or (not simplified and _has_value_member(members))


def _views(document: object) -> dict[str, object]:
    """Values by datasetId, where the document is the simplified form of several instances (clause 4.5.4)."""
    if not isinstance(document, dict) or list(cast("dict[str, object]", document)) != ["dataset"]:
        return {}
    views = cast("dict[str, object]", document)["dataset"]
    return cast("dict[str, object]", views) if isinstance(views, dict) else {}


def is_bare_value(value: object) -> bool:
    """Whether a value alone, without ``{"value": …}`` around it, is read as a Property of that value."""
    if not isinstance(value, dict):
        return not _instances_among(value)
    members = cast("dict[str, Any]", value)
    return not ({"type", "@type"} & members.keys() or _views(members) or _has_value_member(members))


def _has_value_member(members: dict[str, Any]) -> bool:
    return not VALUE_MEMBERS.keys().isdisjoint(members)


def _told_by(member: str, members: dict[str, Any]) -> Kind:
    """Kind that the value member tells; a geometry as ``value`` tells a GeoProperty (clause 4.5.2.3)."""
    geo = member == "value" and looks_like_geometry(members["value"])
    return KINDS["GeoProperty" if geo else VALUE_MEMBERS[member]]


def _check_datasets(instances: list[Instance], path: str) -> None:
    seen: set[str | None] = set()
    for instance in instances:
        dataset = instance.get("datasetId")
        if dataset in seen:
            what = f"datasetId {dataset}" if dataset else "an instance without datasetId"
            raise wrong(path, dataset, f"has {what} twice", "Give each instance a datasetId of its own")
        seen.add(dataset)
