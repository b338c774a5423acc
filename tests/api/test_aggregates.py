"""The aggregated temporal representation (clause 4.5.19) over HTTP."""

from typing import Any

import httpx
import pytest

ROOM = "urn:ngsi-ld:Room:1"
PATH = f"/temporal/entities/{ROOM}?format=aggregatedValues&"


def _instance(value: object, at: str, **members: object) -> dict[str, object]:
    return {"type": "Property", "value": value, "observedAt": f"2026-01-{at}:00Z", **members}


@pytest.fixture(autouse=True)
def room(client: httpx.Client) -> None:
    """Levels at 10:00, 10:30 and 11:30 of the first day and on the 1st of February; words; lists."""
    level = [_instance(value, at) for value, at in ((1, "01T10:00"), (3, "01T10:30"), (8, "01T11:30"))]
    later = {**_instance(20, "01T10:00"), "observedAt": "2026-02-01T00:00:00Z"}
    words = [_instance(value, at) for value, at in (("b", "01T10:00"), ("a", "01T10:10"), ("b", "01T10:20"))]
    lists = [_instance([1, 2], "01T10:00"), _instance([1, 2, 3, 4], "01T10:30")]
    two = [_instance(5, "01T10:00"), _instance(7, "01T10:00", datasetId="urn:d:1")]
    document = {
        "id": ROOM,
        "type": "Room",
        "level": [*level, later],
        "word": words,
        "list": lists,
        "two": two,
    }
    assert client.post("/temporal/entities", json=document).status_code == 201


def _get(client: httpx.Client, query: str) -> dict[str, Any]:
    answer = client.get(PATH + query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_numbers_by_the_hour(client: httpx.Client) -> None:
    between = "timerel=between&timeAt=2026-01-01T10:00:00Z&endTimeAt=2026-01-02T00:00:00Z"
    found = _get(
        client, f"{between}&aggrMethods=avg,max,sum,totalCount,min&aggrPeriodDuration=PT1H&attrs=level"
    )
    first = ["2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z"]
    second = ["2026-01-01T11:00:00Z", "2026-01-01T12:00:00Z"]
    assert found["level"] == {
        "type": "Property",
        "avg": [[2.0, *first], [8.0, *second]],
        "max": [[3.0, *first], [8.0, *second]],
        "sum": [[4.0, *first], [8.0, *second]],
        "totalCount": [[2, *first], [1, *second]],
        "min": [[1.0, *first], [8.0, *second]],
    }


def test_what_rollups_do_not_hold(client: httpx.Client) -> None:
    after = "timerel=before&timeAt=2026-01-02T00:00:00Z"
    found = _get(client, f"{after}&aggrMethods=stddev,sumsq,distinctCount&aggrPeriodDuration=P1D&attrs=level")
    assert [found["level"][name][0][0] for name in ("sumsq", "distinctCount")] == [74.0, 3]
    assert found["level"]["stddev"][0][0] == pytest.approx(2.9439, abs=1e-4)


def test_the_whole_range_is_one_period(client: httpx.Client) -> None:
    found = _get(client, "aggrMethods=max&aggrPeriodDuration=PT0S&attrs=level")
    assert found["level"]["max"] == [[20.0, "2026-01-01T10:00:00Z", "2026-02-01T00:00:00.000001Z"]]


def test_months_have_their_own_lengths(client: httpx.Client) -> None:
    after = "timerel=after&timeAt=2026-01-01T00:00:00Z"
    found = _get(client, f"{after}&aggrMethods=totalCount&aggrPeriodDuration=P1M&attrs=level")
    months = [
        [3, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"],
        [1, "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"],
    ]
    assert found["level"]["totalCount"] == months


@pytest.mark.parametrize(
    ("name", "method", "value"),
    [
        ("word", "min", "a"),
        ("word", "max", "b"),
        ("word", "distinctCount", 2),
        ("list", "max", 4),
        ("list", "avg", 3.0),
    ],
)
def test_texts_and_arrays_as_the_table_has_them(
    client: httpx.Client, name: str, method: str, value: object
) -> None:
    assert _get(client, f"aggrMethods={method}&attrs={name}")[name][method][0][0] == value


def test_what_a_method_does_not_fit_is_empty(client: httpx.Client) -> None:
    assert _get(client, "aggrMethods=sum")["word"]["sum"] == []


def test_datasets_are_apart(client: httpx.Client) -> None:
    found = _get(client, "aggrMethods=max&attrs=two")["two"]
    assert [(each.get("datasetId"), each["max"][0][0]) for each in found] == [(None, 5.0), ("urn:d:1", 7.0)]


def test_a_deleted_instance_counts_no_more(client: httpx.Client) -> None:
    raw = client.get(f"/temporal/entities/{ROOM}?attrs=level").json()["level"]
    path = f"/temporal/entities/{ROOM}/attrs/level/{raw[-1]['instanceId']}"
    assert client.delete(path).status_code == 204
    assert _get(client, "aggrMethods=max,totalCount&attrs=level")["level"]["max"][0][0] == 8.0


def test_queries_aggregate_each_entity(client: httpx.Client) -> None:
    after = "timerel=after&timeAt=2026-01-01T00:00:00Z&aggrMethods=max&options=aggregatedValues"
    found = client.get(f"/temporal/entities?type=Room&attrs=level&{after}").json()
    assert [each["id"] for each in found] == [ROOM]
    assert found[0]["level"]["max"][0][0] == 20.0


@pytest.mark.parametrize("query", ["", "aggrMethods=mean", "aggrMethods=max&aggrPeriodDuration=1h"])
def test_what_is_none_is_refused(client: httpx.Client, query: str) -> None:
    answer = client.get(PATH + query)
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("BadRequestData")


@pytest.mark.parametrize(
    ("query", "status"),
    [("attrs=word", 400), ("attrs=level,word", 400), ("attrs=word&aggrMethods=sum,max", 200), ("", 200)],
)
def test_an_attribute_asked_for_fits_a_method(client: httpx.Client, query: str, status: int) -> None:
    """Clause 5.7.4.4, last but two."""
    methods = "" if "aggrMethods" in query else "&aggrMethods=sum"
    answer = client.get(f"{PATH}{query}{methods}")
    assert answer.status_code == status
    assert status == 200 or answer.json()["type"].endswith("InvalidRequest")
