"""One attribute: kinds, bounds, marks, scales, and that nothing but BadRequestData comes out of a reader."""

from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami.connect.attributes import compile_attribute, compile_attributes
from machinami.connect.paths import ABSENT
from machinami.connect.words import AttributeRule
from machinami.errors import BadRequestData, SetupError

KINDS = ["number", "integer", "text", "boolean", "json", "geometry"]


def rule(**words: Any) -> AttributeRule:
    return msgspec.convert({"name": "level", "path": "v", **words}, AttributeRule)


def read(document: dict[str, Any], **words: Any) -> Any:
    return compile_attribute(rule(**words)).read(document)


def refusal(document: dict[str, Any], **words: Any) -> str:
    with pytest.raises(BadRequestData) as caught:
        read(document, **words)
    assert caught.value.cure
    return caught.value.detail


@pytest.mark.parametrize(
    ("value", "words", "result"),
    [
        (2.5, {}, 2.5),
        ("2.72", {}, 2.72),
        (" 2.72 ", {}, 2.72),
        (1853, {"scale": 0.01}, 18.53),
        (7, {"scale": 0.5, "offset": -1}, 2.5),
        (3, {"scale": 60}, 180.0),
        ("4", {"kind": "integer"}, 4),
        (4.0, {"kind": "integer"}, 4),
        ("正常", {"kind": "text"}, "正常"),
        (12, {"kind": "text"}, "12"),
        ("TRUE", {"kind": "boolean"}, True),
        (0, {"kind": "boolean"}, False),
        (True, {"kind": "text", "translate": {"true": "working"}}, "working"),
        ("1", {"kind": "integer", "translate": {"1": 10}}, 10),
        ([{"a": [1, None, "x", True, 0.5]}], {"kind": "json"}, [{"a": [1, None, "x", True, 0.5]}]),
    ],
)
def test_a_value_becomes_what_its_kind_says(value: object, words: dict[str, Any], result: object) -> None:
    found = read({"v": value}, **words)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("value", "words", "reason"),
    [
        ("x", {}, "not a number"),
        ("1_000", {}, "not a number"),
        (True, {}, "not a number"),
        ([1], {}, "not a number"),
        ("nan", {}, "not a finite number"),
        (float("inf"), {}, "not a finite number"),
        ("1e999", {}, "not a finite number"),
        (2**53 + 2, {}, "greater than 9.0072e+15"),
        (10**400, {"scale": 0.1}, "greater than 9.0072e+15"),
        (61, {"maximum": 60}, "greater than 60"),
        (4.5, {"kind": "integer"}, "not a whole number"),
        ("a\x00b", {"kind": "text"}, "text with NUL or broken characters"),
        ("\ud800", {"kind": "text"}, "text with NUL or broken characters"),
        (1.5, {"kind": "text"}, "not a text"),
        ("yes", {"kind": "boolean"}, "not a truth value"),
        (2, {"kind": "boolean"}, "not a truth value"),
        ("broken", {"kind": "text", "translate": {"ok": "working"}}, "not a known word"),
        ({1: 2}, {"kind": "json"}, "a member name is not a text"),
        ([float("nan")], {"kind": "json"}, "not a finite number"),
        ([2**60], {"kind": "json"}, "greater than 9.0072e+15"),
        ([b"x"], {"kind": "json"}, "not a JSON value"),
        ("POINT EMPTY", {"kind": "geometry"}, "the geometry is empty or lies outside the world"),
        ("POINT (35.1 139.2)", {"kind": "geometry"}, "the geometry is empty or lies outside the world"),
        ("36.1,136.2", {"kind": "geometry"}, "not a geometry"),
        ("*", {"missing": ["", "*"]}, "missing (marked '*')"),
        ("--- ", {"missing": ["---"]}, "missing (marked '--- ')"),
        (-9999, {"missing": [-9999]}, "missing (marked -9999)"),
        (None, {}, "missing"),
    ],
)
def test_what_is_no_value_of_the_kind_is_refused(value: object, words: dict[str, Any], reason: str) -> None:
    assert refusal({"v": value}, **words) == reason


def test_deep_json_is_refused_wherever_it_is() -> None:
    value: Any = 1
    for _ in range(1_000):
        value = [value]
    assert refusal({"v": value}, kind="json") == "nested deeper than 16 levels"


def test_what_is_not_there_is_refused_left_out_or_replaced() -> None:
    assert refusal({}) == "missing"
    assert read({}, optional=True) is ABSENT
    assert read({"v": "*"}, optional=True, missing=["*"]) is ABSENT
    assert read({}, default=0) == 0


def test_a_point_is_longitude_then_latitude_and_says_which_side_is_wrong() -> None:
    words = {"kind": "point", "path": "", "latitude": "lat", "longitude": "lon"}
    point = {"type": "Point", "coordinates": [136.2, 36.1]}
    assert read({"lat": "36.1", "lon": 136.2}, **words) == point
    assert read({"lat": 36.1}, **words, optional=True) is ABSENT
    with pytest.raises(BadRequestData) as caught:
        read({"lat": 136.2, "lon": 36.1}, **words)
    assert caught.value.field == "lat"


@pytest.mark.parametrize("text", ["POINT (136.2 36.1)", '{"type":"Point","coordinates":[136.2,36.1]}'])
def test_a_geometry_is_wkt_or_geojson(text: str) -> None:
    assert read({"v": text}, kind="geometry") == {"type": "Point", "coordinates": [136.2, 36.1]}


def test_languages_that_are_not_there_are_left_out() -> None:
    words = {"kind": "language", "path": "", "languages": {"ja": "n_ja", "en": "n_en"}, "missing": [""]}
    assert read({"n_ja": "足羽川", "n_en": ""}, **words) == {"ja": "足羽川"}
    assert refusal({"n_ja": ""}, **words) == "missing"


def test_a_relationship_is_filled_and_percent_encoded() -> None:
    words = {"kind": "relationship", "path": "", "object": "urn:ngsi-ld:PointOfInterest:{place}"}
    assert read({"place": "東 1"}, **words) == "urn:ngsi-ld:PointOfInterest:%E6%9D%B1%201"
    assert read({}, **words, optional=True) is ABSENT
    assert refusal({"place": ""}, **words) == "empty, and the id needs it"


@pytest.mark.parametrize(
    "words",
    [
        {"path": ""},
        {"kind": "point", "latitude": "lat"},
        {"kind": "language"},
        {"kind": "relationship"},
        {"kind": "relationship", "object": "no uri {x}"},
        {"path": "a..b"},
    ],
)
def test_a_rule_that_cannot_work_is_refused(words: dict[str, Any]) -> None:
    with pytest.raises(SetupError) as caught:
        compile_attribute(rule(**words))
    assert caught.value.cure


def test_an_attribute_declared_twice_is_refused() -> None:
    with pytest.raises(SetupError, match="'level' is declared twice"):
        compile_attributes([rule(), rule(path="w")])


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
)


@given(anything, st.sampled_from(KINDS), st.sampled_from([1, 0.01, 3.6]))
def test_whatever_the_value_it_is_refused_or_can_be_kept_as_json(value: Any, kind: str, scale: float) -> None:
    try:
        kept = read({"v": value}, kind=kind, scale=scale, missing=["", -1])
    except BadRequestData:
        return
    assert orjson.loads(orjson.dumps(kept)) == kept
