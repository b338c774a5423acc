"""Snapshots (clauses 4.3.7, 5.2.41, 5.5.15, 5.16 and 6.3.22)."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest
from api_receivers import deliver
from machinami.linkage import snapshots
from machinami.model import DEFAULT_TENANT
from machinami.ngsild.context import CORE
from machinami.ngsild.documents import read_entity
from machinami.store.queries_snapshot import delete_expired_snapshots
from sqlalchemy import Engine, text

SNAPSHOT = "urn:ngsi-ld:Snapshot:1"
PATH = f"/snapshots/{SNAPSHOT}"
ON = {"NGSILD-Snapshot": SNAPSHOT}
ROOMS = {"type": "Query", "entities": [{"type": "Room"}]}
NONE = {"type": "Query", "entities": [{"type": "Hall"}]}
WRONG = {"type": "Query", "q": "=="}
SINCE = {**ROOMS, "temporalQ": {"timerel": "after", "timeAt": "2026-02-02T00:00:00Z"}}


def _room(number: int, day: int = 1, **more: object) -> dict[str, object]:
    level = {"value": number, "observedAt": f"2026-02-{day:02d}T00:00:00Z"}
    return {"id": f"urn:r:{number}", "type": "Room", "level": level, "name": "a", **more}


@pytest.fixture
def rooms(client: httpx.Client) -> httpx.Client:
    for day in (1, 2, 3):
        answer = client.post("/entityOperations/upsert?options=update", json=[_room(1, day), _room(2, day)])
        assert answer.status_code in (201, 204)
    return client


def _settled(client: httpx.Client, path: str = PATH) -> dict[str, Any]:
    for _ in range(200):
        shown = client.get(path).json()
        if shown["snapshotStatus"] != "preparing":
            return shown
        time.sleep(0.05)
    raise AssertionError(shown)


def _make(client: httpx.Client, **members: object) -> dict[str, Any]:
    made = client.post("/snapshots", json={"id": SNAPSHOT, "type": "Snapshot", **members})
    assert (made.status_code, made.headers["Location"]) == (201, f"/ngsi-ld/v1{PATH}"), made.text
    return _settled(client)


def test_a_snapshot_stays_as_it_was(rooms: httpx.Client) -> None:
    before = rooms.get("/entities?type=Room&options=sysAttrs").json()
    shown = _make(rooms, snapshotQueries=[ROOMS])
    assert (shown["snapshotStatus"], shown["snapshotPriority"]) == ("success", 5)
    assert shown["snapshotQueriesDetails"] == [{"resultStatus": "success"}]
    rooms.patch("/entities/urn:r:1", json={"level": 9})
    rooms.post("/entities", json=_room(3))
    rooms.delete("/entities/urn:r:2")
    answer = rooms.get("/entities?options=sysAttrs", headers=ON)
    assert (answer.json(), answer.headers["NGSILD-Snapshot"]) == (before, SNAPSHOT)


def test_all_of_the_api_works_on_it_and_nothing_outside_sees_it(rooms: httpx.Client) -> None:
    """Clause 5.5.15."""
    _make(rooms, snapshotQueries=[{**ROOMS, "attrs": ["level"]}])
    assert rooms.patch("/entities/urn:r:1", json={"level": 7}, headers=ON).status_code == 204
    assert rooms.post("/entities", json=_room(5), headers=ON).status_code == 201
    kept = rooms.get("/entities?options=keyValues", headers=ON).json()
    assert kept[0] == {"id": "urn:r:1", "type": "Room", "level": 7}
    assert rooms.get("/types", headers=ON).json()["typeList"] == ["Room"]
    assert rooms.get("/entities/urn:r:1?options=keyValues").json()["level"] == 1
    assert rooms.get("/entities/urn:r:5").status_code == 404


def test_evolutions_are_kept(rooms: httpx.Client) -> None:
    _make(rooms, snapshotTemporalQueries=[{**SINCE, "attrs": ["level"]}])
    rooms.delete("/temporal/entities/urn:r:1")
    kept = rooms.get("/temporal/entities/urn:r:1", headers=ON).json()
    assert [each["observedAt"][:10] for each in kept["level"]] == ["2026-02-02", "2026-02-03"]
    assert "name" not in kept
    aggregated = "format=aggregatedValues&aggrMethods=sum&attrs=level"
    query = f"/temporal/entities?{aggregated}&timerel=before&timeAt=2027-01-01T00:00:00Z"
    assert [each["level"]["sum"][0][0] for each in rooms.get(query, headers=ON).json()] == [2, 4]


@pytest.mark.parametrize(
    ("queries", "status", "results"),
    [
        ([ROOMS, ROOMS], "success", ["success", "success"]),
        ([ROOMS, NONE], "partial", ["success", "empty"]),
        ([WRONG, ROOMS], "partial", ["failure", "success"]),
        ([NONE, WRONG], "empty", ["empty", "failure"]),
        ([WRONG], "failure", ["failure"]),
    ],
)
def test_the_status_says_what_became_of_the_queries(
    rooms: httpx.Client, queries: list[object], status: str, results: list[str]
) -> None:
    """Clause 5.16.1.4."""
    shown = _make(rooms, snapshotQueries=queries)
    details = shown["snapshotQueriesDetails"]
    assert (shown["snapshotStatus"], [each["resultStatus"] for each in details]) == (status, results)
    assert all(("problemDetails" in each) == (each["resultStatus"] == "failure") for each in details)


def test_a_clone_goes_its_own_way(rooms: httpx.Client) -> None:
    _make(rooms, snapshotQueries=[ROOMS], snapshotTemporalQueries=[SINCE])
    made = rooms.post(f"{PATH}/clone", json={"type": "Snapshot", "snapshotPriority": 3})
    place = made.headers["Location"].removeprefix("/ngsi-ld/v1")
    shown = _settled(rooms, place)
    assert (made.status_code, shown["snapshotStatus"], shown["snapshotPriority"]) == (201, "success", 3)
    there = {"NGSILD-Snapshot": shown["id"]}
    assert rooms.delete("/entities/urn:r:1", headers=ON).status_code == 204
    assert [each["id"] for each in rooms.get("/entities", headers=there).json()] == ["urn:r:1", "urn:r:2"]
    assert len(rooms.get("/temporal/entities/urn:r:1", headers=there).json()["level"]) == 2
    again = rooms.post(f"{PATH}/clone", json={"type": "Snapshot", "id": SNAPSHOT})
    assert again.status_code == 409


def test_changes_and_deletion(rooms: httpx.Client, engine: Engine) -> None:
    first = _make(rooms, snapshotQueries=[ROOMS], snapshotTemporalQueries=[SINCE], snapshotLifetime="PT1H")
    changed = rooms.patch(PATH, json={"snapshotLifetime": "P2D", "snapshotPriority": 9})
    shown = rooms.get(PATH).json()
    assert (changed.status_code, changed.json()) == (200, shown)
    assert shown["snapshotPriority"] == 9
    assert shown["expiresAt"] > first["expiresAt"]
    subscription = {"entities": [{"type": "Room"}], "notification": {"endpoint": {"uri": "http://a/"}}}
    rooms.post("/subscriptions", json={"type": "Subscription", **subscription}, headers=ON)
    assert rooms.delete(PATH).status_code == 204
    answers = [
        rooms.get(PATH),
        rooms.patch(PATH, json={}),
        rooms.delete(PATH),
        rooms.get("/types", headers=ON),
    ]
    assert {answer.status_code for answer in answers} == {404}
    _assert_no_homes(engine)
    assert len(rooms.get("/entities?type=Room").json()) == 2


def _assert_no_homes(engine: Engine) -> None:
    with engine.connect() as connection:
        for table in ("entity", "series", "subscription", "tenant"):
            query = text(f"SELECT count(*) FROM {table} WHERE tenant < 0")
            assert connection.execute(query).scalar_one() == 0
        orphans = text("SELECT count(*) FROM observation WHERE series NOT IN (SELECT series FROM series)")
        assert connection.execute(orphans).scalar_one() == 0


def test_expired_ones_are_swept(rooms: httpx.Client, engine: Engine) -> None:
    _make(rooms, snapshotQueries=[ROOMS])
    with engine.begin() as connection:
        connection.execute(text("UPDATE snapshot SET expires_at = now()"))
    assert rooms.get(PATH).status_code == 404
    with engine.begin() as connection:
        assert delete_expired_snapshots(connection) == 1
    _assert_no_homes(engine)
    _make(rooms, snapshotQueries=[ROOMS])


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("snapshotPriority<5", 204),
        ('snapshotStatus=="success"', 204),
        ("expiresAt<2100-01-01T00:00:00Z;createdAt>2020-01-01T00:00:00Z", 204),
        ("snapshotPriority>5", 404),
        ("level>5", 400),
        ("==", 400),
        (None, 400),
    ],
)
def test_purging(rooms: httpx.Client, query: str | None, status: int) -> None:
    """Clause 5.16.7."""
    _make(rooms, snapshotQueries=[ROOMS], snapshotPriority=2)
    answer = rooms.delete("/snapshots", params={"q": query} if query else {})
    assert answer.status_code == status, answer.text
    assert rooms.get(PATH).status_code == (404 if status == 204 else 200)


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"snapshotQueries": []},
        {"snapshotQueries": [SINCE]},
        {"snapshotQueries": [{"q": "a"}]},
        {"snapshotTemporalQueries": [ROOMS]},
        {"snapshotQueries": [ROOMS], "snapshotPriority": 11},
        {"snapshotQueries": [ROOMS], "snapshotLifetime": "long"},
        {"snapshotQueries": [ROOMS], "endpoint": "a"},
        {"snapshotQueries": [ROOMS], "more": 1},
        {"snapshotQueries": [ROOMS], "type": "Query"},
        {"snapshotQueries": [ROOMS], "id": "one"},
    ],
)
def test_what_is_no_snapshot_is_refused(client: httpx.Client, members: dict[str, object]) -> None:
    assert client.post("/snapshots", json={"type": "Snapshot", **members}).status_code == 400


def test_queries_do_not_change_and_snapshots_do_not_nest(rooms: httpx.Client) -> None:
    _make(rooms, snapshotQueries=[ROOMS])
    answers = [
        rooms.patch(PATH, json={"snapshotQueries": [NONE]}),
        rooms.patch(PATH, json={"id": "urn:x:1"}),
        rooms.get(PATH, headers=ON),
        rooms.post("/snapshots", json={"type": "Snapshot", "snapshotQueries": [ROOMS]}, headers=ON),
    ]
    assert {answer.status_code for answer in answers} == {400}
    taken = rooms.post("/snapshots", json={"id": SNAPSHOT, "type": "Snapshot", "snapshotQueries": [ROOMS]})
    assert taken.status_code == 409


@pytest.fixture
def endpoint() -> Iterator[tuple[str, list[tuple[dict[str, str], dict[str, Any]]]]]:
    """An address, and what came there: headers and bodies."""
    got: list[tuple[dict[str, str], dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((dict(self.headers.items()), json.loads(body)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the name is the base's
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="endpoint")
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/told", got
        server.shutdown()
        thread.join()


def test_the_endpoint_is_told_of_the_status(
    rooms: httpx.Client, endpoint: tuple[str, list[tuple[dict[str, str], dict[str, Any]]]]
) -> None:
    """Clauses 5.3.4 and 5.16.6."""
    address, got = endpoint
    _make(
        rooms,
        snapshotQueries=[ROOMS],
        snapshotTemporalQueries=[SINCE],
        endpoint=address,
        receiverInfo=[{"key": "X-Key", "value": "k"}],
    )
    rooms.patch(PATH, json={"snapshotPriority": 1})
    for _ in range(100):
        if len(got) == 2:
            break
        time.sleep(0.05)
    (headers, first), (_, second) = got
    assert (headers["X-Key"], first["type"], first["snapshotId"]) == ("k", "SnapshotNotification", SNAPSHOT)
    assert (first["snapshotStatus"], first["snapshotPriority"], second["snapshotPriority"]) == (
        "success",
        5,
        1,
    )
    assert first["snapshotQueriesDetails"] == first["temporalSnapshotQueriesDetails"]


def test_notifications_name_the_snapshot(rooms: httpx.Client, engine: Engine) -> None:
    """Clause 6.3.22, last sentence."""
    _make(rooms, snapshotQueries=[ROOMS])
    document = {
        "type": "Subscription",
        "entities": [{"type": "Room"}],
        "notification": {"endpoint": {"uri": "http://a/told"}},
    }
    assert rooms.post("/subscriptions", json=document, headers=ON).status_code == 201
    rooms.patch("/entities/urn:r:1", json={"level": 8}, headers=ON)
    rooms.patch("/entities/urn:r:1", json={"level": 9})
    got: list[httpx.Request] = []

    def receive(request: httpx.Request) -> httpx.Response:
        got.append(request)
        return httpx.Response(200)

    deliver(engine, receive)
    [request] = got
    assert request.headers["NGSILD-Snapshot"] == SNAPSHOT
    assert "NGSILD-Tenant" not in request.headers


def test_a_snapshot_holds_what_sources_have(cities: list[httpx.Client]) -> None:
    here, there, _ = cities
    here.post("/entities", json=_room(1))
    there.post("/entities", json=_room(2))
    registration = {
        "id": "urn:reg:1",
        "type": "ContextSourceRegistration",
        "information": [{"entities": [{"type": "Room"}]}],
        "endpoint": str(there.base_url).partition("/ngsi-ld")[0],
    }
    assert here.post("/csourceRegistrations", json=registration).status_code == 201
    _make(here, snapshotQueries=[ROOMS])
    there.delete("/entities/urn:r:2")
    assert [each["id"] for each in here.get("/entities", headers=ON).json()] == ["urn:r:1", "urn:r:2"]


def test_a_source_that_says_no_times(rooms: httpx.Client, engine: Engine) -> None:
    """System times are said only where ``sysAttrs`` is understood; the snapshot has them all the same."""
    made = _make(rooms, snapshotQueries=[ROOMS])
    item = snapshots.retrieve(engine, DEFAULT_TENANT, SNAPSHOT)
    snapshots.add(engine, item, [read_entity({"id": "urn:r:9", "type": "Room", "level": 9}, CORE)])
    found = rooms.get("/entities/urn:r:9?options=sysAttrs", headers=ON).json()
    assert (found["createdAt"], found["modifiedAt"]) == (made["createdAt"], made["createdAt"])
