"""Live changes for browsers (server-sent events)."""

import threading
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest
from api_samples import GAUGE, gauge
from fastapi import FastAPI
from machinami.api.changes import QUEUED, Page, Wish
from machinami.api.forms import Form
from machinami.ngsild.context import CORE
from sqlalchemy import Engine, text

CHANGES = "/machinami/v1/changes"


class Stream:
    """One page that looks on."""

    def __init__(
        self, server: str, parameters: dict[str, str], headers: dict[str, str] | None = None
    ) -> None:
        self._client = httpx.Client(timeout=20)
        self._open = self._client.stream("GET", server + CHANGES, params=parameters, headers=headers or {})

    def __enter__(self) -> "Stream":
        self.response = self._open.__enter__()
        self.lines = self.response.iter_lines()
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)
        self._client.close()

    def entities(self) -> list[dict[str, Any]]:
        """The next change."""
        line = next(line for line in self.lines if line.startswith("data: "))
        return orjson.loads(line.removeprefix("data: "))


@pytest.fixture
def looking(client: httpx.Client, server: str, app: FastAPI) -> Callable[..., Stream]:
    """Opens a stream once the server listens to the database; the default tenant exists."""
    client.post("/entities", json={"id": "urn:ngsi-ld:Old:1", "type": "Old"})

    def look(headers: dict[str, str] | None = None, **parameters: str) -> Stream:
        waited = threading.Event()
        while not app.state.services.changes.is_listening.is_set():
            waited.wait(0.05)
        return Stream(server, parameters, headers)

    return look


def _begun(stream: Stream) -> None:
    assert next(stream.lines) == "retry: 2000"


def test_a_change_is_seen_as_it_is_now(client: httpx.Client, looking: Callable[..., Stream]) -> None:
    with looking(type="FloodMonitoring", options="keyValues") as stream:
        _begun(stream)
        assert stream.response.headers["Content-Type"].startswith("text/event-stream")
        client.post("/entities", json={"id": "urn:ngsi-ld:Other:1", "type": "Other"})
        client.post("/entities", json=gauge(level=2))
        assert stream.entities() == [{"id": GAUGE, "type": "FloodMonitoring", "currentLevel": 2}]


def test_attributes_and_representation(client: httpx.Client, looking: Callable[..., Stream]) -> None:
    with looking(type="FloodMonitoring,Other", attrs="name") as concise, looking() as everything:
        _begun(concise)
        _begun(everything)
        client.post("/entities", json=gauge(name="並木"))
        assert concise.entities() == [{"id": GAUGE, "type": "FloodMonitoring", "name": "並木"}]
        assert "currentLevel" in everything.entities()[0]


def test_tenants_are_apart(client: httpx.Client, looking: Callable[..., Stream]) -> None:
    other = {"NGSILD-Tenant": "other"}
    client.post("/entities", json={"id": "urn:ngsi-ld:Old:1", "type": "Old"}, headers=other)
    with looking(headers=other) as stream:
        _begun(stream)
        client.post("/entities", json=gauge())
        client.post("/entities", json=gauge("urn:ngsi-ld:G:2"), headers=other)
        assert [entity["id"] for entity in stream.entities()] == ["urn:ngsi-ld:G:2"]


@pytest.mark.parametrize(
    "parameters", [{"nothing": "1"}, {"options": "nothing"}, {"type": "("}, {"attrs": "a,,b"}]
)
def test_what_is_refused(client: httpx.Client, server: str, parameters: dict[str, str]) -> None:
    assert client.get(server + CHANGES, params=parameters).status_code == 400


def test_pages_come_back_when_the_database_was_away(
    client: httpx.Client, looking: Callable[..., Stream], engine: Engine
) -> None:
    with looking() as stream:
        _begun(stream)
        with engine.connect() as connection:
            gone = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
            assert connection.execute(text(gone)).scalars().all() == [True]
        assert ": cut off, come again" in list(stream.lines)
    with looking() as stream:
        _begun(stream)
        client.post("/entities", json=gauge())
        assert stream.entities()[0]["id"] == GAUGE


def test_a_page_that_does_not_read_is_cut_off_and_keeps_nobody_waiting() -> None:
    page = Page(Wish(key=(), tenant=1, types=(), form=Form(context=CORE)))
    for number in range(QUEUED * 3):
        page.offer(b"%d" % number)
    waiting = [page.events.get_nowait() for _ in range(page.events.qsize())]
    assert waiting == [*(b"%d" % number for number in range(QUEUED)), None]
