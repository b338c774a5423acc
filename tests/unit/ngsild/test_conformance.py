"""Documents in the words of earlier versions (clause 4.3.6.8)."""

from typing import Any

import pytest
from machinami.ngsild.conformance import amended, amended_document
from machinami.ngsild.context import CORE
from machinami.ngsild.documents import read_entity
from machinami.ngsild.render import render_entity

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


def test_members_that_came_later_are_left_out():
    """Tables 4.3.6.8-1 to 4.3.6.8-3, of documents and of entities alike."""
    later = {"observedAt": "2026-01-01T00:00:00Z", "unitCode": "MTR", "valueType": "Level"}
    level = {"type": "Property", "value": 1, **later, "expiresAt": "2027-01-01T00:00:00Z"}
    near = {"type": "Relationship", "object": "urn:x:2", "objectType": "Bridge", "level": level}
    document = {"id": "urn:x:1", "type": "River", "expiresAt": "2028-01-01T00:00:00Z", "level": level}
    document |= {"near": {key: value for key, value in near.items() if key != "level"}}
    for version, left in (((1, 8), {"observedAt", "unitCode"}), ((1, 2), set[str]())):
        found = amended_document(document, version)
        assert found.keys() == {"id", "type", "level", "near"}
        assert found["level"].keys() == {"type", "value"} | left
        entity = amended(read_entity(document, CORE), version, CORE.names)
        assert render_entity(entity, CORE, sys_attrs=True) == found
    assert amended_document(near, (1, 7)).keys() == {"type", "object", "level"}
    assert amended_document(near, (1, 7))["level"].keys() == {"type", "value", "observedAt", "unitCode"}


def test_attributes_of_attributes_are_amended_too():
    inner = {"type": "VocabProperty", "vocab": "open"}
    document = {"id": "urn:x:1", "type": "River", "a": {"type": "Property", "value": 1, "state": inner}}
    entity = amended(read_entity(document, CORE), (1, 5), CORE.names)
    assert render_entity(entity, CORE)["a"]["state"] == {"type": "Property", "value": "open"}


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
