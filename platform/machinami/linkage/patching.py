"""What an attribute instance becomes by a fragment: partial update (5.5.8) and merge patch (5.5.12)."""

from typing import Any, cast

from machinami.errors import BadRequestData
from machinami.model import Instance
from machinami.ngsild.terms import NGSI_NULL, VALUE_MEMBERS, is_null


def patched(old: Instance, fragment: Instance, name: str) -> Instance:
    """The instance with the members of a fragment; a member that is NGSI-LD Null goes.

    Raises:
        BadRequestData: the fragment is of another kind.
    """
    _check_kind(old, fragment, name)
    return {member: value for member, value in {**old, **fragment}.items() if not _is_removed(value)}


def merged(old: Instance | None, fragment: Instance, name: str) -> Instance:
    """The instance with a fragment merged into it to any depth; what is NGSI-LD Null goes.

    A geometry is one value and replaced whole: its coordinates mean nothing without their type.

    Args:
        old: None where there is no such instance yet.

    Raises:
        BadRequestData: the fragment is of another kind.
    """
    old = old or {}
    _check_kind(old, fragment, name)
    whole = dict(old)
    for member, value in fragment.items():
        if value == NGSI_NULL:
            whole.pop(member, None)
        elif member in VALUE_MEMBERS:
            is_geometry = fragment.get("type", old.get("type")) == "GeoProperty"
            whole[member] = value if is_geometry else _merged_value(old.get(member), value)
        elif not isinstance(value, list) or isinstance(value[0], str):  # unitCode, valueType …
            whole[member] = value
        elif instances := _merged_instances(old.get(member, []), cast("list[Instance]", value), member):
            whole[member] = instances
        else:
            whole.pop(member, None)
    return whole


def _merged_instances(old: list[Instance], fragments: list[Instance], name: str) -> list[Instance]:
    """Instances of a sub-attribute, each merged into the one of its datasetId."""
    whole = {instance.get("datasetId"): instance for instance in old}
    for fragment in fragments:
        dataset = fragment.get("datasetId")
        if is_null(fragment):
            whole.pop(dataset, None)
        else:
            whole[dataset] = merged(whole.get(dataset), fragment, name)
    return list(whole.values())


def _merged_value(old: Any, value: Any) -> Any:
    """JSON Merge Patch (IETF RFC 7396) with NGSI-LD Null for null."""
    if not isinstance(value, dict):
        return value
    whole = dict(cast("dict[str, Any]", old)) if isinstance(old, dict) else {}
    for key, each in cast("dict[str, Any]", value).items():
        if each == NGSI_NULL:
            whole.pop(key, None)
        else:
            whole[key] = _merged_value(whole.get(key), each)
    return whole


def _check_kind(old: Instance, fragment: Instance, name: str) -> None:
    kind = old.get("type", fragment.get("type"))
    if fragment.get("type", kind) != kind:
        raise BadRequestData(
            f"{name} is a {kind}",
            field="type",
            value=fragment["type"],
            cure="Keep the type, or replace it (PUT)",
        )


def _is_removed(value: Any) -> bool:
    if not isinstance(value, list):
        return value == NGSI_NULL
    instances = cast("list[Any]", value)
    return any(is_null(cast("Instance", one)) for one in instances if isinstance(one, dict))
