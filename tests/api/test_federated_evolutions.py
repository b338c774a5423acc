"""Distributed temporal reads among brokers of neighbouring cities (clauses 5.7.3, 5.7.4 and 4.5.5)."""

from collections.abc import Sequence
from typing import Any

import httpx
import pytest

G1, G2, G3 = (f"urn:ngsi-ld:RiverGauge:{number}" for number in (1, 2, 3))
SPAN = {"timerel": "after", "timeAt": "2026-05-01T00:00:00Z"}
GAUGES = {"type": "RiverGauge", **SPAN}
VALUES = {"options": "temporalValues"}
OPERATIONS = ["retrieveTemporal", "queryTemporal"]


def _at(hour: int) -> str:
    return f"2026-05-01T{hour:02}:00:00Z"


def _record(city: httpx.Client, identifier: str, **attributes: dict[int, Any]) -> None:
    """Record values by the hour of the day."""
    document = {
        name: [{"type": "Property", "value": value, "observedAt": _at(hour)} for hour, value in each.items()]
        for name, each in attributes.items()
    }
    created = city.post("/temporal/entities", json={"id": identifier, "type": "RiverGauge", **document})
    assert created.status_code == 201, created.text


def _register(here: httpx.Client, there: httpx.Client, **more: Any) -> None:
    document = {
        "type": "ContextSourceRegistration",
        "information": [{"entities": [{"type": "RiverGauge"}]}],
        "endpoint": str(there.base_url).removesuffix("/ngsi-ld/v1/"),
        "operations": OPERATIONS,
        **more,
    }
    assert here.post("/csourceRegistrations", json=document).status_code == 201


def _levels(city: httpx.Client, identifier: str, **asked: Any) -> list[Any]:
    answer = city.get(f"/temporal/entities/{identifier}", params={**SPAN, **VALUES, **asked})
    assert answer.status_code == 200, answer.text
    return [pair[0] for pair in answer.json()["level"]["values"]]


def _ids(city: httpx.Client, **asked: Any) -> list[str]:
    answer = city.get("/temporal/entities", params={**GAUGES, **asked})
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()]


@pytest.fixture
def pair(cities: list[httpx.Client]) -> Sequence[httpx.Client]:
    """Two cities, the second of which is a source of the first."""
    here, north, _ = cities
    _register(here, north)
    return here, north


def test_an_evolution_is_put_together(pair: Sequence[httpx.Client]) -> None:
    here, north = pair
    _record(here, G1, level={1: 10, 4: 40})
    _record(north, G1, level={2: 20, 3: 30, 4: 41}, name={1: "Kita"})
    assert _levels(here, G1) == [10, 20, 30, 41]  # at 4 o'clock what was modified last counts
    assert _levels(here, G1, lastN=2) == [41, 30]
    assert _levels(here, G1, local="true") == [10, 40]
    assert _levels(here, G1, timerel="before", timeAt=_at(3)) == [10, 20]
    whole = here.get(f"/temporal/entities/{G1}", params={"options": "sysAttrs"}).json()
    assert {name: len(whole[name]) for name in ("level", "name")} == {"level": 4, "name": 1}
    assert all({"instanceId", "createdAt", "modifiedAt"} <= each.keys() for each in whole["level"])
    assert "name" not in here.get(f"/temporal/entities/{G1}", params={**SPAN, "pick": "id,level"}).json()


def test_what_only_a_source_has_is_found(pair: Sequence[httpx.Client]) -> None:
    here, north = pair
    _record(north, G1, level={1: 10, 2: 20})
    answer = here.get(f"/temporal/entities/{G1}", params=SPAN)
    assert (answer.status_code, "NGSILD-Warning" in answer.headers) == (200, False)
    assert here.get(f"/temporal/entities/{G1}", params={**SPAN, "local": "true"}).status_code == 404
    assert here.get(f"/temporal/entities/{G2}", params=SPAN).status_code == 404
    _record(here, G3, level={1: 1})
    alone = here.get(f"/temporal/entities/{G3}", params=SPAN)
    assert (alone.status_code, "NGSILD-Warning" in alone.headers) == (200, False)


def test_a_query_has_pages_of_all(pair: Sequence[httpx.Client]) -> None:
    here, north = pair
    _record(here, G1, level={1: 1})
    _record(here, G2, level={1: 2})
    _record(north, G2, level={2: 3})
    _record(north, G3, level={1: 4})
    page = here.get("/temporal/entities", params={**GAUGES, **VALUES, "limit": 2, "count": "true"})
    assert [each["id"] for each in page.json()] == [G1, G2]
    assert [pair[0] for pair in page.json()[1]["level"]["values"]] == [2, 3]
    assert (page.headers["NGSILD-Results-Count"], 'rel="next"' in page.headers["Link"]) == ("3", True)
    assert _ids(here, limit=2, offset=2) == [G3]
    assert _ids(here, local="true") == [G1, G2]
    assert _ids(here, q="level>2") == [G2, G3]
    assert _ids(here, idPattern="3$") == [G3]
    refused = here.get("/temporal/entities", params={**GAUGES, "orderBy": "id"})
    assert (refused.status_code, refused.json()["field"]) == (400, "orderBy")
    query = {"type": "Query", "entities": [{"type": "RiverGauge"}], "temporalQ": SPAN, "q": "level>3"}
    assert [each["id"] for each in here.post("/temporal/entityOperations/query", json=query).json()] == [G3]


def test_filters_of_split_entities_are_asked_of_the_whole(pair: Sequence[httpx.Client]) -> None:
    here, north = pair
    _record(here, G1, level={1: 1})
    _record(north, G1, name={1: "Kita"})
    _record(north, G2, name={1: "Kita"})
    both = {"q": 'level==1;name=="Kita"', "count": "true"}
    assert _ids(here, **both) == []
    assert _ids(here, **both, splitEntities="true") == [G1]
    assert _ids(here, q='name=="Kita"', splitEntities="true") == [G1, G2]
    assert _ids(here, q="level>1", splitEntities="true") == []


def test_aggregates_are_of_all_that_there_is(pair: Sequence[httpx.Client]) -> None:
    """Clause 4.5.19, and as the database aggregates what it has alone."""
    here, north = pair
    values = {0: 1, 1: 3, 3: True, 4: [1, 2, 3], 5: "b", 6: "a", 7: 2}
    _record(here, G1, level={hour: value for hour, value in values.items() if hour % 2})
    _record(north, G1, level={hour: value for hour, value in values.items() if not hour % 2})
    _record(north, G2, level=values)
    methods = "totalCount,distinctCount,sum,avg,min,max,stddev,sumsq"
    for period in ("PT0S", "PT2H", "P1M"):
        asked = {**SPAN, "options": "aggregatedValues", "aggrMethods": methods, "aggrPeriodDuration": period}
        merged = here.get(f"/temporal/entities/{G1}", params=asked).json()["level"]
        alone = north.get(f"/temporal/entities/{G2}", params=asked).json()["level"]
        assert merged == alone
        listed = here.get("/temporal/entities", params={**asked, "type": "RiverGauge"}).json()
        assert [each["level"] for each in listed] == [merged, merged]


def test_a_source_tells_of_its_interval_only(cities: list[httpx.Client]) -> None:
    """Clause 5.2.9: a query by observedAt is matched against the observationInterval."""
    here, north, _ = cities
    _register(here, north, observationInterval={"startAt": _at(2), "endAt": _at(4)})
    _record(north, G1, level={1: 10, 3: 30, 9: 90})
    assert _ids(here, timerel="between", timeAt=_at(3), endTimeAt=_at(5)) == [G1]
    assert _ids(here, timerel="between", timeAt=_at(8), endTimeAt=_at(10)) == []
    assert _ids(here, timeproperty="modifiedAt") == []
    assert _levels(here, G1) == [10, 30, 90]


def test_only_what_is_registered_is_asked_for(cities: list[httpx.Client]) -> None:
    here, north, south = cities
    only = {"entities": [{"id": G1, "type": "RiverGauge"}], "propertyNames": ["level"]}
    _register(here, north, information=[only])
    _register(here, south, operations=["retrieveOps"])
    _record(north, G1, level={1: 1}, name={1: "Kita"})
    _record(north, G2, level={1: 2})
    _record(south, G3, level={1: 3})
    assert _ids(here) == [G1]
    assert here.get(f"/temporal/entities/{G1}", params=SPAN).json().keys() == {"id", "type", "level"}


def test_the_past_of_a_deleted_attribute_is_told(pair: Sequence[httpx.Client]) -> None:
    here, north = pair
    north.post("/entities", json={"id": G1, "type": "RiverGauge", "level": 5, "scope": "/kita"})
    north.delete(f"/entities/{G1}/attrs/level")
    asked = {**SPAN, "timeproperty": "deletedAt", "options": "sysAttrs"}
    [gone] = here.get(f"/temporal/entities/{G1}", params=asked).json()["level"]
    assert gone["value"] == "urn:ngsi-ld:null"
    assert "deletedAt" in gone
    for split in ("false", "true"):
        assert _ids(here, scopeQ="/kita", splitEntities=split) == [G1]
        assert _ids(here, scopeQ="/minami", splitEntities=split) == []


def test_loops_end_and_a_source_that_fails_is_said(cities: list[httpx.Client]) -> None:
    here, north, _ = cities
    _register(here, north)
    _register(north, here)
    _record(here, G1, level={1: 10})
    _record(north, G1, level={2: 20})
    assert _levels(here, G1) == [10, 20]
    document = {
        "type": "ContextSourceRegistration",
        "information": [{"entities": [{"type": "RiverGauge"}]}],
        "endpoint": "http://127.0.0.1:9",
        "operations": OPERATIONS,
    }
    assert here.post("/csourceRegistrations", json=document).status_code == 201
    answer = here.get("/temporal/entities", params=GAUGES)
    assert [each["id"] for each in answer.json()] == [G1]
    assert answer.headers["NGSILD-Warning"].startswith("199 ")


def test_an_entity_map_names_the_sources(pair: Sequence[httpx.Client]) -> None:
    here, north = pair
    _record(here, G1, level={1: 1})
    _record(north, G2, level={1: 2})
    first = here.get("/temporal/entities", params={**GAUGES, "entityMap": "true", "limit": 1})
    assert (first.status_code, [each["id"] for each in first.json()]) == (201, [G1])
    headers = {"NGSILD-EntityMap": first.headers["NGSILD-EntityMap"]}
    _record(north, G3, level={1: 3})
    second = here.get("/temporal/entities", params={**GAUGES, "limit": 1, "offset": 1}, headers=headers)
    assert [each["id"] for each in second.json()] == [G2]
    third = here.get("/temporal/entities", params={**GAUGES, "offset": 2}, headers=headers)
    assert third.json() == []
