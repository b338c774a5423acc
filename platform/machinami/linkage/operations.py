"""What each operation does to an entity: pure, no database. ETSI GS CIM 009 clauses 5.5.8 and 5.6."""

from collections.abc import Callable

from machinami.errors import AlreadyExists, MachinamiError, NotFound
from machinami.linkage.draft import Draft
from machinami.linkage.patching import patched
from machinami.model import Attributes, Change, Measurement, Operation, Outcome


def apply(draft: Draft, change: Change | Measurement) -> Outcome | MachinamiError:
    """Apply one change; errors are given back, not raised, and leave the draft as it was."""
    if isinstance(change, Measurement):
        return draft.measure(change)
    draft.spell_out()
    return _OPERATIONS[change.operation](draft, change)


def _missing(change: Change) -> NotFound:
    return NotFound(
        f"no entity {change.entity_id}",
        field="id",
        value=change.entity_id,
        cure="Create it first, or check the tenant",
    )


def _create(draft: Draft, change: Change) -> Outcome | MachinamiError:
    if draft.exists:
        return AlreadyExists(
            f"entity {change.entity_id} exists already",
            field="id",
            value=change.entity_id,
            cure="Update it (PATCH), or choose another id",
        )
    return draft.merge(change)


def _append(draft: Draft, change: Change) -> Outcome | MachinamiError:
    return draft.merge(change) if draft.exists else _missing(change)


def _some(draft: Draft, change: Change, *, existing: bool, reason: str) -> Outcome | MachinamiError:
    if not draft.exists:
        return _missing(change)
    names = [name for name in change.attributes if draft.has(name) is existing]
    draft.describe(change)
    draft.write(change.attributes, names, only_newer=change.only_newer)
    left = {name: reason for name in change.attributes if name not in names}
    return Outcome(entity_id=change.entity_id, updated=tuple(names), not_updated=left)


def _append_only(draft: Draft, change: Change) -> Outcome | MachinamiError:
    return _some(draft, change, existing=False, reason="the attribute exists already and noOverwrite is set")


def _update(draft: Draft, change: Change) -> Outcome | MachinamiError:
    return _some(draft, change, existing=True, reason="the entity has no such attribute")


def _patch(draft: Draft, change: Change) -> Outcome | MachinamiError:
    if not draft.exists:
        return _missing(change)
    whole: Attributes = {}
    for name, fragments in change.attributes.items():
        for fragment in fragments:
            old = draft.current((name, fragment.get("datasetId", "")))
            if old is None:
                return NotFound(f"{change.entity_id} has no such attribute", field="attrId", value=name)
            try:
                whole.setdefault(name, []).append(patched(old, fragment, name))
            except MachinamiError as error:
                return error
    draft.write(whole, whole, only_newer=False)
    return Outcome(entity_id=change.entity_id, updated=tuple(whole))


def _replace(draft: Draft, change: Change) -> Outcome | MachinamiError:
    if not draft.exists:
        return _missing(change)
    draft.clear()
    draft.types = change.types or draft.types
    draft.scope = draft.scope if change.scope is None else change.scope
    draft.write(change.attributes, change.attributes, only_newer=False)
    return Outcome(entity_id=change.entity_id, updated=tuple(change.attributes))


def _delete(draft: Draft, change: Change) -> Outcome | MachinamiError:
    if not draft.exists:
        return _missing(change)
    draft.clear()
    draft.exists, draft.types, draft.scope = False, (), ()
    return Outcome(entity_id=change.entity_id)


def _delete_attribute(draft: Draft, change: Change) -> Outcome | MachinamiError:
    if not draft.exists:
        return _missing(change)
    for name, instances in change.attributes.items():
        datasets = [instance.get("datasetId", "") for instance in instances] or None
        if not draft.remove(name, datasets):
            return NotFound(f"{change.entity_id} has no such attribute", field="attrId", value=name)
    return Outcome(entity_id=change.entity_id, updated=tuple(change.attributes))


_OPERATIONS: dict[Operation, Callable[[Draft, Change], Outcome | MachinamiError]] = {
    Operation.CREATE: _create,
    Operation.MERGE: Draft.merge,
    Operation.APPEND: _append,
    Operation.APPEND_ONLY: _append_only,
    Operation.UPDATE: _update,
    Operation.PATCH: _patch,
    Operation.REPLACE: _replace,
    Operation.DELETE: _delete,
    Operation.DELETE_ATTRIBUTE: _delete_attribute,
}
