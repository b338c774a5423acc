"""Temporal evolution (clauses 5.7.3, 5.7.4, 4.11, 6.3.10)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from api_samples import GAUGE, gauge, point
from machinami.model import format_time
from machinami.settings import Settings

_START = datetime(2026, 11, 21, tzinfo=UTC)
OTHER = "urn:ngsi-ld:FloodMonitoring:namiki:g2"


def _at(hour: int) -> str:
    return format_time(_START + timedelta(hours=hour))


@pytest.fixture
def history(client: httpx.Client) -> httpx.Client:
    """A gauge with a level for each of six hours, and one with none observed."""
    client.post("/entities", json=gauge(level=0, at=_at(0), name="並木", location=point(135, 35)))
    for hour in range(1, 6):
        level = {"currentLevel": gauge(level=hour, at=_at(hour))["currentLevel"]}
        assert client.patch(f"/entities/{GAUGE}/attrs", json=level).status_code == 204
    client.post("/entities", json={"id": OTHER, "type": "FloodMonitoring", "name": "南"})
    return client


def _levels(entity: dict[str, Any]) -> list[Any]:
    return [instance["value"] for instance in entity["currentLevel"]]


@pytest.mark.parametrize(
    ("parameters", "levels"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"timerel": "before", "timeAt": _at(2)}, [0, 1]),
        ({"timerel": "after", "timeAt": _at(4)}, [4, 5]),
        ({"timerel": "between", "timeAt": _at(1), "endTimeAt": _at(3)}, [1, 2]),
        ({"lastN": "2"}, [5, 4]),
        ({"lastN": "2", "timerel": "before", "timeAt": _at(3)}, [2, 1]),
        (
            {"timerel": "after", "timeAt": "2000-01-01T00:00:00Z", "timeproperty": "createdAt"},
            [0, 1, 2, 3, 4, 5],
        ),
        ({"timerel": "before", "timeAt": "2000-01-01T00:00:00Z", "timeproperty": "modifiedAt"}, None),
    ],
)
def test_retrieve(history: httpx.Client, parameters: dict[str, str], levels: list[int] | None) -> None:
    answer = history.get(f"/temporal/entities/{GAUGE}", params=parameters)
    assert answer.status_code == 200
    assert (_levels(answer.json()) if levels is not None else answer.json().get("currentLevel")) == levels


def test_an_instance_is_whole(history: httpx.Client) -> None:
    asked = {"attrs": "currentLevel", "lastN": "1", "options": "sysAttrs"}
    found = history.get(f"/temporal/entities/{GAUGE}", params=asked).json()
    [instance] = found["currentLevel"]
    assert found.keys() == {"id", "type", "currentLevel"}
    assert instance.items() >= {"type": "Property", "unitCode": "MTR", "observedAt": _at(5)}.items()
    assert instance["instanceId"].startswith("urn:ngsi-ld:Instance:")
    assert "createdAt" in instance


def test_what_was_never_observed_is_no_part_of_a_span(history: httpx.Client) -> None:
    whole = history.get(f"/temporal/entities/{GAUGE}").json()
    assert whole["name"][0]["value"] == "並木"
    span = {"timerel": "after", "timeAt": "2000-01-01T00:00:00Z"}
    assert "name" not in history.get(f"/temporal/entities/{GAUGE}", params=span).json()


def test_temporal_values(history: httpx.Client) -> None:
    for asked in ({"options": "temporalValues"}, {"format": "temporalValues"}):
        found = history.get(f"/temporal/entities/{GAUGE}", params={**asked, "attrs": "currentLevel"}).json()
        assert found["currentLevel"]["values"][:2] == [[0, _at(0)], [1, _at(1)]]


def test_query(history: httpx.Client) -> None:
    span = {"type": "FloodMonitoring", "timerel": "after", "timeAt": _at(3), "count": "true"}
    answer = history.get("/temporal/entities", params=span)
    [found] = answer.json()
    assert (found["id"], _levels(found)) == (GAUGE, [3, 4, 5])
    assert answer.headers["NGSILD-Results-Count"] == "1"
    assert history.get("/temporal/entities", params={**span, "attrs": "name"}).json() == []
    by_writing = {**span, "timeproperty": "modifiedAt", "timeAt": "2000-01-01T00:00:00Z", "limit": 1}
    page = history.get("/temporal/entities", params=by_writing)
    assert [each["id"] for each in page.json()] == [GAUGE]
    assert 'rel="next"' in page.headers["Link"]
    second = history.get("/temporal/entities", params={**by_writing, "offset": 1})
    assert [each["id"] for each in second.json()] == [OTHER]


def test_datasets_have_a_history_each(client: httpx.Client) -> None:
    radar = {**gauge(level=9)["currentLevel"], "datasetId": "urn:x:radar"}
    client.post("/entities", json={**gauge(), "currentLevel": [gauge()["currentLevel"], radar]})
    path = f"/temporal/entities/{GAUGE}"
    assert sorted(_levels(client.get(path).json())) == [1.5, 9]
    assert _levels(client.get(path, params={"datasetId": "urn:x:radar"}).json()) == [9]
    assert len(_levels(client.get(path, params={"lastN": 1}).json())) == 1


def test_too_much_for_one_answer_is_partial(history: httpx.Client, settings: Settings) -> None:
    settings.temporal_instances = 3
    asked = {"attrs": "currentLevel", "timerel": "after", "timeAt": _at(0)}
    first = history.get(f"/temporal/entities/{GAUGE}", params=asked)
    assert (first.status_code, _levels(first.json())) == (206, [0, 1, 2])
    assert first.headers["Content-Range"] == f"date-time {_at(0)}-{_at(2)}/*"
    newest = history.get(f"/temporal/entities/{GAUGE}", params={**asked, "lastN": 5})
    assert (newest.status_code, _levels(newest.json())) == (206, [5, 4, 3])
    assert newest.headers["Content-Range"] == f"date-time {_at(5)}-{_at(3)}/5"


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"timerel": "before"}, 400),
        ({"timerel": "never", "timeAt": _at(0)}, 400),
        ({"timerel": "between", "timeAt": _at(0)}, 400),
        ({"timeAt": "2026-01-01T00:00:00"}, 400),
        ({"lastN": "0"}, 400),
        ({"options": "aggregatedValues"}, 400),
    ],
)
def test_what_is_refused(history: httpx.Client, parameters: dict[str, str], status: int) -> None:
    assert history.get(f"/temporal/entities/{GAUGE}", params=parameters).status_code == status


def test_a_query_needs_a_span(client: httpx.Client) -> None:
    assert client.get("/temporal/entities", params={"type": "T"}).status_code == 400
    with_q = {"type": "T", "timerel": "after", "timeAt": _at(0), "q": "a"}
    assert client.get("/temporal/entities", params=with_q).json() == []
    assert client.get("/temporal/entities/urn:x:nothing").status_code == 404


@pytest.mark.parametrize(("dataset", "found"), [("urn:d:1", 1), ("@none", 1), ("urn:d:2", 0)])
def test_an_entity_without_the_dataset_is_not_found(history: httpx.Client, dataset: str, found: int) -> None:
    """Clause 5.7.4.4: datasetId filters attributes; with nothing left of those asked for, it is no answer."""
    extra = {"currentLevel": {"value": 1, "observedAt": _at(1), "datasetId": "urn:d:1"}}
    assert history.post(f"/entities/{GAUGE}/attrs", json=extra).status_code == 204
    span = {"timerel": "after", "timeAt": _at(0), "count": "true"}
    wanted = {"type": "FloodMonitoring", "attrs": "currentLevel", "datasetId": dataset}
    answer = history.get("/temporal/entities", params={**wanted, **span})
    assert len(answer.json()) == found == int(answer.headers["NGSILD-Results-Count"])
