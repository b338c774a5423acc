"""How entities look outside: representations, filters, GeoJSON, temporal evolutions (clause 4.5)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from machinami.errors import BadRequestData
from machinami.model import Entity
from machinami.ngsild.context import CORE, build_context
from machinami.ngsild.documents import read_entity
from machinami.ngsild.render import (
    Representation,
    render_collection,
    render_entity,
    render_feature,
    render_temporal,
)
from machinami.ngsild.terms import NGSI_NULL, SCOPE

DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"
POINT = {"type": "Point", "coordinates": [135.1, 35.2]}


def entity(**attributes: Any) -> Entity:
    return read_entity({"id": "urn:a:b", "type": "T", **attributes}, CORE)


def rendered(representation: Representation, document: object) -> Any:
    return render_entity(entity(a=document), CORE, representation)["a"]


@pytest.mark.parametrize(
    ("document", "concise", "simplified"),
    [
        ({"type": "Property", "value": 1}, 1, 1),
        ({"type": "Property", "value": [1, "b"]}, [1, "b"], [1, "b"]),
        ({"type": "Property", "value": {"b": 1}}, {"b": 1}, {"b": 1}),
        ({"type": "Property", "value": 1, "unitCode": "MTR"}, {"value": 1, "unitCode": "MTR"}, 1),
        ({"type": "Property", "value": {"type": "x"}}, {"value": {"type": "x"}}, {"type": "x"}),
        ({"type": "Property", "value": [{"value": 1}]}, {"value": [{"value": 1}]}, [{"value": 1}]),
        ({"type": "Property", "value": {"dataset": 1}}, {"dataset": 1}, {"dataset": 1}),
        (
            {"type": "Property", "value": {"dataset": {"b": 1}}},
            {"value": {"dataset": {"b": 1}}},
            {"dataset": {"b": 1}},
        ),
        ({"type": "Property", "value": POINT}, {"type": "Property", "value": POINT}, POINT),
        ({"type": "GeoProperty", "value": POINT}, POINT, POINT),
        (
            {"type": "GeoProperty", "value": POINT, "observedAt": "2026-01-01T00:00:00Z"},
            {"value": POINT, "observedAt": "2026-01-01T00:00:00Z"},
            POINT,
        ),
        ({"type": "Relationship", "object": "urn:a:c"}, {"object": "urn:a:c"}, "urn:a:c"),
        (
            {"type": "LanguageProperty", "languageMap": {"ja": "街"}},
            {"languageMap": {"ja": "街"}},
            {"languageMap": {"ja": "街"}},
        ),
        ({"type": "VocabProperty", "vocab": "Male"}, {"vocab": "Male"}, {"vocab": "Male"}),
        ({"type": "JsonProperty", "json": {"a": 1}}, {"json": {"a": 1}}, {"json": {"a": 1}}),
        ({"type": "ListProperty", "valueList": [1, 2]}, {"valueList": [1, 2]}, [1, 2]),
        (
            {"type": "ListRelationship", "objectList": [{"object": "urn:a:c"}]},
            {"objectList": ["urn:a:c"]},
            ["urn:a:c"],
        ),
        (
            [{"type": "Property", "value": 1}, {"type": "Property", "value": 2, "datasetId": "urn:d:1"}],
            [{"value": 1}, {"value": 2, "datasetId": "urn:d:1"}],
            {"dataset": {"@none": 1, "urn:d:1": 2}},
        ),
    ],
)
def test_each_kind_in_each_representation(document: object, concise: object, simplified: object):
    assert rendered(Representation.NORMALIZED, document) == document
    assert rendered(Representation.CONCISE, document) == concise
    assert rendered(Representation.SIMPLIFIED, document) == simplified


def test_names_come_from_the_context_asked_for():
    context = build_context(
        {"ex": "https://ex.org/", "River": "ex:River", "depth": f"{DEFAULT}waterDepth"}, dict
    )
    river = Entity(
        id="urn:a:b",
        types=("https://ex.org/River", f"{DEFAULT}Thing"),
        attributes={
            f"{DEFAULT}waterDepth": [
                {
                    "type": "Property",
                    "value": 1,
                    "https://ex.org/by": [{"type": "VocabProperty", "vocab": "https://ex.org/River"}],
                }
            ]
        },
    )
    by = {"type": "VocabProperty", "vocab": "River"}
    assert render_entity(river, context) == {
        "id": "urn:a:b",
        "type": ["River", "Thing"],
        "depth": {"type": "Property", "value": 1, "ex:by": by},
    }


def test_attributes_and_datasets_are_chosen():
    both = [{"value": 1}, {"value": 2, "datasetId": "urn:d:1"}]
    source = entity(a=both, b=3, c=4)
    wanted = {f"{DEFAULT}a", f"{DEFAULT}b"}
    assert render_entity(source, CORE, attrs=wanted).keys() == {"id", "type", "a", "b"}
    answer = render_entity(source, CORE, Representation.SIMPLIFIED, attrs=wanted, datasets={"urn:d:1"})
    assert answer == {"id": "urn:a:b", "type": "T", "a": 2}
    answer = render_entity(source, CORE, Representation.SIMPLIFIED, attrs=wanted, datasets={"@none"})
    assert answer == {"id": "urn:a:b", "type": "T", "a": 1, "b": 3}


def test_system_times_are_shown_only_on_request():
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    times = {"createdAt": "2026-01-02T03:04:05Z", "modifiedAt": "2026-01-02T03:04:05Z"}
    instance = {"type": "Property", "value": 1, **times}
    source = Entity(
        id="urn:a:b",
        types=(f"{DEFAULT}T",),
        attributes={f"{DEFAULT}a": [instance]},
        created_at=moment,
        modified_at=moment,
    )
    assert render_entity(source, CORE) == {
        "id": "urn:a:b",
        "type": "T",
        "a": {"type": "Property", "value": 1},
    }
    assert render_entity(source, CORE, Representation.CONCISE)["a"] == 1
    assert render_entity(source, CORE, sys_attrs=True) == {
        "id": "urn:a:b",
        "type": "T",
        **times,
        "a": instance,
    }


@pytest.mark.parametrize(
    ("lang", "tag", "text"),
    [
        ("ja", "ja", "川"),
        ("JA", "ja", "川"),
        ("fr-CH,fr;q=0.9,en;q=0.8,*;q=0.5", "en", "river"),
        ("en-GB", "en", "river"),
        ("ja;q=0.1,en", "en", "river"),
        ("*", "ja", "川"),
        ("de", "ja", "川"),
    ],
)
def test_the_language_filter_makes_a_property(lang: str, tag: str, text: str):
    source = entity(name={"languageMap": {"ja": "川", "en": "river"}, "quality": {"languageMap": {tag: "x"}}})
    answer = render_entity(source, CORE, lang=lang)["name"]
    assert answer["quality"] == {"type": "Property", "value": "x", "lang": tag}
    assert {member: answer[member] for member in ("type", "value", "lang")} == {
        "type": "Property",
        "value": text,
        "lang": tag,
    }
    assert render_entity(source, CORE, Representation.SIMPLIFIED, lang=lang)["name"] == text


def test_a_default_language_stands_in():
    source = entity(name={"languageMap": {"ja": "川", "@none": "water"}})
    assert render_entity(source, CORE, Representation.SIMPLIFIED, lang="de")["name"] == "water"


def test_a_feature_has_the_default_instance_as_geometry():
    other = {"type": "Point", "coordinates": [1, 2]}
    source = entity(location=[{"value": other, "datasetId": "urn:d:1"}, {"value": POINT}], a=1)
    feature = render_feature(source, CORE, representation=Representation.SIMPLIFIED)
    assert feature == {
        "id": "urn:a:b",
        "type": "Feature",
        "geometry": POINT,
        "properties": {"type": "T", "location": {"dataset": {"urn:d:1": other, "@none": POINT}}, "a": 1},
    }
    assert render_collection([feature]) == {"type": "FeatureCollection", "features": [feature]}


def test_a_feature_without_geometry_has_null():
    source = entity(location=[{"value": POINT, "datasetId": "urn:d:1"}], a=1)
    assert render_feature(source, CORE)["geometry"] is None
    assert render_feature(source, CORE, datasets=["urn:d:1"])["geometry"] == POINT
    assert render_feature(source, CORE, "observationSpace")["geometry"] is None
    assert render_feature(source, CORE, "a")["geometry"] is None


def test_evolutions_are_arrays_and_pairs():
    early, late = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    attributes = {
        f"{DEFAULT}level": [
            {"type": "Property", "value": 1, "observedAt": early, "instanceId": "urn:i:1"},
            {"type": "Property", "value": NGSI_NULL, "deletedAt": late, "observedAt": late},
            {"type": "Property", "value": 5, "observedAt": early, "datasetId": "urn:d:1"},
        ],
        f"{DEFAULT}name": [{"type": "LanguageProperty", "languageMap": {"ja": "川"}, "modifiedAt": late}],
        f"{DEFAULT}route": [{"type": "ListRelationship", "objectList": ["urn:a:c"], "observedAt": early}],
    }
    full = render_temporal("urn:a:b", [f"{DEFAULT}T"], attributes, CORE)
    assert full["level"] == attributes[f"{DEFAULT}level"]
    assert full["name"] == [{"type": "LanguageProperty", "languageMap": {"ja": "川"}}]
    pairs = render_temporal("urn:a:b", [f"{DEFAULT}T"], attributes, CORE, temporal_values=True)
    assert pairs == {
        "id": "urn:a:b",
        "type": "T",
        "level": [
            {"type": "Property", "values": [[1, early], [NGSI_NULL, late]]},
            {"type": "Property", "values": [[5, early]], "datasetId": "urn:d:1"},
        ],
        "name": {"type": "LanguageProperty", "languageMaps": [[{"languageMap": {"ja": "川"}}, late]]},
        "route": {"type": "ListRelationship", "objectLists": [[["urn:a:c"], early]]},
    }


def test_the_evolution_of_the_scope_is_a_property():
    scope = [{"type": "Property", "value": "/a", "observedAt": "2026-01-01T00:00:00Z"}]
    assert render_temporal("urn:a:b", [f"{DEFAULT}T"], {SCOPE: scope}, CORE)["scope"] == scope


def test_a_wrong_language_filter_is_refused_even_without_texts():
    with pytest.raises(BadRequestData):
        render_entity(entity(a=1), CORE, lang="ja;q=two")
