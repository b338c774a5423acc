"""What several sources say of one entity becomes one (clause 4.5.5)."""

from typing import Any

import pytest
from machinami.federation.merging import merge
from machinami.model import Entity

LEVEL = "https://example.org/level"


def said(*instances: dict[str, Any], **more: Any) -> Entity:
    return Entity(id="urn:x:1", types=("A",), attributes={LEVEL: list(instances)}, **more)


def level(value: int, **more: str) -> dict[str, Any]:
    return {"type": "Property", "value": value, **more}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (level(1, observedAt="2026-01-01T00:00:00Z"), level(2, observedAt="2026-01-01T00:00:00.5Z"), 2),
        (level(1, observedAt="2026-01-02T00:00:00Z"), level(2, observedAt="2026-01-01T23:59:59.9Z"), 1),
        (level(1, modifiedAt="2026-01-01T00:00:00Z"), level(2, modifiedAt="2026-01-02T00:00:00Z"), 2),
        (level(1, modifiedAt="2026-01-03T00:00:00Z"), level(2, observedAt="2026-01-02T00:00:00Z"), 2),
        (level(1), level(2), 1),
    ],
)
def test_the_newest_counts(one: dict[str, Any], other: dict[str, Any], expected: int) -> None:
    (instance,) = merge([said(one), said(other)]).attributes[LEVEL]
    assert instance["value"] == expected


def test_datasets_stay_apart() -> None:
    merged = merge([said(level(1), level(2, datasetId="urn:d:1")), said(level(3, datasetId="urn:d:2"))])
    assert [each["value"] for each in merged.attributes[LEVEL]] == [1, 2, 3]


def test_supplements_only_add() -> None:
    other = Entity(id="urn:x:1", types=("A", "B"), attributes={LEVEL: [level(9)], "urn:x:name": [level(8)]})
    merged = merge([said(level(1))], [other])
    assert merged.attributes == {LEVEL: [level(1)], "urn:x:name": [level(8)]}
    assert merged.types == ("A", "B")
    assert merge([], [other]) == other
