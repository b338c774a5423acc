"""Every error everywhere has one shape; what the standard has and we have not answers 501 (clause 6.3)."""

import httpx
import pytest
from api_samples import CORE, GAUGE, JSON_LD, gauge
from machinami.api.app import ENDPOINTS
from machinami.api.endpoint import MAX_BODY, Endpoint
from machinami.api.parameters import PARAMETERS
from machinami.linkage import read
from machinami.store.engine import open_engine
from sqlalchemy import Engine

LINK = f'<{CORE}>; rel="http://www.w3.org/ns/json-ld#context"'


def check(answer: httpx.Response, status: int) -> dict[str, object]:
    """The problem details of an answer."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    problem = answer.json()
    assert problem["type"].startswith("https://uri.etsi.org/ngsi-ld/errors/")
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem.keys() <= {"type", "title", "status", "detail", "field", "value", "cure"}
    return problem


def check_bare(answer: httpx.Response, status: int) -> None:
    """Clause 6.3.4: just the status, without any payload body."""
    assert (answer.status_code, answer.content) == (status, b"")


def _url(endpoint: Endpoint, server: str) -> str:
    path = endpoint.path.replace(":path}", "}")
    variables = ("entityId", "attrId", "subscriptionId", "contextId", "type", "instanceId", "registrationId")
    for name in (*variables, "entityMapId", "snapshotId"):
        path = path.replace("{" + name + "}", "urn:ngsi-ld:X:1")
    return server + path


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: f"{each.method} {each.path}")
def test_each_endpoint_has_the_one_shape(client: httpx.Client, server: str, endpoint: Endpoint) -> None:
    url = _url(endpoint, server)
    answers = [
        client.request(endpoint.method, url, params={"nonsense": "1"}, json={}),
        client.request(endpoint.method, url, headers={"Accept": "image/png"}, json={}),
        client.request("TRACE", url),
    ]
    assert check(answers[0], 400)["field"] == "nonsense"
    check(answers[1], 406)
    check(answers[2], 405)
    assert endpoint.method in answers[2].headers["Allow"]
    if endpoint.media:
        check_bare(
            client.request(endpoint.method, url, content=b"a=1", headers={"Content-Type": "text/plain"}), 415
        )
        assert check(client.request(endpoint.method, url, content=b"{}"), 400)["field"] == "Content-Type"
        check(
            client.request(endpoint.method, url, content=b"{", headers={"Content-Type": "application/json"}),
            400,
        )


def test_every_parameter_is_described() -> None:
    assert {name for endpoint in ENDPOINTS for name in endpoint.parameters} <= PARAMETERS.keys()


def test_paths_that_are_not_there(client: httpx.Client, server: str) -> None:
    for path in ("/ngsi-ld/v1/nothing", "/nothing", "/machinami/v1/nothing", "/ngsi-ld/v2/entities"):
        check(client.get(server + path), 404)
    check(client.post(server + "/nothing"), 405)


@pytest.mark.parametrize(
    ("headers", "document"),
    [
        ({"Content-Type": "application/json"}, {**gauge(), "@context": CORE}),
        ({"Content-Type": "application/ld+json"}, gauge()),
        ({"Content-Type": "application/ld+json"}, {**gauge(), "@context": 5}),
        ({"Content-Type": "application/ld+json", "Link": LINK}, {**gauge(), "@context": CORE}),
        ({"Content-Type": "application/json", "Link": f"{LINK}, {LINK}"}, gauge()),
    ],
)
def test_where_a_context_may_be(
    client: httpx.Client, headers: dict[str, str], document: dict[str, object]
) -> None:
    check(client.post("/entities", json=document, headers=headers), 400)


def test_content_type_with_parameters(client: httpx.Client) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8", "Link": LINK}
    assert client.post("/entities", json=gauge(), headers=headers).status_code == 201


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/ld+json", "application/ld+json"),
        ("application/ld+json, application/json", "application/json"),
        ("application/ld+json;q=0.9, application/json;q=0.1", "application/ld+json"),
        ("text/html, application/geo+json;q=0.5", "application/geo+json"),
        ("application/json;q=0, */*", "application/ld+json"),
        ("application/ld+json;q=much", "application/ld+json"),
    ],
)
def test_accept(client: httpx.Client, accept: str, given: str) -> None:
    client.post("/entities", json=gauge())
    answer = client.get(f"/entities/{GAUGE}", headers={"Accept": accept})
    assert answer.headers["Content-Type"] == given


def test_bodies_that_are_too_large(client: httpx.Client) -> None:
    check(client.post("/entities", content=b" " * (MAX_BODY + 1), headers=JSON_LD), 413)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_body_of_unknown_length(client: httpx.Client, method: str) -> None:
    """Whatever else is wrong, as the tenant here, which is not there (clauses 6.3.2 and 6.3.4)."""
    path = "/entities" if method == "POST" else f"/entities/{GAUGE}"
    headers = {**JSON_LD, "NGSILD-Tenant": "nobody"}
    check_bare(client.request(method, path, content=iter([b"{}"]), headers=headers), 411)


def test_names_of_headers_have_their_customary_letters(client: httpx.Client) -> None:
    answer = client.post("/entities", json=gauge(), headers={"NGSILD-Tenant": "other"})
    names = {name for name, _ in answer.headers.raw}
    assert {b"Location", b"NGSILD-Tenant"} <= names
    listed = client.get("/entities?type=FloodMonitoring&count=true", headers={"NGSILD-Tenant": "other"})
    names = {name for name, _ in listed.headers.raw}
    assert {b"Link", b"Content-Type", b"NGSILD-Results-Count"} <= names


def test_our_own_mistakes_are_told_in_the_same_shape(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(read, "retrieve_entity", fail)
    problem = check(client.get(f"/entities/{GAUGE}"), 500)
    assert "ZeroDivisionError" not in str(problem)
    assert "ZeroDivisionError" in caplog.text


class TestSlowQueries:
    @pytest.fixture
    def engine(self, database_url: str) -> Engine:
        return open_engine(database_url, statement_timeout=0.2)

    def test_a_query_that_takes_too_long(self, client: httpx.Client, engine: Engine) -> None:
        client.post("/entities", json=gauge())
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN; LOCK TABLE entity IN ACCESS EXCLUSIVE MODE")
            problem = check(client.get(f"/entities/{GAUGE}"), 403)
        assert problem["cure"]
        engine.dispose()
