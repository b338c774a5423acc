"""What a notification tells of an entity, as the outbox keeps it: what is, what went, what was (5.8.6)."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from machinami.linkage.rules import Happened, Rule, Written, by_dataset
from machinami.model import Attributes, Entity, Instance, format_time
from machinami.ngsild.terms import DEFAULT_INSTANCE, KINDS, NGSI_NULL
from machinami.ngsild.times import parse_time


def notified(happened: Happened, rule: Rule, now: datetime) -> dict[str, Any]:
    """An entity that a rule concerns.

    What is deleted stands there as NGSI-LD Null; of a deleted entity only that it is, unless its values
    before are asked for, or its attributes' deletion is what the rule is for.
    """
    written = happened.written
    old = written.before.attributes if written.before else {}
    if written.after is not None:
        return wanted(entity_document(written.after, _changed(written, old, rule, now)), rule)
    names = old.keys() if rule.show_changes else _lost(rule, written)
    nulls = {name: [*_nulls(old[name], {}, rule, now)] for name in names if name in old}
    document = wanted(entity_document(happened.entity, nulls), rule)
    return {**document, "deletedAt": format_time(now)}


def entity_document(entity: Entity, attributes: Attributes | None = None) -> dict[str, Any]:
    """An entity as the outbox keeps it.

    Args:
        attributes: instead of its own.
    """
    return {
        "id": entity.id,
        "types": list(entity.types),
        "scope": list(entity.scope),
        "attributes": entity.attributes if attributes is None else attributes,
        "createdAt": format_time(entity.created_at) if entity.created_at else None,
        "modifiedAt": format_time(entity.modified_at) if entity.modified_at else None,
    }


def entity_of_document(document: dict[str, Any]) -> Entity:
    """The entity that `entity_document` was made of."""
    created, modified = document["createdAt"], document["modifiedAt"]
    return Entity(
        id=document["id"],
        types=tuple(document["types"]),
        attributes=document["attributes"],
        scope=tuple(document["scope"]),
        created_at=parse_time(created) if created else None,
        modified_at=parse_time(modified) if modified else None,
    )


def wanted(document: dict[str, Any], rule: Rule) -> dict[str, Any]:
    """The document with those attributes only that the rule tells."""
    if not rule.attributes:
        return document
    kept = {name: value for name, value in document["attributes"].items() if name in rule.attributes}
    return {**document, "attributes": kept}


def _changed(written: Written, old: Attributes, rule: Rule, now: datetime) -> Attributes:
    """All attributes, the changed ones as they are to be told."""
    attributes = {**written.after.attributes} if written.after else {}
    for name in written.changed:
        kept = _shown(attributes.get(name, []), old.get(name, []), rule)
        nulls = [*_nulls(old.get(name, []), by_dataset(kept), rule, now)]
        attributes[name] = [*kept, *(nulls if kept or rule.show_changes else _as_one(nulls))]
    return {name: instances for name, instances in attributes.items() if instances}


def _as_one(nulls: list[Instance]) -> list[Instance]:
    """Of an attribute that is gone with all its instances no more is told than that (clause 5.8.6)."""
    if len(nulls) < 2:
        return nulls
    return [{name: value for name, value in nulls[0].items() if name != "datasetId"}]


def _lost(rule: Rule, written: Written) -> Collection[str]:
    """Attributes whose deletion, with their entity, is what the rule is for."""
    if "attributeDeleted" not in rule.triggers:
        return ()
    return [name for name in written.changed if not rule.watched or name in rule.watched]


def _shown(instances: list[Instance], old: list[Instance], rule: Rule) -> list[Instance]:
    if not rule.show_changes:
        return instances
    before, after = by_dataset(old), by_dataset(instances)
    return [
        {**instance, **_previous(before[dataset])}
        if dataset in before and before[dataset] != after[dataset]
        else instance
        for instance in instances
        for dataset in (instance.get("datasetId", ""),)
    ]


def _previous(instance: Instance) -> dict[str, Any]:
    member = KINDS[instance["type"]].member
    return {f"previous{member[0].upper()}{member[1:]}": instance[member]}


def _nulls(old: list[Instance], kept: Collection[str], rule: Rule, now: datetime) -> Iterator[Instance]:
    """Instances that are gone: null takes the value's place, in a language map under @none."""
    for instance in old:
        dataset = instance.get("datasetId", "")
        if dataset in kept:
            continue
        kind = KINDS[instance["type"]]
        null = {DEFAULT_INSTANCE: NGSI_NULL} if kind.member == "languageMap" else NGSI_NULL
        gone: Instance = {"type": kind.name, kind.member: null}
        if dataset:
            gone["datasetId"] = dataset
        if rule.show_changes:
            gone |= _previous(instance)
        if rule.sys_attrs:
            stamps = {name: instance[name] for name in ("createdAt", "modifiedAt") if name in instance}
            gone |= {**stamps, "deletedAt": format_time(now)}
        yield gone
