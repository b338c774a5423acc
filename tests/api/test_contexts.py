"""@contexts: in header and body, stored, pinned, fetched only if it may be (clauses 5.13, 6.3.5)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_samples import CORE, GAUGE, JSON_LD
from machinami.errors import BadRequestData, ContextUnavailable
from machinami.linkage.contexts import Contexts, fetch_document
from machinami.settings import Settings
from sqlalchemy import Engine

URL = "https://example.org/context.jsonld"
TERMS = {"@context": {"level": "https://example.org/level"}}


def _offline(url: str, _: float) -> dict[str, Any]:
    raise AssertionError(f"the network was asked for {url}")


def _contexts(
    engine: Engine, fetch: Callable[[str, float], dict[str, Any]] = _offline, **more: Any
) -> Contexts:
    return Contexts(engine, Settings(**more), fetch)


def test_hosted_contexts(client: httpx.Client) -> None:
    added = client.post("/jsonldContexts", json={**TERMS, "more": 1})
    assert added.status_code == 201
    path = added.headers["Location"].removeprefix("/ngsi-ld/v1")
    assert client.get(path).json() == TERMS
    details = client.get(path, params={"details": "true"}).json()
    assert details["kind"] == "Hosted"
    assert client.get("/jsonldContexts").json() == [details["URL"]]
    assert client.get("/jsonldContexts", params={"kind": "Cached"}).json() == []
    entity = {"id": GAUGE, "type": "T", "level": 1}
    link = {
        "Link": f'<{details["URL"]}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
    }
    assert client.post("/entities", json=entity, headers=link).status_code == 201
    assert (
        client.get(f"/entities/{GAUGE}", params={"options": "keyValues"}, headers=link).json()["level"] == 1
    )
    assert "https://example.org/level" in client.get(f"/entities/{GAUGE}").json()
    assert client.delete(path, params={"reload": "true"}).status_code == 400
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.delete(path).status_code == 404


@pytest.mark.parametrize("body", [{}, [], {"@context": 5}, {"@context": {"a": 5}}])
def test_what_is_no_context(client: httpx.Client, body: object) -> None:
    assert client.post("/jsonldContexts", json=body).status_code == 400


def test_an_unknown_address_is_an_error_that_says_the_cure(client: httpx.Client) -> None:
    entity = {"id": GAUGE, "type": "T", "@context": URL}
    answer = client.post("/entities", json=entity, headers=JSON_LD)
    assert answer.status_code == 503
    assert answer.json()["type"].endswith("LdContextNotAvailable")
    assert URL in answer.json()["detail"]


@pytest.mark.parametrize("version", ["", "-v1.3", "-v1.6", "-v1.7", "-v1.8", "-v1.9"])
def test_the_core_is_never_fetched(engine: Engine, version: str) -> None:
    url = f"https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context{version}.jsonld"
    context = _contexts(engine).resolve([url])
    assert context.expand("location") == "https://uri.etsi.org/ngsi-ld/location"


def test_a_pinned_context_needs_no_network(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "url-map.json").write_text(json.dumps({URL: "mine.jsonld"}))
    (tmp_path / "mine.jsonld").write_text(json.dumps(TERMS))
    contexts = _contexts(engine, context_folders=[tmp_path])
    assert contexts.resolve([URL, CORE]).expand("level") == "https://example.org/level"


def test_what_was_fetched_is_stored(engine: Engine) -> None:
    asked: list[str] = []

    def fetch(url: str, _: float) -> dict[str, Any]:
        asked.append(url)
        return TERMS

    assert _contexts(engine, fetch).resolve(URL).expand("level") == "https://example.org/level"
    assert _contexts(engine).resolve(URL).expand("level") == "https://example.org/level"
    assert asked == [URL]
    changed = _contexts(engine, lambda *_: {"@context": {"level": "https://example.org/other"}})
    changed.reload(URL)
    assert changed.resolve(URL).expand("level") == "https://example.org/other"


def test_a_failing_address_is_not_asked_again_at_once(engine: Engine) -> None:
    asked: list[str] = []

    def fail(url: str, _: float) -> dict[str, Any]:
        asked.append(url)
        raise ContextUnavailable("no answer")

    contexts = _contexts(engine, fail)
    for _ in range(3):
        with pytest.raises(ContextUnavailable):
            contexts.resolve(URL)
    assert asked == [URL]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/x", "urn:x:y", "/relative"])
def test_only_http_is_fetched(engine: Engine, url: str) -> None:
    with pytest.raises((ContextUnavailable, BadRequestData)):
        _contexts(engine).resolve(url)


def test_fetching(server: str) -> None:
    """The API itself stands in for a web server: JSON, not JSON, and an error."""
    assert "paths" in fetch_document(f"{server}/openapi.json", 5)
    for path in ("/docs", "/nothing", "/ngsi-ld/v1/subscriptions"):
        with pytest.raises(ContextUnavailable):
            fetch_document(server + path, 5)
    with pytest.raises(ContextUnavailable):
        fetch_document("http://127.0.0.1:1/x", 1)
