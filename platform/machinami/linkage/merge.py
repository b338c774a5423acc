"""What a change does to an entity: pure, no database. ETSI GS CIM 009 clauses 5.5.8 and 5.6."""

from collections.abc import Callable, Iterable
from datetime import datetime
from math import isfinite
from typing import Any

import msgspec

from machinami.errors import AlreadyExists, MachinamiError, NotFound
from machinami.model import Change, Entity, Instance, Operation, Outcome, format_time

_PLAIN = frozenset({"type", "value", "unitCode", "observedAt", "datasetId"})
_EXACT = 2**53  # integers beyond are not exact in a double


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One row of history to be.

    Attributes:
        attribute: expanded name; dataset_id and unit_code are empty where the instance has none.
        number: value of a plain numeric Property observed at a stated time; else None.
        instance: the whole instance, stored where the number alone does not say everything.
    """

    entity_id: str
    attribute: str
    dataset_id: str
    unit_code: str
    observed_at: datetime
    number: float | None
    instance: Instance


class Draft:
    """An entity while a batch of changes is applied to it, and the history that they make."""

    __slots__ = ("after", "before", "changed", "history", "now", "stamp")

    def __init__(self, before: Entity | None, now: datetime) -> None:
        self.before = before
        self.after = before
        self.now = now
        self.stamp = format_time(now)
        self.changed: dict[str, None] = {}
        self.history: list[Observation] = []

    def apply(self, change: Change) -> Outcome | MachinamiError:
        """Apply one change; errors are given back, not raised, and leave the draft as it was."""
        return _OPERATIONS[change.operation](self, change)

    def attributes(self) -> dict[str, list[Instance]]:
        """The current attributes; shared with `before`, so never changed in place."""
        return self.after.attributes if self.after else {}

    def replace(self, change: Change, attributes: dict[str, list[Instance]], types: tuple[str, ...]) -> None:
        """Make this the current state."""
        old = self.after
        self.after = Entity(
            id=change.entity_id,
            types=types,
            attributes=attributes,
            scope=change.scope if change.scope is not None else (old.scope if old else ()),
            created_at=old.created_at if old else self.now,
            modified_at=self.now,
        )


def _write(draft: Draft, change: Change, attributes: dict[str, list[Instance]], names: Iterable[str]) -> None:
    for name in names:
        current = attributes.get(name, [])
        for instance in change.attributes[name]:
            draft.history.append(_observation(change.entity_id, name, instance, draft))
            current = _with(current, instance, draft.stamp, only_newer=change.only_newer)
        attributes[name] = current
        draft.changed[name] = None


def _with(current: list[Instance], instance: Instance, stamp: str, *, only_newer: bool) -> list[Instance]:
    dataset = instance.get("datasetId")
    for position, old in enumerate(current):
        if old.get("datasetId") == dataset:
            if only_newer and _is_older(instance, old):
                return current
            stamped = {**instance, "createdAt": old["createdAt"], "modifiedAt": stamp}
            return [*current[:position], stamped, *current[position + 1 :]]
    return [*current, {**instance, "createdAt": stamp, "modifiedAt": stamp}]


def _is_older(new: Instance, old: Instance) -> bool:
    there, here = old.get("observedAt"), new.get("observedAt")
    if there is None or here is None or there == here:
        return False
    return datetime.fromisoformat(here) < datetime.fromisoformat(there)


def _observation(entity_id: str, name: str, instance: Instance, draft: Draft) -> Observation:
    observed = instance.get("observedAt")
    number = _number(instance) if observed else None
    return Observation(
        entity_id=entity_id,
        attribute=name,
        dataset_id=instance.get("datasetId", ""),
        unit_code=instance.get("unitCode", ""),
        observed_at=datetime.fromisoformat(observed) if observed else draft.now,
        number=number,
        instance=instance,
    )


def _number(instance: Instance) -> float | None:
    value: Any = instance.get("value")
    if instance["type"] != "Property" or not instance.keys() <= _PLAIN:
        return None
    if type(value) is float:
        return value if isfinite(value) else None
    return float(value) if type(value) is int and abs(value) <= _EXACT else None


def _missing(change: Change) -> NotFound:
    return NotFound(
        f"no entity {change.entity_id}",
        field="id",
        value=change.entity_id,
        cure="Create it first, or check the tenant",
    )


def _union(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    return old if set(new) <= set(old) else tuple(dict.fromkeys(old + new))


def _merge(draft: Draft, change: Change) -> Outcome:
    created = draft.after is None
    attributes = dict(draft.attributes())
    _write(draft, change, attributes, change.attributes)
    draft.replace(change, attributes, _union(draft.after.types if draft.after else (), change.types))
    return Outcome(entity_id=change.entity_id, created=created, updated=tuple(change.attributes))


def _create(draft: Draft, change: Change) -> Outcome | MachinamiError:
    if draft.after is not None:
        return AlreadyExists(
            f"entity {change.entity_id} exists already",
            field="id",
            value=change.entity_id,
            cure="Update it (PATCH), or choose another id",
        )
    return _merge(draft, change)


def _append(draft: Draft, change: Change) -> Outcome | MachinamiError:
    return _merge(draft, change) if draft.after is not None else _missing(change)


def _some(draft: Draft, change: Change, *, existing: bool, reason: str) -> Outcome | MachinamiError:
    if draft.after is None:
        return _missing(change)
    attributes = dict(draft.after.attributes)
    names = [name for name in change.attributes if (name in attributes) is existing]
    _write(draft, change, attributes, names)
    draft.replace(change, attributes, _union(draft.after.types, change.types))
    left = {name: reason for name in change.attributes if name not in names}
    return Outcome(entity_id=change.entity_id, updated=tuple(names), not_updated=left)


def _append_only(draft: Draft, change: Change) -> Outcome | MachinamiError:
    return _some(draft, change, existing=False, reason="the attribute exists already and noOverwrite is set")


def _update(draft: Draft, change: Change) -> Outcome | MachinamiError:
    return _some(draft, change, existing=True, reason="the entity has no such attribute")


def _replace(draft: Draft, change: Change) -> Outcome | MachinamiError:
    if draft.after is None:
        return _missing(change)
    attributes: dict[str, list[Instance]] = {}
    draft.changed.update(dict.fromkeys(draft.after.attributes))
    _write(draft, change, attributes, change.attributes)
    draft.replace(change, attributes, change.types or draft.after.types)
    return Outcome(entity_id=change.entity_id, updated=tuple(change.attributes))


def _delete(draft: Draft, change: Change) -> Outcome | MachinamiError:
    if draft.after is None:
        return _missing(change)
    draft.changed.update(dict.fromkeys(draft.after.attributes))
    draft.after = None
    return Outcome(entity_id=change.entity_id)


def _delete_attribute(draft: Draft, change: Change) -> Outcome | MachinamiError:
    if draft.after is None:
        return _missing(change)
    attributes = dict(draft.after.attributes)
    for name, datasets in change.attributes.items():
        gone = [instance.get("datasetId") for instance in datasets]
        kept = [item for item in attributes.get(name, []) if gone and item.get("datasetId") not in gone]
        if len(kept) == len(attributes.get(name, [])):
            return NotFound(f"{change.entity_id} has no such attribute", field="attrId", value=name)
        attributes[name] = kept
        draft.changed[name] = None
    draft.replace(change, {name: kept for name, kept in attributes.items() if kept}, draft.after.types)
    return Outcome(entity_id=change.entity_id, updated=tuple(change.attributes))


_OPERATIONS: dict[Operation, Callable[[Draft, Change], Outcome | MachinamiError]] = {
    Operation.CREATE: _create,
    Operation.MERGE: _merge,
    Operation.APPEND: _append,
    Operation.APPEND_ONLY: _append_only,
    Operation.UPDATE: _update,
    Operation.REPLACE: _replace,
    Operation.DELETE: _delete,
    Operation.DELETE_ATTRIBUTE: _delete_attribute,
}
