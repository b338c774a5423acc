"""Purge Entities (clause 5.6.21): delete what a query finds, whole or in parts."""

import msgspec
from sqlalchemy import Engine

from machinami.linkage import read
from machinami.linkage.read import Selection
from machinami.linkage.write import Linkage
from machinami.model import Change, Entity, Operation


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """Which attributes a purge takes; with neither of the two it takes whole entities.

    Attributes:
        drop: expanded names of those that go.
        keep: expanded names of those that stay.
    """

    drop: frozenset[str] = frozenset()
    keep: frozenset[str] = frozenset()


def purge(
    linkage: Linkage, engine: Engine, tenant: str, selection: Selection, projection: Projection
) -> None:
    """Delete what a selection finds, a transaction for each thousand entities.

    What another writer has taken away meanwhile is no error: it is gone.

    Raises:
        TenantNotFound: nobody has written to this tenant.
    """
    for ids in read.query_ids(engine, tenant, selection):
        if projection == Projection():
            changes = [Change(entity_id=each, operation=Operation.DELETE, tenant=tenant) for each in ids]
        else:
            found = read.retrieve_entities(engine, tenant, ids)
            changes = [
                _reduction(entity, tenant, gone) for entity in found if (gone := _gone(entity, projection))
            ]
        if changes:
            linkage.apply(changes)


def _gone(entity: Entity, projection: Projection) -> set[str]:
    there = entity.attributes.keys()
    return set(there & projection.drop if projection.drop else there - projection.keep)


def _reduction(entity: Entity, tenant: str, gone: set[str]) -> Change:
    return Change(
        entity_id=entity.id,
        operation=Operation.DELETE_ATTRIBUTE,
        attributes={name: [] for name in gone},
        tenant=tenant,
    )
