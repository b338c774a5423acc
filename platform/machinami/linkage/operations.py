"""What each operation does to an entity: pure, no database. ETSI GS CIM 009 clauses 5.5.8 and 5.6."""

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from machinami.errors import AlreadyExists, MachinamiError, NotFound
from machinami.linkage.draft import NO_SCOPE, Draft
from machinami.linkage.patching import merged, patched
from machinami.linkage.slots import Slot
from machinami.model import NEVER, Attributes, Change, Instance, Measurement, Operation, Outcome
from machinami.ngsild.terms import is_null

_KEPT = "it exists already and noOverwrite is set"


def apply(draft: Draft, change: Change | Measurement) -> Outcome | MachinamiError:
    """Apply one change; errors are given back, not raised, and leave the draft as it was."""
    if isinstance(change, Measurement):
        return draft.measure(change)
    draft.spell_out()
    if not draft.exists and change.operation not in _CREATING:
        return _missing(change)
    try:
        return _OPERATIONS[change.operation](draft, change)
    except MachinamiError as error:
        return error


def _create(draft: Draft, change: Change) -> Outcome:
    if draft.exists:
        raise AlreadyExists(
            f"entity {change.entity_id} exists already",
            field="id",
            value=change.entity_id,
            cure="Update it (PATCH), or choose another id",
        )
    return draft.merge(change)


def _upsert(draft: Draft, change: Change) -> Outcome:
    return _replace(draft, change) if draft.exists else draft.merge(change)


def _append_only(draft: Draft, change: Change) -> Outcome:
    """5.6.3 with noOverwrite: instances that are there stay, scopes come to those there are."""
    new: Attributes = {}
    left: dict[str, str] = {}
    for name, instance in _instances(change):
        if draft.current(_slot(name, instance)) is None:
            new.setdefault(name, []).append(instance)
        else:
            left[name] = _KEPT
    scope = (*draft.scope, *(change.scope or ()))
    draft.describe(replace(change, scope=tuple(dict.fromkeys(scope))))
    draft.write(new)
    return Outcome(entity_id=change.entity_id, updated=tuple(new), not_updated=left)


def _update(draft: Draft, change: Change) -> Outcome:
    """5.6.2: instances are replaced or added, NGSI-LD Nulls delete; a scope is not added."""
    left: dict[str, str] = {}
    scopeless = change.scope is not None and not draft.scope
    draft.describe(replace(change, scope=None) if scopeless else change)
    if scopeless:
        left["scope"] = "the entity has no scope"
    _write_or_remove(draft, change, lambda _, instance, __: instance)
    return Outcome(entity_id=change.entity_id, updated=tuple(change.attributes), not_updated=left)


def _merge_patch(draft: Draft, change: Change) -> Outcome:
    """5.6.17: instances are merged into those there are, to any depth."""
    _write_or_remove(draft, change, lambda old, instance, name: merged(old, instance, name))
    draft.describe(change)
    return Outcome(entity_id=change.entity_id, updated=tuple(change.attributes))


def _patch(draft: Draft, change: Change) -> Outcome:
    """5.6.4: members are replaced; what is not there is an error."""
    _check_current(draft, change)
    _write_or_remove(draft, change, lambda old, instance, name: patched(old or {}, instance, name))
    return Outcome(entity_id=change.entity_id, updated=tuple(change.attributes))


def _replace_attribute(draft: Draft, change: Change) -> Outcome:
    _check_current(draft, change)
    return draft.merge(change)


def _replace(draft: Draft, change: Change) -> Outcome:
    draft.clear()
    draft.types = change.types or draft.types
    draft.place(change.scope or ())
    draft.expire_at(change.expires_at or NEVER)
    draft.write(change.attributes)
    return Outcome(entity_id=change.entity_id, updated=tuple(change.attributes))


def _delete(draft: Draft, change: Change) -> Outcome:
    draft.vanish()
    return Outcome(entity_id=change.entity_id)


def _delete_attribute(draft: Draft, change: Change) -> Outcome:
    if change.scope == NO_SCOPE and not draft.scope:
        raise _no_attribute(change, "scope")
    wanted = {
        name: [instance.get("datasetId", "") for instance in instances] or None
        for name, instances in change.attributes.items()
    }
    for name, datasets in wanted.items():
        if not draft.slots(name, datasets):
            raise _no_attribute(change, name)
    draft.describe(change)
    for name, datasets in wanted.items():
        draft.remove(name, datasets)
    return Outcome(entity_id=change.entity_id, updated=tuple(change.attributes))


def _write_or_remove(
    draft: Draft, change: Change, combine: Callable[[Instance | None, Instance, str], Instance]
) -> None:
    """Make current what comes of old and new; all is combined first, so that an error changes nothing."""
    whole: Attributes = {}
    removed: list[Slot] = []
    for name, instance in _instances(change):
        if is_null(instance):
            removed.append(_slot(name, instance))
        else:
            whole.setdefault(name, []).append(combine(draft.current(_slot(name, instance)), instance, name))
    for name, dataset in removed:
        draft.remove(name, [dataset])
    draft.write(whole)


def _check_current(draft: Draft, change: Change) -> None:
    for name, instance in _instances(change):
        if draft.current(_slot(name, instance)) is None:
            raise _no_attribute(change, name)


def _instances(change: Change) -> Iterator[tuple[str, Instance]]:
    return ((name, instance) for name, instances in change.attributes.items() for instance in instances)


def _slot(name: str, instance: Instance) -> Slot:
    return name, instance.get("datasetId", "")


def _no_attribute(change: Change, name: str) -> NotFound:
    return NotFound(f"{change.entity_id} has no such attribute", field="attrId", value=name)


def _missing(change: Change) -> NotFound:
    return NotFound(
        f"no entity {change.entity_id}",
        field="id",
        value=change.entity_id,
        cure="Create it first, or check the tenant",
    )


def _expire(_: Draft, change: Change) -> Outcome:
    """4.22: what is past its time has gone when the draft was made."""
    return Outcome(entity_id=change.entity_id)


_CREATING = frozenset({Operation.CREATE, Operation.MERGE, Operation.UPSERT})
_OPERATIONS: dict[Operation, Callable[[Draft, Change], Outcome]] = {
    Operation.CREATE: _create,
    Operation.MERGE: Draft.merge,
    Operation.APPEND: Draft.merge,
    Operation.APPEND_ONLY: _append_only,
    Operation.UPDATE: _update,
    Operation.PATCH: _patch,
    Operation.MERGE_PATCH: _merge_patch,
    Operation.REPLACE_ATTRIBUTE: _replace_attribute,
    Operation.REPLACE: _replace,
    Operation.UPSERT: _upsert,
    Operation.DELETE: _delete,
    Operation.DELETE_ATTRIBUTE: _delete_attribute,
    Operation.EXPIRE: _expire,
}
