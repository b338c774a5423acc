"""Partial update of an attribute instance: members given replace those there (clauses 5.5.8, 5.6.4)."""

from typing import Any, cast

from machinami.errors import BadRequestData
from machinami.model import Instance
from machinami.ngsild.terms import NGSI_NULL, is_null


def patched(old: Instance, fragment: Instance, name: str) -> Instance:
    """The instance with the members of a fragment; a member that is NGSI-LD Null goes.

    Raises:
        BadRequestData: the fragment is of another kind.
    """
    if fragment.get("type", old["type"]) != old["type"]:
        raise BadRequestData(
            f"{name} is a {old['type']}",
            field="type",
            value=fragment["type"],
            cure="Keep the type, or replace it (PUT)",
        )
    return {member: value for member, value in {**old, **fragment}.items() if not _is_removed(value)}


def _is_removed(value: Any) -> bool:
    if not isinstance(value, list):
        return value == NGSI_NULL
    instances = cast("list[Any]", value)
    return any(is_null(cast("Instance", one)) for one in instances if isinstance(one, dict))
