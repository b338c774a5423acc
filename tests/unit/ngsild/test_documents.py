"""Entities in, entities out: every kind of attribute in every representation (clause 4.5)."""

import pytest
from machinami.errors import BadRequestData
from machinami.ngsild.context import CORE
from machinami.ngsild.documents import read_entity
from machinami.ngsild.render import Representation, render_entity

GAUGE = {
    "id": "urn:ngsi-ld:FloodMonitoring:namiki:1",
    "type": ["FloodMonitoring", "Device"],
    "scope": "/namiki/north",
    "currentLevel": {
        "type": "Property",
        "value": 3.2,
        "unitCode": "MTR",
        "observedAt": "2026-11-21T01:02:03.5Z",
        "accuracy": {"type": "Property", "value": 0.01, "unitCode": "MTR"},
    },
    "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [135.1, 35.2]}},
    "name": {"type": "LanguageProperty", "languageMap": {"ja": "並木川", "en": ["Namiki", "Namiki River"]}},
    "refStation": {"type": "Relationship", "object": "urn:ngsi-ld:Station:1", "objectType": "Station"},
    "condition": {"type": "VocabProperty", "vocab": ["Sound", "in-service"]},
    "raw": {"type": "JsonProperty", "json": {"id": 1, "type": "x", "value": None}},
    "steps": {"type": "ListProperty", "valueList": [1, "two", 3.0]},
    "route": {
        "type": "ListRelationship",
        "objectList": [{"object": "urn:ngsi-ld:Stop:1"}, {"object": "urn:ngsi-ld:Stop:2"}],
    },
    "speed": [
        {"type": "Property", "value": 1},
        {"type": "Property", "value": [{"value": 2}], "datasetId": "urn:ngsi-ld:Dataset:gps"},
    ],
    "水位_測定値": {"type": "Property", "value": "高い"},
}


def test_a_normalized_entity_comes_back_as_it_was():
    assert render_entity(read_entity(GAUGE, CORE), CORE) == GAUGE


def test_the_concise_form_loses_nothing():
    entity = read_entity(GAUGE, CORE)
    concise = render_entity(entity, CORE, Representation.CONCISE)
    assert concise["水位_測定値"] == "高い"
    assert concise["location"] == {"type": "Point", "coordinates": [135.1, 35.2]}
    assert read_entity(concise, CORE) == entity


def test_an_error_names_the_json_path():
    with pytest.raises(BadRequestData) as caught:
        read_entity(
            {"id": "urn:a:b", "type": "T", "a": {"value": 1, "b": {"value": 2, "observedAt": "now"}}}, CORE
        )
    assert caught.value.field == "a.b.observedAt"
