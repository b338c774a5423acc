"""Values and members of attribute instances: the check that each must pass (clauses 4.5.2 to 4.5.24)."""

import re
from collections.abc import Callable
from typing import Any, TypeAlias, cast

from machinami.errors import BadRequestData
from machinami.ngsild.geometry import check_geometry
from machinami.ngsild.terms import NGSI_NULL, check_uri
from machinami.ngsild.times import clean_time

Check: TypeAlias = Callable[[object, str], object]
"""Takes a value and its JSON path, gives the value to keep, or raises BadRequestData."""

_LANGUAGE_TAG = re.compile(r"@none|[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")  # the outline of RFC 5646's grammar


def wrong(path: str, value: Any, what: str, cure: str) -> BadRequestData:
    """The error for a value that breaks the standard."""
    return BadRequestData(f"{path} {what}: {value!r:.200}", field=path, value=value, cure=cure)


def _text(value: object, path: str) -> object:
    if not isinstance(value, str) or not value:
        raise wrong(path, value, "is not a text", "Write a string that is not empty")
    return value


def _list(value: object, path: str) -> list[object]:
    if not isinstance(value, list):
        raise wrong(path, value, "is not a list", "Write an array")
    return cast("list[object]", value)


def _one_or_many(check: Check) -> Check:
    """The check of a value that may also be a list, then of at least one."""

    def check_all(value: object, path: str) -> object:
        if not isinstance(value, list):
            return check(value, path)
        entries = cast("list[object]", value)
        if not entries:
            raise wrong(path, entries, "is an empty list", "Name at least one, or leave the attribute out")
        return [check(entry, f"{path}[{index}]") for index, entry in enumerate(entries)]

    return check_all


def check_language(tag: str, field: str) -> str:
    """The language tag itself (RFC 5646); BadRequestData naming `field` when it is none."""
    if not _LANGUAGE_TAG.fullmatch(tag):
        raise wrong(field, tag, "is no language tag", "Use RFC 5646 tags, such as ja or pt-BR")
    return tag


def _language_map(value: object, path: str) -> object:
    if not isinstance(value, dict) or not value:
        raise wrong(
            path, value, "is no map of languages", 'Write an object such as {"ja": "街", "en": "town"}'
        )
    texts = cast("dict[str, object]", value)
    for tag, text in texts.items():
        check_language(tag, f"{path}.{tag}")
        entries = cast("list[object]", text if isinstance(text, list) else [text])
        if not all(isinstance(entry, str) for entry in entries):
            raise wrong(f"{path}.{tag}", text, "is neither a text nor a list of texts", "Write a string")
    return texts


def _json(value: object, path: str) -> object:
    if not isinstance(value, dict | list):
        raise wrong(path, value, "is neither a JSON object nor an array", "Use a Property for a plain value")
    return cast("object", value)


def _object_list(value: object, path: str) -> object:
    """URIs, each bare or as ``{"object": URI}`` (clause 4.5.22)."""
    return [
        check_uri(_unwrapped(entry), f"{path}[{index}]") for index, entry in enumerate(_list(value, path))
    ]


def _unwrapped(entry: object) -> object:
    if isinstance(entry, dict) and list(cast("dict[str, object]", entry)) == ["object"]:
        return cast("dict[str, object]", entry)["object"]
    return cast("object", entry)


def _dataset(value: object, path: str) -> object:
    if value == NGSI_NULL:
        raise wrong(path, value, "cannot be deleted (clause 5.5.8)", "Delete the attribute instance instead")
    return check_uri(value, path)


_NAMES = _one_or_many(_text)

VALUE_CHECKS: dict[str, Check] = {
    "Property": lambda value, path: value,  # noqa: ARG005 - any JSON is a value
    "GeoProperty": check_geometry,
    "Relationship": _one_or_many(check_uri),
    "LanguageProperty": _language_map,
    "VocabProperty": _NAMES,
    "JsonProperty": _json,
    "ListProperty": _list,
    "ListRelationship": _object_list,
}
"""Check of the value member by attribute kind."""

MEMBER_CHECKS: dict[str, Check] = {
    "observedAt": clean_time,
    "expiresAt": clean_time,
    "datasetId": _dataset,
    "unitCode": _text,
    "valueType": _NAMES,
    "objectType": _NAMES,
    "entityIdSealed": _text,
    "entityTypeSealed": _text,
}
"""Check of the other non-reified members that a client may write."""

FIXED_MEMBERS: dict[tuple[str, str], object] = {("LanguageProperty", "valueType"): "langString"}
"""Attribute kind and member → the only value that it may have (clause 5.2.32)."""
