"""Texts that want to be queries, bodies that are no NGSI-LD, and writers that come at the same moment."""

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import httpx
import pytest
from api_samples import CORE, GAUGE, JSON_LD, gauge

TEXTS = [
    "' OR '1'='1",
    "'; DROP TABLE entity; --",
    '"; DELETE FROM entity; --',
    "\\'; SELECT pg_sleep(9); --",
    "$$; SELECT 1; $$",
    "%s %(name)s :name {name} %",
    "a;b|c)(d",
    "[*]?(@.a == $b)",
    "*) (uid=*))(|(uid=*",
    "街並み ｜ ＝＝ ﹪",
    "\u202e\u0301💧",
    "\t\n\r\x7f",
]
PARAMETERS = (
    "q", "id", "idPattern", "type", "attrs", "pick", "omit", "scopeQ", "orderBy", "lang", "datasetId", "csf",
    "georel", "coordinates", "geometryProperty", "timeAt", "timeproperty", "collation", "limit", "options",
)  # fmt: skip


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _named(number: int, text: str) -> dict[str, Any]:
    named = {"type": "Property", "value": text, "inside": {"type": "Property", "value": text}}
    return gauge(f"urn:x:{number}", name=named, plain={"json": {text: text}})


def test_a_text_is_compared_as_it_is(client: httpx.Client) -> None:
    """In each place of a query that takes a text it finds what has it, and nothing else."""
    batch = [_named(number, text) for number, text in enumerate(TEXTS)]
    assert client.post("/entityOperations/create", json=batch).status_code == 201
    for number, text in enumerate(TEXTS):
        _check_compared(client, f"urn:x:{number}", text)


def _check_compared(client: httpx.Client, identifier: str, text: str) -> None:
    for q in (
        f"name=={_quoted(text)}",
        f"name=={_quoted(text)},{_quoted('x')}",
        f"name.inside=={_quoted(text)}",
    ):
        found = client.get("/entities", params={"q": q}).json()
        assert [entity["id"] for entity in found] == [identifier], q
    others = client.get("/entities", params={"q": f"name!={_quoted(text)}"}).json()
    assert len(others) == len(TEXTS) - 1
    assert client.get(f"/entities/{identifier}", params={"options": "keyValues"}).json()["name"] == text


@pytest.mark.parametrize("path", ["/entities", f"/entities/{GAUGE}", "/temporal/entities"])
def test_a_text_in_each_parameter(client: httpx.Client, path: str) -> None:
    """It is a value that nothing has, or it is refused; what is stored stays."""
    client.post("/entities", json=gauge())
    for name, text in product(PARAMETERS, TEXTS):
        needed = {} if path.endswith(GAUGE) else {"type": "FloodMonitoring"}
        answer = client.get(path, params=needed | {name: text})
        assert answer.status_code in (200, 400, 404), (name, text, answer.text)
    assert client.get(f"/entities/{GAUGE}").json() == gauge()


def test_a_name_in_the_path(client: httpx.Client) -> None:
    client.post("/entities", json=gauge())
    names = ("..", "%2e%2e%2f", "a%00b", "a'--", "a%0d%0aX-Header:%201", "%ff", "a%2fb")
    for name, (method, body) in product(
        names, (("PATCH", {"value": 1}), ("PUT", {"value": 1}), ("DELETE", None))
    ):
        answer = client.request(method, f"/entities/{GAUGE}/attrs/x{name}", json=body)
        assert answer.status_code in (400, 404, 405), answer.text
        assert "X-Header" not in answer.headers
    assert client.get(f"/entities/{GAUGE}").json() == gauge()


NO_JSON = [
    b"",
    b"{",
    b"{} {}",
    b"{'id': 1}",
    b'{"id": NaN}',
    b'{"id": Infinity}',
    b'{"id": "\xff\xfe"}',
    b'{"id": "\\ud800"}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"\xef\xbb\xbf{}",
    '{"id": "x"}'.encode("utf-16"),
]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/entities"), ("POST", "/entityOperations/upsert"), ("PATCH", f"/entities/{GAUGE}")],
)
def test_what_is_no_json(client: httpx.Client, method: str, path: str) -> None:
    """Clause 5.5.4."""
    for body in NO_JSON:
        answer = client.request(method, path, content=body, headers=JSON_LD)
        assert answer.status_code == 400, body[:50]
        assert answer.json()["type"].endswith("InvalidRequest"), body[:50]


def _entity(**more: Any) -> dict[str, Any]:
    return {"id": GAUGE, "type": "T", "@context": CORE, **more}


NO_NGSI_LD: tuple[Any, ...] = (
    _entity(**{"@context": 5}),
    _entity(**{"@context": [[CORE]]}),
    _entity(**{"@context": {"a": {"@id": "b"}, "b": {"@id": "a"}}, "a": 1}),
    _entity(**{"@context": {"a": {"@id": "https://x.org/a", "@type": ["@id"]}}}),
    _entity(**{"@context": {"@base": 5}}),
    _entity(**{"@context": "no address"}),
    _entity(**{"@graph": [_entity()]}),
    _entity(**{"@value": 1}),
    _entity(a={"type": "Property", "value": 1, "@context": {"b": "https://x.org/b"}}),
    _entity(a={"type": "Property"}),
    _entity(a={"type": "Relationship", "object": "no uri"}),
    _entity(a={"type": "GeoProperty", "value": {"type": "Point", "coordinates": ["1", 2]}}),
    _entity(a={"type": "Property", "value": 1, "observedAt": "2026-02-30T00:00:00Z"}),
    _entity(a=None),
    _entity(**{"": 1}),
    _entity(**{"a\x00b": 1}),
    _entity(id="a:\x00"),
    _entity(a="\x00"),
    _entity(id=""),
    _entity(id=["urn:x:a"]),
    _entity(type=[]),
    _entity(type={"a": 1}),
    [_entity()],
)


def test_what_is_no_ngsi_ld(client: httpx.Client) -> None:
    """Clause 5.5.4: it is refused whole, by itself and in a batch."""
    for document in NO_NGSI_LD:
        answer = client.post("/entities", json=document, headers=JSON_LD)
        assert answer.status_code == 400, document
        assert answer.json()["type"].endswith(("BadRequestData", "InvalidRequest")), document
        batch = client.post("/entityOperations/upsert", json=[document], headers=JSON_LD)
        assert batch.status_code in (207, 400), document
    assert client.get("/entities", params={"local": "true"}).json() == []


def test_numbers_keep_their_worth(client: httpx.Client) -> None:
    numbers = [0, -1, 2**53, 2**63, 0.1, 1e-300, 1e300, -0.5]
    assert client.post("/entities", json=gauge(numbers={"json": numbers})).status_code == 201
    kept = client.get(f"/entities/{GAUGE}", params={"options": "keyValues"}).json()["numbers"]["json"]
    assert kept == numbers
    body = json.dumps(gauge("urn:x:1")).encode().replace(b"1.5", b"1e999")
    assert (
        client.post("/entities", content=body, headers={"Content-Type": "application/json"}).status_code
        == 400
    )


def test_one_of_many_creators_creates(client: httpx.Client) -> None:
    def create(level: int) -> int:
        return client.post("/entities", json=gauge(level=level)).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(create, range(16)))
    assert answers == [201] + [409] * 15


def test_what_many_merge_is_all_there(client: httpx.Client) -> None:
    client.post("/entities", json=gauge())

    def merge(number: int) -> int:
        return client.patch(f"/entities/{GAUGE}", json={f"a{number}": number}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(merge, range(24))) == {204}
    kept = client.get(f"/entities/{GAUGE}", params={"options": "keyValues"}).json()
    assert {name: kept.get(name) for name in (f"a{number}" for number in range(24))} == {
        f"a{number}": number for number in range(24)
    }


def test_upserts_and_deletions_at_once_leave_it_whole_or_gone(client: httpx.Client) -> None:
    def change(number: int) -> int:
        if number % 3:
            return client.post("/entityOperations/upsert", json=[gauge(a=number, b=number)]).status_code
        return client.delete(f"/entities/{GAUGE}").status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(change, range(40))) <= {201, 204, 404}
    answer = client.get(f"/entities/{GAUGE}", params={"options": "keyValues"})
    assert answer.status_code == 404 or answer.json()["a"] == answer.json()["b"]
