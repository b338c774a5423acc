"""Names of distributed operations and of groups of them (clause 4.20)."""

from collections.abc import Iterable, Mapping

_TYPES = (
    "retrieveEntityTypes retrieveEntityTypeDetails retrieveEntityTypeInfo"
    " retrieveAttrTypes retrieveAttrTypeDetails retrieveAttrTypeInfo"
)
_SUBSCRIPTIONS = (
    "createSubscription updateSubscription retrieveSubscription querySubscription deleteSubscription"
)
_MAPS = "retrieveEntityMap updateEntityMap deleteEntityMap createEntityMapQueryEntity"
_IDENTITY = "retrieveContextSourceIdentity"
_ATTRIBUTES = "updateEntity updateAttrs replaceEntity replaceAttrs"
_PROVISION = f"createEntity appendAttrs deleteAttrs deleteEntity mergeEntity purgeEntity {_ATTRIBUTES}"
_BATCHES = "createBatch upsertBatch updateBatch deleteBatch mergeBatch"
_HISTORY = (
    "upsertTemporal appendAttrsTemporal deleteAttrsTemporal updateAttrInstanceTemporal"
    " deleteAttrInstanceTemporal deleteTemporal retrieveTemporal queryTemporal createEntityMapQueryTemporal"
)
_READ = "retrieveEntity queryEntity"

DEFAULT_GROUP = "federationOps"
"""What a registration offers that does not say."""

GROUPS: Mapping[str, frozenset[str]] = {
    name: frozenset(members.split())
    for name, members in {
        "federationOps": f"{_READ} queryBatch {_TYPES} {_SUBSCRIPTIONS} {_MAPS} {_IDENTITY}",
        "associationOps": f"{_READ} queryBatch {_TYPES} {_SUBSCRIPTIONS} {_IDENTITY}",
        "updateOps": _ATTRIBUTES,
        "retrieveOps": _READ,
        "redirectionOps": f"{_PROVISION} {_READ} {_TYPES} {_MAPS} {_IDENTITY}",
    }.items()
}
"""Table 4.20-2."""

OPERATIONS: frozenset[str] = frozenset(f"{_PROVISION} {_BATCHES} {_HISTORY}".split()).union(*GROUPS.values())
"""Table 4.20-1."""

AUXILIARY = frozenset({"retrieveOps", "retrieveEntity", "queryEntity"})
"""What an auxiliary registration may name (clause 5.9.2.4)."""


def offered_operations(names: Iterable[str]) -> frozenset[str]:
    """Operations that a registration's ``operations`` stand for; of no names, those of the default group."""
    found = [GROUPS.get(name, frozenset({name})) for name in names]
    return frozenset[str]().union(*found) if found else GROUPS[DEFAULT_GROUP]
