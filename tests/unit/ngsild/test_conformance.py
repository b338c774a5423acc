"""Documents in the words of earlier versions (clause 4.3.6.8)."""

from typing import Any

import pytest
from machinami.ngsild.conformance import amended_document

ENTITY = {
    "id": "urn:x:1",
    "type": ["A", "B"],
    "scope": "/namiki",
    "name": {"type": "LanguageProperty", "languageMap": {"ja": "鴨川"}},
    "state": {
        "type": "VocabProperty",
        "vocab": "open",
        "proof": {"type": "JsonProperty", "json": {"json": 1}},
    },
    "list": [{"type": "ListProperty", "valueList": [1, 2], "datasetId": "urn:x:d"}],
    "level": {"type": "Property", "value": {"type": "JsonProperty", "json": 1}},
    "@context": {"json": "urn:x:json"},
}


@pytest.mark.parametrize("version", [(1, 8), (1, 9), (2, 0)])
def test_a_version_that_knows_all_is_sent_all(version: tuple[int, int]) -> None:
    assert amended_document(ENTITY, version) == ENTITY


def test_newer_kinds_are_plain_ones() -> None:
    found = amended_document(ENTITY, (1, 6))
    assert found["name"] == ENTITY["name"]
    assert found["state"] == {
        "type": "Property",
        "value": "open",
        "proof": {"type": "Property", "value": {"json": 1}},
    }
    assert found["list"] == [{"type": "Property", "value": [1, 2], "datasetId": "urn:x:d"}]
    assert (found["level"], found["@context"]) == (ENTITY["level"], ENTITY["@context"])


def test_the_first_versions_had_one_type_and_no_scope() -> None:
    found = amended_document(ENTITY, (1, 2))
    assert (found["type"], "scope" in found) == ("A", False)
    assert found["name"] == {"type": "Property", "value": {"ja": "鴨川"}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"json": 5}, {"type": "Property", "value": 5}),
        ([{"name": {"vocab": "open"}}], [{"name": {"type": "Property", "value": "open"}}]),
        ("urn:x:1", "urn:x:1"),
        (None, None),
    ],
)
def test_fragments_and_batches(given: Any, expected: Any) -> None:
    assert amended_document(given, (1, 6)) == expected
