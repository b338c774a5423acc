"""Context source registrations as resources (clauses 5.9 and 5.10)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from api_samples import CORE, GAUGE, JSON_LD, gauge

ROOT = "/ngsi-ld/v1"
GAUGES = {"entities": [{"type": "FloodMonitoring"}]}


def registration(**more: Any) -> dict[str, Any]:
    return {
        "type": "ContextSourceRegistration",
        "information": [GAUGES],
        "endpoint": "http://127.0.0.1:9",
        **more,
    }


def create(client: httpx.Client, **more: Any) -> str:
    created = client.post("/csourceRegistrations", json=registration(**more))
    assert created.status_code == 201, created.text
    return created.headers["Location"].removeprefix(ROOT)


def listed(client: httpx.Client, **parameters: str) -> list[str]:
    answer = client.get("/csourceRegistrations", params=parameters)
    assert answer.status_code == 200, answer.text
    return [each["id"].rpartition(":")[2] for each in answer.json()]


def test_every_member_comes_back(client: httpx.Client) -> None:
    given = registration(
        id="urn:ngsi-ld:ContextSourceRegistration:1",
        registrationName="The next city",
        description="River gauges of the next city",
        information=[
            {
                "entities": [
                    {"id": GAUGE, "type": ["FloodMonitoring", "Device"]},
                    {"type": "A", "idPattern": "^urn"},
                ],
                "propertyNames": ["currentLevel"],
                "relationshipNames": ["refRiver"],
            },
            {"propertyNames": ["alertLevel"]},
        ],
        mode="redirect",
        operations=["retrieveOps", "createEntity"],
        tenant="north",
        contextSourceAlias="north.example",
        contextSourceInfo=[{"key": "Authorization", "value": "urn:ngsi-ld:request"}],
        management={"timeout": 500, "cooldown": 1000, "localOnly": True, "cacheDuration": "PT10S"},
        location={"type": "Point", "coordinates": [135.1, 35.2]},
        scope=["/north", "/rivers"],
        datasetId=["urn:x:1", "@none"],
        refreshRate="PT1M",
        expiresAt="2100-01-01T00:00:00Z",
        operator="river office",
    )
    assert client.post("/csourceRegistrations", json=given).status_code == 201
    found = client.get("/csourceRegistrations/urn:ngsi-ld:ContextSourceRegistration:1").json()
    assert found == given
    assert client.post("/csourceRegistrations", json=given).status_code == 409


def test_an_id_is_made_up_and_system_times_are_shown(client: httpx.Client) -> None:
    path = create(client)
    found = client.get(path, params={"options": "sysAttrs"}).json()
    assert found["id"] == path.removeprefix("/csourceRegistrations/")
    assert {"createdAt", "modifiedAt"} <= found.keys()


def test_names_mean_the_same_in_any_context(client: httpx.Client) -> None:
    context = [{"Gauge": "https://example.org/Gauge", "level": "https://example.org/level"}, CORE]
    information = [{"entities": [{"type": "Gauge"}], "propertyNames": ["level"]}]
    given = registration(information=information, **{"@context": context})
    path = client.post("/csourceRegistrations", json=given, headers=JSON_LD).headers["Location"]
    shown = client.get(path.removeprefix(ROOT)).json()["information"][0]
    assert shown == {
        "entities": [{"type": "https://example.org/Gauge"}],
        "propertyNames": ["https://example.org/level"],
    }


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("type", {"type": "Subscription"}),
        ("endpoint", {"endpoint": "ftp://x"}),
        ("endpoint", {"endpoint": "http://[x"}),
        ("information", {"information": []}),
        ("information", {"information": [{}]}),
        ("information.properties", {"information": [{"properties": ["a"]}]}),
        ("entities", {"information": [{"entities": []}]}),
        ("propertyNames", {"information": [{"propertyNames": []}]}),
        ("entities.id", {"information": [{"entities": [{"id": "x"}]}]}),
        ("entities.idPattern", {"information": [{"entities": [{"type": "A", "idPattern": "("}]}]}),
        ("entities.type", {"information": [{"entities": [{"type": []}]}]}),
        ("mode", {"mode": "shared"}),
        ("operations", {"operations": ["everything"]}),
        ("operations", {"mode": "auxiliary", "operations": ["createEntity"]}),
        ("expiresAt", {"expiresAt": "2000-01-01T00:00:00Z"}),
        ("refreshRate", {"refreshRate": "often"}),
        ("refreshRate", {"refreshRate": "P"}),
        ("location", {"location": {"type": "Point", "coordinates": "here"}}),
        ("observationInterval", {"observationInterval": {"endAt": "2026-01-01T00:00:00Z"}}),
        ("management.pace", {"management": {"pace": 3}}),
        ("timeout", {"management": {"timeout": 0}}),
        ("contextSourceInfo", {"contextSourceInfo": [{"key": "a b", "value": "x"}]}),
        ("contextSourceInfo.accept", {"contextSourceInfo": [{"key": "accept", "value": "text/html"}]}),
        ("contextSourceInfo.jsonldContext", {"contextSourceInfo": [{"key": "jsonldContext", "value": "x"}]}),
        ("contextSourceAlias", {"contextSourceAlias": "a b"}),
        ("scope", {"scope": "1/2"}),
        ("datasetId", {"datasetId": "urn:x:1"}),
    ],
)
def test_what_breaks_the_standard_is_named(client: httpx.Client, field: str, given: dict[str, Any]) -> None:
    answer = client.post("/csourceRegistrations", json=registration(**given))
    assert answer.status_code == 400
    assert answer.json()["field"] == field
    assert listed(client, type="FloodMonitoring") == []


def test_a_fragment_changes_what_it_names(client: httpx.Client) -> None:
    path = create(client, operator="river office", description="old", expiresAt="2100-01-01T00:00:00Z")
    fragment = {
        "endpoint": "http://127.0.0.1:10",
        "expiresAt": "urn:ngsi-ld:null",
        "description": None,
        "area": 3,
    }
    assert client.patch(path, json=fragment).status_code == 204
    found = client.get(path).json()
    assert (found["endpoint"], found["operator"], found["area"]) == ("http://127.0.0.1:10", "river office", 3)
    assert not {"expiresAt", "description"} & found.keys()
    assert client.patch(path, json={"operator": "urn:ngsi-ld:null"}).status_code == 204
    assert "operator" not in client.get(path).json()
    assert client.patch(path, json={"endpoint": "urn:ngsi-ld:null"}).status_code == 400
    assert client.patch("/csourceRegistrations/urn:x:none", json={"description": "x"}).status_code == 404


def test_delete(client: httpx.Client) -> None:
    path = create(client)
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == client.delete(path).status_code == 404


def test_an_expired_one_is_gone(client: httpx.Client, engine: Any) -> None:
    path = create(client, expiresAt="2100-01-01T00:00:00Z")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE registration SET expires_at = now()")
    assert client.get(path).status_code == 404
    assert listed(client, type="FloodMonitoring") == []
    create(client, id=path.removeprefix("/csourceRegistrations/"))


def test_exclusive_data_are_in_one_place(client: httpx.Client) -> None:
    information = [
        {"entities": [{"id": GAUGE, "type": "FloodMonitoring"}], "propertyNames": ["currentLevel"]}
    ]
    exclusive = registration(mode="exclusive", information=information)
    client.post("/entities", json=gauge())
    answer = client.post("/csourceRegistrations", json=exclusive)
    assert (answer.status_code, answer.json()["title"]) == (409, "Conflict")
    client.delete(f"/entities/{GAUGE}/attrs/currentLevel")
    assert client.post("/csourceRegistrations", json=exclusive).status_code == 201
    redirect = registration(mode="redirect", information=[{"propertyNames": ["currentLevel", "other"]}])
    for other in (exclusive, redirect):
        assert client.post("/csourceRegistrations", json=other).status_code == 409
    path = create(client, information=information)  # inclusive ones may say the same
    assert client.patch(path, json={"mode": "exclusive"}).status_code == 409
    assert "mode" not in client.get(path).json()
    information[0]["propertyNames"] = ["alertLevel"]
    create(client, mode="exclusive", information=information)


def test_exclusive_registrations_may_speak_of_many_entities(client: httpx.Client) -> None:
    """Clause 4.3.6.3 describes named attributes of one entity; what is here is in the way of these only."""
    client.post("/entities", json=gauge())
    of_a_kind = {"type": "FloodMonitoring", "idPattern": "FloodMonitoring"}
    path = create(
        client,
        mode="exclusive",
        information=[{"entities": [of_a_kind], "propertyNames": ["currentLevel"]}],
    )
    client.delete(path)
    create(client, mode="exclusive", information=[{"entities": [{"type": "FloodMonitoring", "id": GAUGE}]}])
    other = registration(mode="exclusive", information=[{"entities": [of_a_kind]}])
    assert client.post("/csourceRegistrations", json=other).status_code == 409


def test_a_scope_query_is_asked_of_the_scope_of_a_registration(client: httpx.Client) -> None:
    """Clause 5.10.2.4."""
    one = create(client, scope="/namiki/river").rpartition(":")[2]
    two = create(client, scope=["/namiki/river", "/kitamachi"]).rpartition(":")[2]
    create(client)
    for scopes, expected in {"/namiki/#": {one, two}, "/kitamachi": {two}, "/minami": set[str]()}.items():
        found = listed(client, type="FloodMonitoring", scopeQ=scopes)
        assert set(found) == expected


def test_what_is_here_is_not_redirected(client: httpx.Client) -> None:
    client.post("/entities", json=gauge())
    assert client.post("/csourceRegistrations", json=registration(mode="redirect")).status_code == 409
    create(client, mode="redirect", information=[{"entities": [{"type": "Other"}]}])
    create(client, mode="redirect", information=[{"entities": [{"type": "Other"}]}])  # two may have the same


def test_a_pattern_that_the_database_does_not_know_is_said(client: httpx.Client) -> None:
    information = [{"entities": [{"type": "A", "idPattern": "(?<=a)(?P<x>b)"}]}]
    answer = client.post("/csourceRegistrations", json=registration(mode="redirect", information=information))
    assert answer.status_code == 400
    assert "regular expression" in answer.json()["detail"]


def test_discovery_by_what_a_source_has(client: httpx.Client) -> None:
    def add(name: str, *information: dict[str, Any], **more: Any) -> None:
        create(
            client, id=f"urn:ngsi-ld:ContextSourceRegistration:{name}", information=list(information), **more
        )

    add("types", {"entities": [{"type": "Gauge"}]})
    add("one", {"entities": [{"type": "Gauge", "id": GAUGE}], "propertyNames": ["level"]})
    add("pattern", {"entities": [{"type": "Gauge", "idPattern": "south"}], "relationshipNames": ["refRiver"]})
    add("names", {"propertyNames": ["level"]}, datasetId=["urn:x:1"])
    assert listed(client, type="Gauge") == ["names", "one", "pattern", "types"]
    assert listed(client, type="Bridge") == ["names"]
    assert listed(client, attrs="level") == ["names", "one", "types"]
    assert listed(client, q="refRiver;speed>3", type="Gauge") == ["pattern", "types"]
    assert listed(client, type="Gauge", id=GAUGE) == ["names", "one", "types"]
    assert listed(client, type="Gauge", id="urn:x:south:1") == ["names", "pattern", "types"]
    assert listed(client, type="Gauge", idPattern="namiki") == ["names", "one", "pattern", "types"]
    assert listed(client, type="Gauge", idPattern="south$") == ["names", "pattern", "types"]
    assert listed(client, type="Gauge", limit="2", offset="1") == ["one", "pattern"]
    page = client.get("/csourceRegistrations", params={"type": "Gauge", "limit": 1, "count": "true"})
    assert page.headers["NGSILD-Results-Count"] == "4"
    assert 'rel="next"' in page.headers["Link"]
    assert client.get("/csourceRegistrations").status_code == 400


def test_discovery_by_place_time_and_own_properties(client: httpx.Client) -> None:
    area = {"type": "Polygon", "coordinates": [[[135, 35], [136, 35], [136, 36], [135, 36], [135, 35]]]}
    create(client, id="urn:ngsi-ld:ContextSourceRegistration:area", location=area, operator="river office")
    past = {"startAt": "2020-01-01T00:00:00Z", "endAt": "2021-01-01T00:00:00Z"}
    create(client, id="urn:ngsi-ld:ContextSourceRegistration:observed", observationInterval=past)
    create(client, id="urn:ngsi-ld:ContextSourceRegistration:managed", managementInterval={**past})
    create(
        client,
        id="urn:ngsi-ld:ContextSourceRegistration:open",
        observationInterval={"startAt": past["startAt"]},
    )
    near = {"georel": "near;maxDistance==1000", "geometry": "Point"}
    assert listed(client, **near, coordinates="[135.5,35.5]") == ["area"]
    assert listed(client, **near, coordinates="[130.5,35.5]") == []
    assert listed(client, type="FloodMonitoring", csf='operator=="river office"') == ["area"]
    assert listed(client, type="FloodMonitoring", csf="operator==3") == []
    assert listed(client, type="FloodMonitoring", csf='endpoint=="http://127.0.0.1:19"') == []
    create(
        client,
        id="urn:ngsi-ld:ContextSourceRegistration:else",
        endpoint="http://127.0.0.1:19",
        localOnly=True,
    )
    assert listed(client, type="FloodMonitoring", csf='endpoint=="http://127.0.0.1:19"') == ["else"]
    client.delete("/csourceRegistrations/urn:ngsi-ld:ContextSourceRegistration:else")
    assert listed(client, type="FloodMonitoring") == ["area"]

    def at(timerel: str, moment: str, **more: str) -> list[str]:
        return listed(client, type="FloodMonitoring", timerel=timerel, timeAt=moment, **more)

    assert at("before", "2020-06-01T00:00:00Z") == ["observed", "open"]
    assert at("before", "2019-06-01T00:00:00Z") == []
    assert at("after", "2022-01-01T00:00:00Z") == ["open"]
    assert at("after", "2020-01-01T00:00:00Z", timeproperty="modifiedAt") == ["managed"]
    assert at("between", "2018-01-01T00:00:00Z", endTimeAt="2019-01-01T00:00:00Z") == []
    assert at("between", "2020-12-01T00:00:00Z", endTimeAt="2022-01-01T00:00:00Z") == ["observed", "open"]
    assert client.get("/csourceRegistrations", params={"type": "A", "timerel": "before"}).status_code == 400


def test_another_tenant_sees_none(client: httpx.Client) -> None:
    path = create(client)
    other = {"NGSILD-Tenant": "north"}
    assert client.get(path, headers=other).status_code == 404
    assert client.post("/csourceRegistrations", json=registration(), headers=other).status_code == 201
    assert (
        len(client.get("/csourceRegistrations", params={"type": "FloodMonitoring"}, headers=other).json())
        == 1
    )


def test_a_moment_to_come_is_kept(client: httpx.Client) -> None:
    moment = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert client.get(create(client, expiresAt=moment)).json()["expiresAt"] == moment
