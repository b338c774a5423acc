"""Attributes in the three representations: normalized, concise and simplified (clauses 4.5.2 to 4.5.24).

This runs for every attribute of every entity a query finds, so plain instances pass through untouched.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeAlias, cast

from machinami.model import Instance
from machinami.ngsild.geometry import looks_like_geometry
from machinami.ngsild.instances import is_bare_value
from machinami.ngsild.languages import choose_language, parse_languages
from machinami.ngsild.terms import DEFAULT_INSTANCE, KINDS, NAME_MEMBERS, NGSI_NULL, Kind

Answer: TypeAlias = dict[str, Any]

_Form: TypeAlias = Callable[[Instance], Any]


class Representation(StrEnum):
    """How a client wants entities, in the words of the ``format`` parameter (clause 6.3.7)."""

    NORMALIZED = "normalized"
    CONCISE = "concise"
    SIMPLIFIED = "simplified"


_AS_IS = frozenset(
    {"type", "value", "object", "json", "valueList", "languageMap", "unitCode", "observedAt", "datasetId"}
    | {"instanceId", "deletedAt", "lang"}
)
_SYSTEM = frozenset({"createdAt", "modifiedAt", "expiresAt"})
_NAMES = NAME_MEMBERS | {"previousVocab"}
_WRAPPED = frozenset({"languageMap", "json", "vocab"})  # value members that the simplified form names


_TOLD_BY_GEOMETRY = {"Property": False, "GeoProperty": True}


class Presenter:
    """Renders attributes for one request.

    Args:
        names: IRI → name, as `context.Context.names`.
        representation: how.
        sys_attrs: with ``createdAt``, ``modifiedAt`` and ``expiresAt``.
        lang: language filter (clause 4.15), or None.
    """

    __slots__ = ("_alone", "_among", "_as_is", "_hidden", "_lang", "_names", "_representation")

    def __init__(
        self, names: Mapping[str, str], representation: Representation, *, sys_attrs: bool, lang: str | None
    ) -> None:
        if lang:
            parse_languages(lang)  # a wrong one is said even where no text is rendered
        self._names = names
        self._representation = representation
        self._lang = lang
        self._as_is = _AS_IS | _SYSTEM if sys_attrs else _AS_IS
        self._hidden: frozenset[str] = frozenset() if sys_attrs else _SYSTEM
        # Form of an instance that stands alone, form of one among several.
        forms: dict[Representation, tuple[_Form, _Form]] = {
            Representation.NORMALIZED: (self.normalized, self.normalized),
            Representation.CONCISE: (self._concise, self._terse),
            Representation.SIMPLIFIED: (self._simplified, self._simplified),
        }
        self._alone, self._among = forms[representation]

    def attribute(self, instances: list[Instance]) -> Any:
        """All instances of one attribute (clause 4.5.5)."""
        if len(instances) == 1:
            return self._alone(instances[0])
        forms = [self._among(instance) for instance in instances]
        if self._representation is not Representation.SIMPLIFIED:
            return forms
        datasets = [instance.get("datasetId", DEFAULT_INSTANCE) for instance in instances]
        return {"dataset": dict(zip(datasets, forms, strict=True))}

    def kind(self, instance: Instance) -> Kind:
        """Kind of an instance as the client sees it: with a language filter texts are plain Properties."""
        is_text = self._lang and isinstance(instance.get("languageMap"), dict)
        return KINDS["Property" if is_text else instance["type"]]

    def normalized(self, instance: Instance) -> Answer:
        """One instance in full; the very same dict where nothing has to be changed."""
        if self._lang and "languageMap" in instance:
            instance = _in_language(instance, self._lang)
        as_is = self._as_is
        if instance.keys() <= as_is:
            return instance
        answer: Answer = {}
        for member, value in instance.items():
            if member in as_is:
                answer[member] = value
            elif ":" in member:
                answer[self._names[member]] = self.attribute(value)
            elif member not in self._hidden:
                answer[member] = self._outside(member, value)
        return answer

    def _outside(self, member: str, value: Any) -> Any:
        """Values that look different outside: names, and the objects of a ListRelationship."""
        if member in _NAMES:
            several = isinstance(value, list)
            names = [self._names[iri] for iri in (cast("list[str]", value) if several else [value])]
            return names if several else names[0]
        if (
            member == "objectList"
            and value != NGSI_NULL
            and self._representation is Representation.NORMALIZED
        ):
            return [{"object": uri} for uri in value]
        return value

    def _concise(self, instance: Instance) -> Any:
        """One instance, its value alone where that says all (clauses 4.5.2.3 and 4.7.3)."""
        terse = self._terse(instance)
        if len(terse) == 1 and "value" in terse:
            value = terse["value"]
            return value if looks_like_geometry(value) or is_bare_value(value) else terse
        return terse

    def _terse(self, instance: Instance) -> Answer:
        """One instance without a type that its value tells."""
        full = self.normalized(instance)
        kind = full["type"]
        if kind in _TOLD_BY_GEOMETRY and looks_like_geometry(full["value"]) != _TOLD_BY_GEOMETRY[kind]:
            return full
        return {member: value for member, value in full.items() if member != "type"}

    def _simplified(self, instance: Instance) -> Any:
        """The value of one instance (clause 4.5.4)."""
        if self._lang and "languageMap" in instance:
            instance = _in_language(instance, self._lang)
        member = KINDS[instance["type"]].member
        value = self._outside(member, instance[member])
        return {member: value} if member in _WRAPPED else value


def _in_language(instance: Instance, lang: str) -> Instance:
    """A LanguageProperty as a Property in one language (clause 4.15)."""
    texts = instance["languageMap"]
    if not isinstance(texts, dict):  # an NGSI-LD Null
        return instance
    tag, text = choose_language(cast("dict[str, Any]", texts), lang)
    rest = {member: value for member, value in instance.items() if member not in ("type", "languageMap")}
    return {"type": "Property", "value": text, "lang": tag, **rest}
