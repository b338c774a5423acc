"""Names of distributed operations (clause 4.20)."""

from machinami.ngsild.operations import AUXILIARY, GROUPS, OPERATIONS, offered_operations


def test_the_tables_are_whole() -> None:
    assert len(OPERATIONS) == 43
    sizes = {
        "federationOps": 19,
        "associationOps": 15,
        "updateOps": 4,
        "retrieveOps": 2,
        "redirectionOps": 23,
    }
    assert {name: len(members) for name, members in GROUPS.items()} == sizes
    assert OPERATIONS.union(GROUPS) >= AUXILIARY


def test_groups_are_spelt_out() -> None:
    assert offered_operations(["retrieveOps", "createBatch"]) == {
        "retrieveEntity",
        "queryEntity",
        "createBatch",
    }
    assert offered_operations([]) == GROUPS["federationOps"]
