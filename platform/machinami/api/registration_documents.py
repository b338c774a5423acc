"""Registration documents (clauses 5.2.8 to 5.2.11 and 5.2.34): as clients write them, as stored, as shown.

Stored members have their names expanded, so that they mean the same whatever @context they are read with. A
member that the standard does not know is a Context Source Property and may be asked for with ``csf``.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from machinami.api import members
from machinami.api.members import Reader, wrong
from machinami.api.negotiation import JSON, JSON_LD
from machinami.api.shapes import as_array, is_texts
from machinami.federation.registration import Mode
from machinami.federation.showing import NAMES, TYPE
from machinami.ngsild.context import Context
from machinami.ngsild.operations import AUXILIARY, GROUPS, OPERATIONS
from machinami.ngsild.patterns import check_pattern
from machinami.ngsild.terms import NGSI_NULL, check_uri

_PASSED_OVER = frozenset({
    "id", "type", "createdAt", "modifiedAt",
    "lastFailure", "lastSuccess", "status", "timesFailed", "timesSent",
})  # fmt: skip
_NEEDED = ("endpoint", "information")
_VERSION = re.compile(r"\d+\.\d+", re.ASCII)


def read_registration(document: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """A whole registration as it is stored.

    Raises:
        BadRequestData: it breaks clause 5.2.9.
    """
    return checked(_read(document, context))


def read_change(document: Mapping[str, Any], context: Context) -> "Change":
    """A fragment (clause 5.9.3): the members given replace those that are there; a null removes one.

    Raises:
        BadRequestData: it breaks clause 5.2.9.
    """
    removed = frozenset(name for name, value in document.items() if value is None or value == NGSI_NULL)
    kept = {name: value for name, value in document.items() if name not in removed}
    own = frozenset(context.expand(name) for name in removed if name not in _MEMBERS)
    return Change(_read(kept, context, whole=False), removed, own)


class Change:
    """What a fragment does to a stored registration."""

    def __init__(self, given: dict[str, Any], removed: frozenset[str], own: frozenset[str]) -> None:
        self._given = given
        self._removed = removed
        self._own = own

    def __call__(self, stored: dict[str, Any]) -> dict[str, Any]:
        """The document as it is afterwards.

        Raises:
            BadRequestData: it lacks what every registration has.
        """
        document = {
            name: value for name, value in {**stored, **self._given}.items() if name not in self._removed
        }
        own = {**stored.get("properties", {}), **self._given.get("properties", {})}
        document["properties"] = {name: value for name, value in own.items() if name not in self._own}
        return checked(document)


def checked(stored: dict[str, Any]) -> dict[str, Any]:
    """The stored form of a whole registration, if its members go together (clause 5.9.2.4)."""
    for name in _NEEDED:
        if name not in stored:
            raise wrong(name, None, "is missing", f"Give {name}")
    operations = stored.get("operations", ())
    if stored.get("mode") == Mode.AUXILIARY and not set(operations) <= AUXILIARY:
        raise wrong(
            "operations", operations, "are not for an auxiliary source", f"Of {', '.join(sorted(AUXILIARY))}"
        )
    return stored


def _read(document: Mapping[str, Any], context: Context, *, whole: bool = True) -> dict[str, Any]:
    if document.get("type", None if whole else TYPE) != TYPE:
        raise wrong("type", document.get("type"), f"is not {TYPE}", f'Write "type": "{TYPE}"')
    stored: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for name, value in document.items():
        if name in _MEMBERS:
            stored.update(_MEMBERS[name](value, context))
        elif name not in _PASSED_OVER:
            own[context.expand(name)] = value
    return {**stored, "properties": own} if own else stored


def _information(value: Any, context: Context) -> Mapping[str, Any]:
    items = [_ITEM(item, context)["information"] for item in as_array(value)]
    if not items:
        raise wrong("information", value, "is not a list", 'Write [{"entities": [{"type": "T"}]}]')
    return {"information": items}


def _entities(value: Any, context: Context) -> Mapping[str, Any]:
    items = [_ENTITY(item, context)["entities"] for item in as_array(value)]
    if not items:
        raise wrong("entities", value, "is not a list of EntityInfo", 'Write [{"type": "T"}]')
    return {"entities": items}


def _types(value: Any, context: Context) -> Mapping[str, Any]:
    listed = [value] if isinstance(value, str) else value
    if not is_texts(listed):
        raise wrong("entities.type", value, "is neither a name nor a list of names", "Name a type")
    return {"type": [context.expand_type(name) for name in listed]}


def _id(value: Any, _: Context) -> Mapping[str, Any]:
    return {"id": check_uri(value, "entities.id")}


def _pattern(value: Any, _: Context) -> Mapping[str, Any]:
    if not isinstance(value, str):
        raise wrong("entities.idPattern", value, "is not a text", "Write a regular expression")
    return {"idPattern": check_pattern(value, "entities.idPattern")}


def _source_info(value: Any, context: Context) -> Mapping[str, Any]:
    found = _PAIRS(value, context)
    for pair in found["contextSourceInfo"]:
        if pair["key"] in _INFO_VALUES and not _INFO_VALUES[pair["key"]](pair["value"]):
            raise wrong(
                f"contextSourceInfo.{pair['key']}", pair["value"], "cannot be this", "See clause 4.3.6.6"
            )
    return found


_PAIRS = members.header_pairs("contextSourceInfo")
_INFO_VALUES: Mapping[str, Callable[[str], object]] = {
    "accept": (JSON, JSON_LD).__contains__,
    "contentType": (JSON, JSON_LD).__contains__,
    "jsonldContext": members.is_web_address,
    "ngsildConformance": _VERSION.fullmatch,
}
_ENTITY = members.record("entities", {"type": _types, "id": _id, "idPattern": _pattern})
_ITEM = members.record(
    "information", {"entities": _entities, **{name: members.names(name) for name in NAMES}}
)
_MANAGEMENT = {
    "cacheDuration": members.duration("cacheDuration"),
    "cooldown": members.milliseconds("cooldown"),
    "localOnly": members.flag("localOnly"),
    "timeout": members.milliseconds("timeout"),
}
_MEMBERS: Mapping[str, Reader] = {
    "contextSourceAlias": members.token("contextSourceAlias"),
    "contextSourceInfo": _source_info,
    "datasetId": members.datasets("datasetId"),
    "description": members.text("description"),
    "endpoint": members.web_address("endpoint"),
    "expiresAt": members.future("expiresAt"),
    "information": _information,
    "localOnly": members.flag("localOnly"),
    "location": members.geometry("location"),
    "management": members.record("management", _MANAGEMENT),
    "managementInterval": members.interval("managementInterval"),
    "mode": members.word("mode", Mode),
    "observationInterval": members.interval("observationInterval"),
    "observationSpace": members.geometry("observationSpace"),
    "operationSpace": members.geometry("operationSpace"),
    "operations": members.words("operations", OPERATIONS.union(GROUPS)),
    "refreshRate": members.duration("refreshRate"),
    "registrationName": members.text("registrationName"),
    "scope": members.scopes("scope"),
    "tenant": members.text("tenant"),
}
