"""Whatever is asked: never a mistake of the server, and every error in the one shape."""

import json
from typing import Any

import httpx
import schemathesis
from api_samples import GAUGE, gauge, point
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from machinami.api.app import create_app
from machinami.settings import Settings
from machinami.store.engine import open_engine

_OPENAPI = create_app(Settings(), open_engine("postgresql://127.0.0.1:1/none")).openapi()
_OPERATIONS = [each.ok() for each in schemathesis.openapi.from_dict(_OPENAPI).get_all_operations()]
_AS_DESCRIBED = (
    schemathesis.checks.content_type_conformance,
    schemathesis.checks.response_schema_conformance,
)
_BOUNDED = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
    ],
)

_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_names = st.sampled_from(
    ["a", "currentLevel", "location", "name", "type", "scope", "@context", "観測", "x:y", ""]
)
_kinds = (
    "Property",
    "Relationship",
    "GeoProperty",
    "LanguageProperty",
    "VocabProperty",
    "JsonProperty",
    "ListProperty",
)
_members = st.sampled_from(
    [
        "value",
        "object",
        "languageMap",
        "vocab",
        "json",
        "valueList",
        "objectList",
        "unitCode",
        "observedAt",
        "datasetId",
    ]
)
_instances = st.builds(
    lambda kind, members: {"type": kind, **members},
    st.sampled_from(_kinds),
    st.dictionaries(_members, _json | st.just("2026-01-01T00:00:00Z"), max_size=3),
)
_documents = st.builds(
    lambda more: {**gauge(location=point(135, 35)), **more},
    st.dictionaries(
        _names | st.just("id"), _json | _instances | st.lists(_instances, max_size=2), max_size=3
    ),
)
_queries = st.fixed_dictionaries(
    {},
    optional={
        "type": st.text(max_size=10) | st.sampled_from(["A|B", "(A;B)", "*"]),
        "q": st.text(alphabet='ab.[]{}=<>!~;|()"0159:-TZ,', max_size=20),
        "id": st.text(max_size=10) | st.just(GAUGE),
        "idPattern": st.text(alphabet="ab()[]*+?{}\\^$|", max_size=8),
        "attrs": st.text(max_size=8),
        "georel": st.sampled_from(["near;maxDistance==1e9", "within", "disjoint", "overlaps", "near"]),
        "geometry": st.sampled_from(["Point", "Polygon", "LineString", "GeometryCollection"]),
        "coordinates": st.sampled_from(
            ["[0,0]", "[[0,0],[1,1]]", "[[[0,0],[1,1],[0,1],[0,0]]]", "[]", "x", "[1e999,0]"]
        ),
        "limit": st.sampled_from(["0", "1", "1000", "-1", "99999999999999999999"]),
        "offset": st.sampled_from(["0", "1", "9223372036854775807", "99999999999999999999"]),
        "options": st.sampled_from(["keyValues", "concise", "sysAttrs", "temporalValues", "x"]),
        "timerel": st.sampled_from(["before", "after", "between"]),
        "timeAt": st.sampled_from(
            ["2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "x"]
        ),
        "lastN": st.sampled_from(["1", "0", "999999999", "9999999999999999999"]),
        "pick": st.text(max_size=8),
        "count": st.just("true"),
    },
)


def _check(status: int, text: str, media: str) -> None:
    assert status != 500, text
    if status >= 400:
        assert media == "application/json"
        assert json.loads(text)["status"] == status


def test_requests_out_of_the_description(server: str) -> None:
    """Some of each operation; its answers are what the description says of them."""

    @settings(_BOUNDED, max_examples=8)
    @given(data=st.data())
    def ask(operation: Any, data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy())
        answer = case.call(base_url=server)
        _check(answer.status_code, answer.text, answer.headers.get("content-type", [""])[0])
        case.validate_response(answer, checks=_AS_DESCRIBED)

    for operation in _OPERATIONS:
        ask(operation)


@_BOUNDED
@given(document=_documents)
def test_any_entity(client: httpx.Client, document: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/ld+json" if "@context" in document else "application/json"}
    for path in ("/entityOperations/upsert", "/entities", f"/entities/{GAUGE}/attrs"):
        body = json.dumps([document] if "Operations" in path else document)
        answer = client.post(path, content=body, headers=headers)
        _check(answer.status_code, answer.text, answer.headers.get("Content-Type", ""))
    for path in (
        f"/entities/{GAUGE}",
        f"/temporal/entities/{GAUGE}",
        "/types?details=true",
        "/attributes?details=true",
    ):
        for media in ("application/json", "application/ld+json"):
            answer = client.get(path, headers={"Accept": media})
            _check(answer.status_code, answer.text, answer.headers.get("Content-Type", ""))
    for options in ("concise", "keyValues"):
        answer = client.get("/entities", params={"local": "true", "options": options})
        assert answer.status_code == 200


@_BOUNDED
@given(parameters=_queries)
def test_any_query(client: httpx.Client, parameters: dict[str, str]) -> None:
    client.post("/entityOperations/upsert", json=[gauge(location=point(135, 35))])
    for path in ("/entities", "/temporal/entities", f"/temporal/entities/{GAUGE}"):
        answer = client.get(path, params=parameters)
        _check(answer.status_code, answer.text, answer.headers.get("Content-Type", ""))
