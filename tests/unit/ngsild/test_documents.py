"""What documents are read as, and why others are refused (clauses 4.5, 4.6, 5.4 and 5.5.4)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from machinami.errors import BadRequestData
from machinami.model import NEVER, Entity
from machinami.ngsild.content import MAX_DEPTH
from machinami.ngsild.context import CORE, build_context
from machinami.ngsild.documents import Fragment, read_attribute, read_entity, read_fragment, read_temporal
from machinami.ngsild.render import render_entity
from machinami.ngsild.terms import NGSI_NULL, is_null

DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"
POINT = {"type": "Point", "coordinates": [135.1, 35.2]}


def read_one(document: object, *, simplified: bool = False) -> dict[str, Any]:
    (instance,) = read_attribute("a", document, CORE, simplified=simplified)
    return instance


def nested(levels: int) -> Any:
    document: Any = 1
    for _ in range(levels):
        document = [document]
    return document


def test_names_are_expanded_and_system_members_passed_over():
    document = {
        "@context": ["https://example.org/whatever"],
        "@id": "urn:a:b",
        "@type": ["ex:River", "ex:River"],
        "scope": ["/a", "b/c"],
        "createdAt": "2020-01-01T00:00:00Z",
        "level": {"value": 1, "modifiedAt": "2020-01-01T00:00:00Z", "source": {"object": "urn:a:c"}},
    }
    entity = read_entity(document, build_context({"ex": "https://ex.org/", "level": "ex:level"}, dict))
    assert (entity.id, entity.types, entity.scope) == ("urn:a:b", ("https://ex.org/River",), ("/a", "b/c"))
    source = [{"type": "Relationship", "object": "urn:a:c"}]
    level = {"type": "Property", "value": 1, f"{DEFAULT}source": source}
    assert entity.attributes == {"https://ex.org/level": [level]}


@pytest.mark.parametrize(
    ("document", "instance"),
    [
        (5, {"type": "Property", "value": 5}),
        ("text", {"type": "Property", "value": "text"}),
        ([], {"type": "Property", "value": []}),
        ([{"b": 1}, POINT], {"type": "Property", "value": [{"b": 1}, POINT]}),
        ({}, {"type": "Property", "value": {}}),
        ({"city": "街並"}, {"type": "Property", "value": {"city": "街並"}}),
        ({"value": POINT}, {"type": "GeoProperty", "value": POINT}),
        (POINT, {"type": "GeoProperty", "value": POINT}),
        (
            {"type": "GeoProperty", "value": '{"type":"Point","coordinates":[1,2]}'},
            {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1, 2]}},
        ),
        ({"type": "Property", "value": POINT}, {"type": "Property", "value": POINT}),
        ({"@type": "Property", "value": 5}, {"type": "Property", "value": 5}),
        ({"value": {"@type": "Date"}}, {"type": "Property", "value": {"@type": "Date"}}),
        ({"value": {"type": "PostalAddress"}}, {"type": "Property", "value": {"type": "PostalAddress"}}),
        ({"object": ["urn:a:b", "urn:a:c"]}, {"type": "Relationship", "object": ["urn:a:b", "urn:a:c"]}),
        ({"languageMap": {"@none": "a"}}, {"type": "LanguageProperty", "languageMap": {"@none": "a"}}),
        ({"vocab": "in-service"}, {"type": "VocabProperty", "vocab": f"{DEFAULT}in-service"}),
        ({"json": {"type": "x"}}, {"type": "JsonProperty", "json": {"type": "x"}}),
        ({"valueList": []}, {"type": "ListProperty", "valueList": []}),
        (
            {"objectList": ["urn:a:b", {"object": "urn:a:c"}]},
            {"type": "ListRelationship", "objectList": ["urn:a:b", "urn:a:c"]},
        ),
        (
            {"value": 1, "observedAt": "2020-01-01T00:00:00,5Z", "valueType": "Level", "datasetId": "@none"},
            {
                "type": "Property",
                "value": 1,
                "observedAt": "2020-01-01T00:00:00.5Z",
                "valueType": f"{DEFAULT}Level",
            },
        ),
    ],
)
def test_the_kind_is_told_by_the_value(document: object, instance: dict[str, Any]):
    assert read_one(document) == instance


@pytest.mark.parametrize(
    ("document", "instance"),
    [
        (
            {"type": "PostalAddress", "city": "街並"},
            {"type": "Property", "value": {"type": "PostalAddress", "city": "街並"}},
        ),
        ({"value": 5, "unit": "m"}, {"type": "Property", "value": {"value": 5, "unit": "m"}}),
        ({"vocab": "Male"}, {"type": "VocabProperty", "vocab": f"{DEFAULT}Male"}),
        ([{"value": 5}], {"type": "Property", "value": [{"value": 5}]}),
        ([{"type": "Relationship", "object": "urn:a:b"}], {"type": "Relationship", "object": "urn:a:b"}),
        ({"vocab": "Male", "b": 1}, {"type": "Property", "value": {"vocab": "Male", "b": 1}}),
        (POINT, {"type": "GeoProperty", "value": POINT}),
    ],
)
def test_the_simplified_form_takes_objects_for_values(document: object, instance: dict[str, Any]):
    assert read_one(document, simplified=True) == instance


def test_the_simplified_form_of_several_instances():
    views = {"@none": "Jones", "urn:d:1": {"languageMap": {"en": "Bowie"}}}
    assert read_attribute("name", {"dataset": views}, CORE, simplified=True) == [
        {"type": "Property", "value": "Jones"},
        {"type": "LanguageProperty", "languageMap": {"en": "Bowie"}, "datasetId": "urn:d:1"},
    ]


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"id": "urn:a:b", "type": "T", "instanceId": {"value": 1}}, "instanceId"),
        (1, "$"),
        ({"type": "T"}, "id"),
        ({"id": "urn:a:b"}, "type"),
        ({"id": "no uri", "type": "T"}, "id"),
        ({"id": "urn:a:b\n", "type": "T"}, "id"),
        ({"id": "urn:a:b", "type": []}, "type"),
        ({"id": "urn:a:b", "type": ""}, "type"),
        ({"id": "urn:a:b", "type": ["T", 1]}, "type"),
        ({"id": "urn:a:b", "type": "two words"}, "type"),
        ({"id": "urn:a:b", "type": "T", "scope": "/1"}, "scope"),
        ({"id": "urn:a:b", "type": "T", "scope": [["a"]]}, "scope"),
        ({"id": "urn:a:b", "type": "T", "a": None}, "a.value"),
        ({"id": "urn:a:b", "type": "T", "a": NGSI_NULL}, "$.a"),
        ({"id": "urn:a:b", "type": "T", "a": {"value": {"deep": [NGSI_NULL]}}}, "$.a.value.deep[0]"),
        ({"id": "urn:a:b", "type": "T", "a b": 1}, "a b"),
        ({"id": "urn:a:b", "type": "T", "a": "\0"}, "$.a"),
        ({"id": "urn:a:b", "type": "T", "a": {"\0": 1}}, "$.a.\0"),
        ({"id": "urn:a:b", "type": "T", "a": 2**64}, "$"),
        ({"id": "urn:a:b", "type": "T", "a": "\ud800"}, "$"),
        ({"id": "urn:a:b", "type": "T", "unitCode": "MTR"}, "unitCode"),
        ({"id": "urn:a:b", "type": "T", "location": "here"}, "location"),
        (
            {"id": "urn:a:b", "type": "T", "https://uri.etsi.org/ngsi-ld/hasValue": 1},
            "https://uri.etsi.org/ngsi-ld/hasValue",
        ),
        ({"id": "urn:a:b", "type": "T", "a": 1, f"{DEFAULT}a": 2}, f"{DEFAULT}a"),
    ],
)
def test_entities_that_break_the_standard_are_refused_by_path(document: object, field: str):
    with pytest.raises(BadRequestData) as caught:
        read_entity(document, CORE)
    assert caught.value.field == field
    assert caught.value.cure


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"type": "Nonsense", "value": 1}, "a.type"),
        ({"type": ["Property"], "value": 1}, "a.type"),
        ({"type": "Property"}, "a.value"),
        ({"type": "Property", "value": None}, "a.value"),
        ({"type": "Property", "value": 1, "object": "urn:a:b"}, "a.object"),
        ({"type": "Relationship", "object": "urn:a:b", "unitCode": "MTR"}, "a.unitCode"),
        ({"type": "Relationship", "object": "not a uri"}, "a.object"),
        ({"object": []}, "a.object"),
        ({"object": ["urn:a:b", 1]}, "a.object[1]"),
        ({"object": "urn:a:b", "objectType": 1}, "a.objectType"),
        ({"value": 1, "entity": {}}, "a.entity"),
        ({"value": 1, "previousValue": 0}, "a.previousValue"),
        ({"value": 1, "unitCode": ""}, "a.unitCode"),
        ({"value": 1, "datasetId": "mine"}, "a.datasetId"),
        ({"value": 1, "b": {"value": 1, "@context": {}}}, "a.b.@context"),
        ({"value": 1, "b c": 2}, "a.b c"),
        ({"vocab": "a: b"}, "a.vocab"),
        ({"value": 1, "b": {"value": 2, "observedAt": "2020-01-01"}}, "a.b.observedAt"),
        ({"value": 1, "observedAt": "2020-02-30T00:00:00Z"}, "a.observedAt"),
        ({"value": 1, "observedAt": "2020-01-01T00:00:00+09:00"}, "a.observedAt"),
        ({"value": 1, "observedAt": "2020-01-01T00:00:00"}, "a.observedAt"),
        ({"type": "GeoProperty", "value": "here"}, "a.value"),
        ({"type": "GeoProperty", "value": {"type": "Point", "coordinates": [35, 135]}}, "a.value"),
        ({"type": "Point", "coordinates": []}, "a.value"),
        ({"languageMap": {}}, "a.languageMap"),
        ({"languageMap": {"no tag": "x"}}, "a.languageMap.no tag"),
        ({"languageMap": {"en": 1}}, "a.languageMap.en"),
        ({"languageMap": {"en": "a"}, "valueType": "xsd:string"}, "a.valueType"),
        ({"value": 1, "entityIdSealed": "urn:a:b"}, "a.entityIdSealed"),
        ({"value": 1, "b": {"value": 1, "entityTypeSealed": "T"}}, "a.b.entityTypeSealed"),
        ({"value": 1, "ngsildproof": {"value": "signed"}}, "a.ngsildproof"),
        ({"value": 1, "ngsildproof": {"object": "urn:a:b"}}, "a.ngsildproof"),
        (
            {"value": 1, "ngsildproof": {"value": {}, "entityTypeSealed": 42}},
            "a.ngsildproof.entityTypeSealed",
        ),
        ({"vocab": 1}, "a.vocab"),
        ({"vocab": []}, "a.vocab"),
        ({"json": 1}, "a.json"),
        ({"valueList": 1}, "a.valueList"),
        ({"objectList": [{"object": "urn:a:b", "b": 1}]}, "a.objectList[0]"),
        ([{"value": 1}, {"value": 2}], "a"),
        ([{"value": 1, "datasetId": "urn:d:1"}, {"value": 2, "datasetId": "urn:d:1"}], "a"),
        ([{"value": 1}, 2], "a[1]"),
        (nested(MAX_DEPTH + 1), "$" + "[0]" * MAX_DEPTH),
    ],
)
def test_attributes_that_break_the_standard_are_refused_by_path(document: object, field: str):
    with pytest.raises(BadRequestData) as caught:
        read_attribute("a", document, CORE)
    assert caught.value.field == field


def test_a_document_may_be_as_deep_as_the_limit():
    assert read_one(nested(MAX_DEPTH))["value"] == nested(MAX_DEPTH)


@pytest.mark.parametrize("name", ["location", "observationSpace", "operationSpace"])
def test_core_places_are_geo_properties(name: str):
    assert read_attribute(name, POINT, CORE)[0]["type"] == "GeoProperty"
    with pytest.raises(BadRequestData):
        read_attribute(name, {"type": "Property", "value": POINT}, CORE)


def test_a_proof_seals_an_entity_or_an_attribute():
    """Clauses 4.5.2.2 and C.11: both members stay plain, the type as a name."""
    sealed = {"type": "Property", "entityIdSealed": "urn:a:b", "entityTypeSealed": "River"}
    proof = {**sealed, "value": {"type": "DataIntegrityProof", "proofValue": "z"}}
    document = {
        "id": "urn:a:b",
        "type": "River",
        "ngsildproof": proof,
        "a": {"value": 1, "ngsildproof": proof},
    }
    entity = read_entity(document, CORE)
    assert entity.attributes[f"{DEFAULT}ngsildproof"][0]["entityTypeSealed"] == f"{DEFAULT}River"
    shown = render_entity(entity, CORE)
    assert (shown["ngsildproof"], shown["a"]["ngsildproof"]) == (proof, proof)


@pytest.mark.parametrize("member", ["valueType", "entityIdSealed"])
def test_a_partial_update_has_no_more_members_than_a_whole_one(member: str):
    document = {member: "x"}
    assert read_attribute("ngsildproof", document, CORE, partial=True)
    if member == "entityIdSealed":
        with pytest.raises(BadRequestData):
            read_attribute("a", document, CORE, partial=True)


def test_every_property_has_a_type_of_its_value():
    """Clauses 5.2.7, 5.2.32, 5.2.35 and 5.2.38 of 1.9.1."""
    for document in (
        {"value": POINT, "valueType": "geo"},
        {"vocab": "open", "valueType": "word"},
        {"json": {}, "valueType": "schema"},
        {"languageMap": {"en": "a"}, "valueType": "langString"},
    ):
        [instance] = read_attribute("a", document, CORE)
        shown = render_entity(
            Entity(id="urn:a:b", types=("urn:t",), attributes={"urn:a:a": [instance]}), CORE
        )
        assert shown["urn:a:a"]["valueType"] == document["valueType"]


def test_entities_and_attributes_may_expire():
    """Clause 4.22; and attributes of attributes."""
    expiry = {"expiresAt": "2030-01-01T00:00:00Z"}
    entity = read_entity({"id": "urn:a:b", "type": "T", **expiry}, CORE)
    assert entity.expires_at == datetime(2030, 1, 1, tzinfo=UTC)
    assert read_attribute("a", {"value": 1, **expiry}, CORE) == [{"type": "Property", "value": 1, **expiry}]
    [instance] = read_attribute("a", {"value": 1, "b": {"value": 2, **expiry}}, CORE)
    assert instance[f"{DEFAULT}b"][0]["expiresAt"] == expiry["expiresAt"]
    with pytest.raises(BadRequestData):
        read_attribute("a", {"value": 1, "expiresAt": "tomorrow"}, CORE)


def test_a_fragment_says_what_it_does_not_give():
    value = {f"{DEFAULT}a": [{"type": "Property", "value": 1}]}
    assert read_fragment({"a": 1}, CORE) == Fragment(attributes=value)
    fragment = read_fragment({"id": "urn:a:b", "type": "T", "scope": NGSI_NULL, "expiresAt": NGSI_NULL}, CORE)
    assert fragment == Fragment(types=(f"{DEFAULT}T",), scope=(NGSI_NULL,), expires_at=NEVER)


@pytest.mark.parametrize(
    "document",
    [
        NGSI_NULL,
        {"type": "Property", "value": NGSI_NULL},
        {"type": "GeoProperty", "value": NGSI_NULL},
        {"object": NGSI_NULL},
        {"languageMap": {"@none": NGSI_NULL}},
        {"vocab": NGSI_NULL},
        {"json": NGSI_NULL},
        {"valueList": [NGSI_NULL]},
        {"objectList": [NGSI_NULL]},
        {"value": NGSI_NULL, "datasetId": "urn:d:1"},
    ],
)
def test_nulls_are_known_for_every_kind(document: object):
    fragment = read_fragment({"location" if document == NGSI_NULL else "a": document}, CORE)
    ((instance,),) = fragment.attributes.values()
    assert is_null(instance)
    with pytest.raises(BadRequestData):
        read_fragment({"a": document}, CORE, nulls=False)


def test_a_value_with_a_null_inside_is_not_null():
    document = {"a": {"value": {"b": NGSI_NULL}}, "b": {"value": 1, "unitCode": NGSI_NULL}}
    attributes = read_fragment(document, CORE, deep=True).attributes
    with pytest.raises(BadRequestData):  # only a merge patch goes into values (clause 5.5.4)
        read_fragment(document, CORE)
    assert not any(is_null(instance) for instances in attributes.values() for instance in instances)


def test_a_partial_update_may_lack_the_value():
    assert read_attribute("a", {"unitCode": "CEL", "datasetId": "urn:d:1"}, CORE, partial=True) == [
        {"unitCode": "CEL", "datasetId": "urn:d:1"}
    ]
    assert read_attribute("a", {"type": "Property", "b": NGSI_NULL}, CORE, partial=True) == [
        {"type": "Property", f"{DEFAULT}b": [{"type": "Property", "value": NGSI_NULL}]}
    ]


def test_history_has_many_instances_of_one_dataset():
    evolution = [{"type": "Property", "value": value} for value in (1, 2, NGSI_NULL)]
    entity = read_temporal({"id": "urn:a:b", "type": "T", "a": evolution}, CORE)
    assert entity.attributes == {f"{DEFAULT}a": evolution}


def test_the_text_of_an_escape_is_no_escape():
    assert read_one("\\u0000")["value"] == "\\u0000"


def test_a_large_flat_document_is_taken():
    line = {"type": "LineString", "coordinates": [[135 + step / 1e4, 35] for step in range(2000)]}
    assert read_attribute("location", line, CORE) == [{"type": "GeoProperty", "value": line}]
