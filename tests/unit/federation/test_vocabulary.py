"""Types and attributes of several places (clause 5.7.11)."""

from typing import Any

import pytest
from machinami.federation.registration import EntityInfo, Information, Mode, Registration
from machinami.federation.vocabulary import EVERYTHING, Vocabulary, adopt, combine, vocabulary_of
from machinami.ngsild.context import CORE, build_context

OWN = build_context({"Gauge": "urn:x:Gauge", "level": "urn:x:level"}, lambda _: {})
GAUGES = Vocabulary(types=frozenset({"urn:x:Gauge"}), attributes=frozenset({"urn:x:level"}))


def registered(*information: Information) -> Registration:
    return Registration(
        tenant=1,
        id="urn:x:1",
        mode=Mode.INCLUSIVE,
        operations=frozenset(),
        endpoint="http://127.0.0.1:9",
        information=information,
    )


def test_a_registration_speaks_of_types_and_attributes() -> None:
    gauges = Information(
        entities=(EntityInfo(types=("urn:x:Gauge",)),), attributes=frozenset({"urn:x:level"})
    )
    assert vocabulary_of(registered(gauges)) == GAUGES
    anything = vocabulary_of(registered(gauges, Information(attributes=frozenset({"urn:x:other"}))))
    assert anything == Vocabulary(types=None, attributes=frozenset({"urn:x:level", "urn:x:other"}))
    assert vocabulary_of(registered(gauges, Information(entities=(EntityInfo(id="urn:x:g"),)))) == EVERYTHING


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"typeList": ["urn:x:Gauge", "urn:x:Other"]}, {"typeList": ["Gauge"]}),
        ({"attributeList": ["urn:x:level", "urn:x:other"]}, {"attributeList": ["level"]}),
        (
            [
                {"type": "EntityType", "id": "urn:x:Gauge", "attributeNames": ["urn:x:level", "urn:x:other"]},
                {"type": "EntityType", "id": "urn:x:Other"},
            ],
            [{"type": "EntityType", "id": "urn:x:Gauge", "attributeNames": ["level"]}],
        ),
        ({"type": "Attribute", "id": "urn:x:other"}, None),
        (
            {"typeName": "urn:x:Gauge", "@context": "x", "entityCount": 3},
            {"typeName": "Gauge", "entityCount": 3},
        ),
        ("nonsense", "nonsense"),
    ],
)
def test_an_answer_is_narrowed_and_renamed(answer: Any, expected: Any) -> None:
    assert adopt(answer, GAUGES, CORE, OWN) == expected


def test_answers_become_one() -> None:
    one = {"id": "a", "entityCount": 2, "attributeDetails": [{"id": "l", "attributeTypes": ["Property"]}]}
    other = {
        "id": "a",
        "entityCount": 3,
        "attributeDetails": [{"id": "m"}, {"id": "l", "attributeTypes": ["GeoProperty", "Property"]}],
    }
    assert combine([one, other]) == {
        "id": "a",
        "entityCount": 5,
        "attributeDetails": [{"id": "l", "attributeTypes": ["GeoProperty", "Property"]}, {"id": "m"}],
    }
    assert combine([{"typeList": ["b", "a"]}, {"typeList": ["c", "a"]}]) == {"typeList": ["a", "b", "c"]}
    assert combine([{"typeList": ["a"]}, {"typeList": "nonsense"}]) == {"typeList": ["a"]}
