"""What several sources say of one entity becomes one (clause 4.5.5)."""

from datetime import UTC, datetime
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


def test_of_versions_that_expire_and_others_the_attributes_say_it() -> None:
    """Clauses 4.5.5.2 and 4.5.5.3: what is past counts no more, and the entity expires only if all do."""
    past, later, last = (datetime(year, 1, 1, tzinfo=UTC) for year in (2020, 2080, 2090))
    over = said(level(1, observedAt="2026-01-02T00:00:00Z"), expires_at=past)
    kept = said(level(2, observedAt="2026-01-01T00:00:00Z"))
    merged = merge([over, kept])
    assert (merged.attributes[LEVEL][0]["value"], merged.expires_at) == (2, None)
    two = merge([said(level(1), expires_at=later), said(level(2, datasetId="urn:d:1"), expires_at=last)])
    assert two.expires_at == last
    assert [each["expiresAt"][:4] for each in two.attributes[LEVEL]] == ["2080", "2090"]
    same = merge([said(level(1), expires_at=later), said(level(2, datasetId="urn:d:1"), expires_at=later)])
    assert (same.expires_at, same.attributes[LEVEL][0]) == (later, level(1))
