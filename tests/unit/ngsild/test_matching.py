"""Queries asked of entities (clause 4.9), with the standard's own examples."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami.errors import TooComplexQuery
from machinami.model import Entity
from machinami.ngsild.context import CORE
from machinami.ngsild.documents import read_entity
from machinami.ngsild.q import matches, parse_q

DOCUMENT: dict[str, Any] = {
    "id": "urn:ngsi-ld:Vehicle:1",
    "type": "Vehicle",
    "speed": [
        {
            "type": "Property",
            "value": 55,
            "observedAt": "2026-11-21T01:02:03Z",
            "unitCode": "KMH",
            "accuracy": 0.5,
        },
        {"type": "Property", "value": 40, "datasetId": "urn:ngsi-ld:Dataset:gps"},
    ],
    "brandName": "Mercedes",
    "isParked": {"object": "urn:ngsi-ld:OffStreetParking:Downtown1"},
    "owners": {"object": ["urn:ngsi-ld:Person:1", "urn:ngsi-ld:Person:2"]},
    "stops": {"objectList": ["urn:ngsi-ld:Stop:1"]},
    "colours": ["blue", "red"],
    "electric": True,
    "zero": 0,
    "address": {"city": "Berlin", "geo": {"height": 34}},
    "sensor": {"value": 40, "rawdata": {"value": {"airquality": {"particulate": 40}}}},
    "name": {"languageMap": {"fr": ["chat", "rouge"], "en": "red", "@none": "x"}},
    "gender": {"vocab": "Male"},
    "tickets": {"json": {"id": "85", "value": "Overstay"}},
    "levels": {"valueList": [1, 2, 3]},
    "checked": "2026-05-01T10:00:00Z",
    "typed": {"value": {"@type": "Date", "@value": "2026-05-01"}},
    "opens": "09:30:00Z",
}


@pytest.fixture(scope="module")
def vehicle() -> Entity:
    entity = read_entity(DOCUMENT, CORE)
    return Entity(
        id=entity.id,
        types=entity.types,
        attributes=entity.attributes,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "text",
    [
        "speed",
        "speed>50",
        "speed<50",  # any of the instances
        "speed==40",
        "speed==10..50",
        "speed!=55",
        'speed=="55"|speed>=55',
        "speed.accuracy<=0.5",
        'speed.unitCode=="KMH"',
        "speed.observedAt",
        "speed.observedAt>=2026-11-21T01:02:03Z",
        'speed.observedAt<"2026-11-21T01:02:03.5Z"',
        'speed.datasetId=="urn:ngsi-ld:Dataset:gps"',
        'brandName=="Mercedes"',
        'brandName!="Volvo","Skoda"',
        "brandName!=5",  # another data type is unequal
        'brandName>"M"',
        'brandName~="^Merc"',
        "brandName~=[[:upper:]]e",
        'brandName!~="^Vol"',
        'isParked=="urn:ngsi-ld:OffStreetParking:Downtown1"',
        "owners==urn:ngsi-ld:Person:2",
        "owners!=urn:ngsi-ld:Person:3",
        "stops==urn:ngsi-ld:Stop:1",
        'colours=="red"',
        'colours=="black","red"',
        "electric==true",
        "zero==0",
        'address[city]=="Berlin"',
        "address[geo.height]>30",
        "address[geo]",
        "sensor.rawdata[airquality.particulate]==40",
        'name=="rouge"',
        'name[en]=="red"',
        'name[*]=="chat"',
        'name[en]!="chat"',
        'tickets[value]=="Overstay"',
        "levels==2",
        "checked>2026-05-01T09:59:59Z",
        "checked==2026-05-01T10:00:00.000Z",
        "typed==2026-05-01",
        "typed==2026-04-01..2026-06-01",
        "opens<10:00:00Z",
        "createdAt<2026-01-02T00:00:00Z",
        "(speed>50|rpm>3000);brandName",
        "!rpm;speed>50",
        "!speed.more",
    ],
)
def test_queries_that_match(vehicle: Entity, text: str):
    assert matches(parse_q(text, CORE), vehicle)


@pytest.mark.parametrize(
    "text",
    [
        "rpm",
        "rpm!=5",  # the target has to be there
        "speed>55",
        "speed!=30..60",
        'speed=="55"',
        "speed==true",
        "speed.accuracy.more",
        "speed.observedAt>2026-11-21T01:02:03Z",
        'brandName!="Volvo","Mercedes"',
        'brandName~="^erc"',
        'brandName!~="^Merc"',
        'speed!~="x"',  # a number is no text
        "speed~=5",
        'isParked>"urn:a"',
        'isParked~="urn"',
        "owners!=urn:ngsi-ld:Person:2",
        'colours!="red"',
        "electric==1",
        "zero==false",
        "address[street]",
        'address[city.name]=="Berlin"',
        'name[de]=="red"',
        'name[*]!="chat"',
        'name[fr]!="rouge"',
        "checked>2026-05-01",  # a DateTime is no Date
        "brandName<2026-05-01",
        "modifiedAt",
        "speed>50;rpm",
        "!speed",
        "rpm|!brandName",
    ],
)
def test_queries_that_do_not_match(vehicle: Entity, text: str):
    assert not matches(parse_q(text, CORE), vehicle)


def test_names_of_a_vocabulary_are_expanded_on_request(vehicle: Entity):
    assert matches(parse_q("gender==Male", CORE, expand_values=["gender"]), vehicle)
    assert not matches(parse_q('gender=="Male"', CORE), vehicle)


def test_a_hostile_pattern_is_stopped():
    entity = read_entity({"id": "urn:a:b", "type": "T", "a": "a" * 60 + "b"}, CORE)
    with pytest.raises(TooComplexQuery):
        matches(parse_q('a~="(a|a)*$"', CORE), entity)


names = st.sampled_from([name for name in DOCUMENT if name not in ("id", "type")])
tails = st.sampled_from(["", ".accuracy", ".observedAt", "[city]", "[*]", "[en]"])
operators = st.sampled_from(["==", "!=", ">", ">=", "<", "<="])
operands = st.sampled_from(
    ["1", "40", '"red"', "true", "2026-05-01", "2026-05-01T10:00:00Z", "09:30:00Z", "urn:a:b"]
)


@given(names, tails, operators, operands)
def test_any_comparison_has_an_answer(name: str, tail: str, operator: str, operand: str):
    entity = read_entity(DOCUMENT, CORE)
    assert matches(parse_q(name + tail + operator + operand, CORE), entity) in (True, False)


@given(names, tails, operands)
def test_unequal_is_the_contrary_of_equal_for_a_single_instance(name: str, tail: str, operand: str):
    entity = read_entity({member: value for member, value in DOCUMENT.items() if member != "speed"}, CORE)
    there, equal, unequal = (
        matches(parse_q(name + tail + rest, CORE), entity) for rest in ("", f"=={operand}", f"!={operand}")
    )
    assert (equal, unequal) == ((False, False) if not there else (equal, not equal))


def test_linked_entities_need_somebody_to_ask():
    humidity, sensor = CORE.expand("humidity"), CORE.expand("sensor")
    device = Entity(id="urn:x:s", types=("D",), attributes={humidity: [{"type": "Property", "value": 90}]})
    station = Entity(
        id="urn:x:w", types=("W",), attributes={sensor: [{"type": "Relationship", "object": "urn:x:s"}]}
    )
    query = parse_q("sensor{humidity}>50", CORE, depth=1)
    assert matches(query, station, lambda ids: [device] if ids == ["urn:x:s"] else [])
    assert not matches(query, station)
