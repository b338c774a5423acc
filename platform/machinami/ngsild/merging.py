"""Merge patch as clients write it: what only makes sense beside what is there already (clause 5.6.17).

A bare value keeps the kind of the attribute it goes to, a common language names the text that is meant, and a
common ``observedAt`` dates what was dated before.
"""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from machinami.model import Attributes, Instance
from machinami.ngsild.context import Context
from machinami.ngsild.geometry import looks_like_geometry
from machinami.ngsild.instances import is_bare_value
from machinami.ngsild.terms import KINDS, NGSI_NULL

_ENTITY_MEMBERS = frozenset({"id", "@id", "type", "@type", "scope", "expiresAt", "@context"})
_WRAPPERS = frozenset({"languageMap", "vocab", "json"})  # what is left of a kind in the simplified form


class Common(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says of all its attributes; empty texts say nothing.

    Attributes:
        simplified: objects are plain values, but for what clause 4.5.4 wraps.
        lang: natural language of texts that go to LanguageProperties.
        observed_at: RFC 3339 in UTC.
    """

    simplified: bool = False
    lang: str = ""
    observed_at: str = ""


def adapted(
    document: Mapping[str, Any], attributes: Attributes, context: Context, common: Common
) -> dict[str, Any]:
    """The fragment with its values told apart by the kinds of the attributes that are there.

    Args:
        attributes: those of the entity, by IRI.
    """
    return {
        name: value
        if name in _ENTITY_MEMBERS
        else _attribute(value, attributes.get(context.expand(name), []), common)
        for name, value in document.items()
    }


def _attribute(value: object, there: list[Instance], common: Common) -> object:
    if isinstance(value, list) and not is_bare_value(cast("object", value)):
        return [_instance(each, there, common) for each in cast("list[object]", value)]
    return _instance(cast("object", value), there, common)


def _instance(value: object, there: list[Instance], common: Common) -> object:
    given = _as_members(value)
    old = next((each for each in there if each.get("datasetId") == given.get("datasetId")), None)
    if old is None or value == NGSI_NULL:
        return value
    members = _members(value, old, common) if _is_plain(value, common) else dict(given)
    if common.observed_at and "observedAt" in old:
        members.setdefault("observedAt", common.observed_at)
    return members


def _members(value: object, old: Instance, common: Common) -> dict[str, Any]:
    """A plain value as members of an instance of the kind that is there."""
    kind = KINDS[old["type"]]
    if kind.name == "LanguageProperty" and common.lang and isinstance(value, str | list):
        return {"type": kind.name, kind.member: {common.lang: cast("object", value)}}
    return {"type": kind.name, kind.member: value}


def _as_members(value: object) -> dict[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _is_plain(value: object, common: Common) -> bool:
    if not isinstance(value, dict):
        return True
    members = _as_members(cast("object", value))
    if looks_like_geometry(members):
        return True
    if common.simplified:
        return not (len(members) == 1 and _WRAPPERS & members.keys())
    return is_bare_value(members)
