"""Pages, documentation and the operator's endpoints."""

import base64
from datetime import UTC, datetime

import httpx
from machinami.api.app import ENDPOINTS
from machinami.linkage.write import Batch, Linkage
from machinami.model import Message, Rejection
from machinami.store.intake import Progress
from sqlalchemy import Engine, text


def test_health_and_settings(client: httpx.Client, server: str) -> None:
    assert client.get(f"{server}/machinami/v1/health").json() == {"status": "ok"}
    assert client.get(f"{server}/machinami/v1/settings").json() == {"tileUrl": ""}


def test_quarantine(client: httpx.Client, server: str, engine: Engine) -> None:
    message = Message(
        sequence=1, topic="a/b", payload=b"\xff\x00", received_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    reasons = [Rejection(reason=f"reason {n}", field="f", cure="mend it") for n in range(2)]
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO stream_position (stream, sequence) VALUES ('s', 0)"))
    progress = Progress(stream="s", before={0: 0}, after=1, quarantined=1)
    Linkage(engine).commit(Batch(changes=[], rejected=[(message, reasons)], progress=progress))
    answer = client.get(f"{server}/machinami/v1/quarantine", params={"limit": 1})
    [newest] = answer.json()
    assert (newest["reason"], newest["cure"], newest["topic"]) == ("reason 1", "mend it", "a/b")
    assert base64.b64decode(newest["payload"]) == message.payload
    assert newest["received_at"] == "2026-01-01T00:00:00Z"
    assert 'rel="next"' in answer.headers["Link"]


def test_the_documentation_needs_no_network(client: httpx.Client, server: str) -> None:
    page = client.get(f"{server}/docs").text
    assert "://" not in page
    for part in page.split('"'):
        if part.startswith("/docs/static/"):
            assert client.get(server + part).status_code == 200


def test_openapi_names_a_clause_for_every_operation_of_the_standard(
    client: httpx.Client, server: str
) -> None:
    paths = client.get(f"{server}/openapi.json").json()["paths"]
    operations = {
        (method.upper(), path): facts for path, item in paths.items() for method, facts in item.items()
    }
    assert len(operations) == len(ENDPOINTS)
    for (_, path), facts in operations.items():
        assert facts["summary"]
        if path.startswith("/ngsi-ld"):
            assert facts["description"].startswith("Clause 5.")
        variables = {each["name"] for each in facts.get("parameters", []) if each["in"] == "path"}
        assert all("{" + name + "}" in path for name in variables)
        assert path.count("{") == len(variables)


def test_the_pages_are_below_the_api(client: httpx.Client, server: str) -> None:
    assert "text/html" in client.get(f"{server}/").headers["Content-Type"]
