"""@contexts: in header and body, stored, pinned, fetched only if it may be (clauses 5.13, 6.3.5)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from api_samples import CORE, GAUGE, JSON_LD
from machinami.errors import BadRequestData, ContextUnavailable, NotFound, SetupError
from machinami.linkage.contexts import ContextKind, Contexts
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
    assert (details["kind"], details["numberOfHits"]) == ("Hosted", 1)
    assert details.keys() >= {"URL", "localId", "createdAt"}
    assert client.get("/jsonldContexts").json() == [details["URL"]]
    assert client.get(path, params={"details": "true"}).json()["numberOfHits"] == 2
    assert client.get("/jsonldContexts", params={"kind": "Cached"}).json() == []
    only_json_ld = client.get("/jsonldContexts", headers={"Accept": JSON_LD["Content-Type"]})
    assert (only_json_ld.status_code, only_json_ld.json()) == (200, [details["URL"]])
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
    assert client.delete(path, params={"reload": "maybe"}).json()["type"].endswith("BadRequestData")
    assert client.delete(path).status_code == 204
    assert client.delete(path, params={"reload": "true"}).status_code == 400
    assert client.get(path).status_code == 404
    assert client.delete(path).status_code == 404


def test_a_list_and_a_subscription_are_no_use_of_a_context(client: httpx.Client) -> None:
    subscription = {
        "id": "urn:ngsi-ld:Subscription:1",
        "type": "Subscription",
        "entities": [{"type": "T"}],
        "notification": {"endpoint": {"uri": "http://127.0.0.1:1/"}},
        **TERMS,
    }
    assert client.post("/subscriptions", json=subscription, headers=JSON_LD).status_code == 201
    for _ in range(2):
        listed = client.get("/jsonldContexts", params={"details": "true", "kind": "ImplicitlyCreated"}).json()
        assert [each["numberOfHits"] for each in listed] == [0]
    entity = {"id": GAUGE, "type": "T", "@context": listed[0]["URL"]}
    assert client.post("/entities", json=entity, headers=JSON_LD).status_code == 201
    path = f"/jsonldContexts/{listed[0]['localId']}"
    assert client.get(path, params={"details": "true"}).json()["numberOfHits"] == 1


@pytest.mark.parametrize("query", [{"kind": "other"}, {"details": "other"}, {"details": "true", "kind": "x"}])
def test_what_is_no_filter_of_contexts(client: httpx.Client, query: dict[str, str]) -> None:
    answer = client.get("/jsonldContexts", params=query)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (400, "BadRequestData")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "InvalidRequest"),
        ([], "InvalidRequest"),
        ({"@context": None}, "InvalidRequest"),
        ({"@context": 5}, "BadRequestData"),
        ({"@context": True}, "BadRequestData"),
        ({"@context": ["http://127.0.0.1:9/not-asked", 5]}, "BadRequestData"),
        ({"@context": {"a": 5}}, "BadRequestData"),
    ],
)
def test_what_is_no_context(client: httpx.Client, body: object, error: str) -> None:
    answer = client.post("/jsonldContexts", json=body)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (400, error)


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


@pytest.mark.parametrize("found", [{"note": "no member @context"}, {"@context": 5}])
def test_what_is_fetched_and_no_context_is_bad_data(engine: Engine, found: dict[str, Any]) -> None:
    """Clause 5.5.6; also when it is asked for again at once."""
    contexts = _contexts(engine, lambda *_: found)
    for _ in range(2):
        with pytest.raises(BadRequestData, match="example"):
            contexts.resolve(URL)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/x", "urn:x:y", "/relative"])
def test_only_http_is_fetched(engine: Engine, url: str) -> None:
    with pytest.raises((ContextUnavailable, BadRequestData)):
        _contexts(engine).resolve(url)


def test_a_cached_context_is_counted_reloaded_and_not_served(engine: Engine) -> None:
    behind: dict[str, Any] = dict(TERMS)
    contexts = _contexts(engine, lambda *_: behind.copy())
    contexts.resolve([URL])
    contexts.resolve([URL])
    assert contexts.usage(URL).hits == 2
    assert contexts.serve(URL).kind is ContextKind.CACHED
    behind["@context"] = 5
    with pytest.raises(BadRequestData):
        contexts.reload(URL)
    assert contexts.serve(URL).document == TERMS
    contexts.delete(URL)
    behind["@context"] = TERMS["@context"]
    contexts.resolve([URL])  # that reloading failed hinders nobody
    behind["@context"] = {"level": "https://example.org/new"}
    contexts.reload(URL)
    assert contexts.resolve(URL).expand("level") == "https://example.org/new"
    contexts.delete(URL)
    with pytest.raises(NotFound):
        contexts.serve(URL)


def test_contexts_that_lead_to_each_other_end(engine: Engine) -> None:
    def fetch(url: str, _: float) -> dict[str, Any]:
        return {"@context": "https://a.org/" if "b.org" in url else "https://b.org/"}

    with pytest.raises(BadRequestData):
        _contexts(engine, fetch).resolve("https://a.org/")


def test_the_core_is_there_and_stays(client: httpx.Client) -> None:
    path = f"/jsonldContexts/{quote(CORE, safe='')}"
    assert client.get(path, params={"details": "true"}).json()["kind"] == "Cached"
    assert client.get(path).status_code == 422
    assert client.delete(path).status_code == 400
    assert client.delete(path, params={"reload": "true"}).status_code == 204


def test_a_document_pinned_to_its_address(engine: Engine) -> None:
    contexts = _contexts(engine)
    contexts.pin(URL, TERMS)
    assert _contexts(engine).resolve(URL).expand("level") == "https://example.org/level"
    assert [each.url for each in contexts.list(ContextKind.HOSTED)] == [URL]
    with pytest.raises(BadRequestData):
        contexts.pin(CORE, TERMS)
    with pytest.raises(BadRequestData):
        contexts.pin(URL, {"level": "x"})


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "url-map.json"),
        ({"url-map.json": "no json"}, "cannot be read"),
        ({"url-map.json": "[]"}, "no JSON object"),
        ({"map.json": json.dumps({URL: "gone.jsonld"})}, "gone.jsonld"),
        ({"map.json": json.dumps({URL: 5})}, "no file"),
    ],
)
def test_a_broken_folder_is_said(engine: Engine, tmp_path: Path, files: dict[str, str], said: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(SetupError, match=said):
        _contexts(engine, context_folders=[tmp_path])


def test_a_folder_may_call_its_map_so_too(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "map.json").write_text(json.dumps({URL: "mine.jsonld"}))
    (tmp_path / "mine.jsonld").write_text(json.dumps(TERMS))
    contexts = _contexts(engine, context_folders=[tmp_path])
    assert contexts.list() == []
    contexts.resolve(URL)
    assert [(each.url, each.kind) for each in contexts.list()] == [(URL, ContextKind.CACHED)]
    contexts.delete(URL)
    assert contexts.list() == []
