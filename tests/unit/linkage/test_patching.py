"""Partial update (5.5.8) and merge patch (5.5.12) of an attribute instance."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami.errors import BadRequestData
from machinami.linkage.patching import merged, patched
from machinami.ngsild.terms import NGSI_NULL

LEVEL = {"type": "Property", "value": 25, "unitCode": "CEL", "observedAt": "2022-03-14T01:59:26.535Z"}
BERLIN = {"street": "Straße des 17. Juni", "city": "Berlin", "country": "Germany"}
JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | st.just(NGSI_NULL),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(st.text(max_size=2), below, max_size=2),
)


def test_members_are_replaced_and_the_others_stay():
    fragment = {"type": "Property", "value": 100, "observedAt": "2022-03-14T13:00:00Z"}
    assert patched(LEVEL, fragment, "level") == {**LEVEL, **fragment} == merged(LEVEL, fragment, "level")


def test_a_null_member_goes():
    assert "unitCode" not in patched(LEVEL, {"unitCode": NGSI_NULL}, "level")
    assert "unitCode" not in merged(LEVEL, {"unitCode": NGSI_NULL}, "level")


def test_only_a_merge_goes_into_values():
    old = {"type": "Property", "value": BERLIN}
    fragment = {"type": "Property", "value": {"street": "Pariser Platz", "country": NGSI_NULL}}
    assert merged(old, fragment, "address")["value"] == {"street": "Pariser Platz", "city": "Berlin"}
    assert patched(old, {"value": {"city": "Bonn"}}, "address")["value"] == {"city": "Bonn"}


def test_a_language_is_added_or_goes():
    old = {"type": "LanguageProperty", "languageMap": {"fr": "Grand Place", "nl": "Grote Markt"}}
    fragment = {"type": "LanguageProperty", "languageMap": {"ja": "大広場", "nl": NGSI_NULL}}
    assert merged(old, fragment, "street")["languageMap"] == {"fr": "Grand Place", "ja": "大広場"}


def test_a_geometry_is_one_value():
    line = {"type": "LineString", "coordinates": [[1, 2], [3, 4]], "bbox": [1, 2, 3, 4]}
    point = {"type": "Point", "coordinates": [1, 2]}
    old = {"type": "GeoProperty", "value": line}
    assert merged(old, {"type": "GeoProperty", "value": point}, "location")["value"] == point


def test_sub_attributes_are_merged_by_dataset_at_any_depth():
    def deep(**members: Any) -> dict[str, Any]:
        inner = {"type": "Property", "value": 1, **members}
        return {"type": "Property", "value": 0, "urn:a": [{"type": "Property", "value": 2, "urn:b": [inner]}]}

    whole = merged(deep(unitCode="MTR"), deep(value=9), "level")
    assert whole["urn:a"][0]["urn:b"] == [{"type": "Property", "value": 9, "unitCode": "MTR"}]
    gone = {"urn:a": [{"type": "Property", "value": NGSI_NULL}]}
    assert "urn:a" not in merged(whole, gone, "level")
    other = {"urn:a": [{"type": "Property", "value": 3, "datasetId": "urn:d"}]}
    assert len(merged(whole, other, "level")["urn:a"]) == 2


@pytest.mark.parametrize("combine", [patched, merged])
def test_the_kind_stays(combine: Any):
    with pytest.raises(BadRequestData):
        combine(LEVEL, {"type": "Relationship", "object": "urn:a:b"}, "level")


@given(JSON, JSON)
def test_nothing_null_is_left_inside_and_merging_twice_is_merging_once(old: Any, value: Any):
    start = {"type": "Property", "value": merged(None, {"value": {"x": old}}, "a")["value"]}
    once = merged(start, {"value": {"x": value}}, "a")
    assert merged(once, {"value": {"x": value}}, "a") == once
    assert not _has_null(once["value"])


def _has_null(value: Any) -> bool:
    """Whether a member of an object is NGSI-LD Null; arrays are values, not merged (IETF RFC 7396)."""
    return isinstance(value, dict) and any(each == NGSI_NULL or _has_null(each) for each in value.values())
