"""The smaller words: geometries, languages, patterns, names."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami.errors import BadRequestData
from machinami.ngsild.geometry import GEOMETRIES, check_geometry
from machinami.ngsild.languages import choose_language, parse_languages
from machinami.ngsild.patterns import check_pattern, found
from machinami.ngsild.terms import KINDS, OUTPUT_MEMBERS, check_scope, is_uri

LINE = [[0, 0], [1, 1]]
RING = [[0, 0], [1, 0], [1, 1], [0, 0]]


@pytest.mark.parametrize(
    ("kind", "coordinates"),
    [
        ("Point", [135.1, 35.2, 12]),
        ("MultiPoint", LINE),
        ("LineString", LINE),
        ("MultiLineString", [LINE, LINE]),
        ("Polygon", [RING]),
        ("MultiPolygon", [[RING], [RING, RING]]),
    ],
)
def test_every_geometry_is_taken_and_none_in_the_clothes_of_another(kind: str, coordinates: Any):
    geometry = {"type": kind, "coordinates": coordinates}
    assert check_geometry(geometry, "x") is geometry
    for other in GEOMETRIES.keys() - {kind}:
        if {kind, other} != {"MultiPoint", "LineString"} and (kind, other) != ("Polygon", "MultiLineString"):
            with pytest.raises(BadRequestData):
                check_geometry({"type": other, "coordinates": coordinates}, "x")


@pytest.mark.parametrize(
    "coordinates",
    [
        [],
        [1],
        [1, 2, 3, 4, 5],
        ["1", 2],
        [True, 2],
        [float("inf"), 2],
        [35, 135],
        [181, 0],
        1,
        None,
        [None, None],
    ],
)
def test_positions_that_are_none(coordinates: Any):
    with pytest.raises(BadRequestData) as caught:
        check_geometry({"type": "Point", "coordinates": coordinates}, "location.value")
    assert caught.value.field == "location.value"


def test_a_ring_ends_where_it_begins():
    with pytest.raises(BadRequestData, match="ends where it begins"):
        check_geometry({"type": "Polygon", "coordinates": [[*RING[:-1], [0, 1]]]}, "x")


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=10))
def test_any_coordinates_are_taken_or_refused(coordinates: Any):
    for kind in [*GEOMETRIES, "Nonsense"]:
        with suppress(BadRequestData):
            check_geometry({"type": kind, "coordinates": coordinates}, "x")


@pytest.mark.parametrize("lang", ["en;q=2", "en;q=x", "en;q=-1", "en;q=nan"])
def test_qualities_are_from_0_to_1(lang: str):
    with pytest.raises(BadRequestData):
        parse_languages(lang)


@pytest.mark.parametrize(
    ("lang", "chosen"),
    [
        ("fr;q=0.2,nl;q=0.9", "nl"),
        ("FR", "fr"),
        ("nl-BE", "nl"),
        ("zh-Hant-TW", "zh-Hant"),
        ("en", "en-US"),
        ("e", "@none"),
        ("pt", "@none"),
        ("*,fr", "@none"),
    ],
)
def test_the_language_that_fits_best(lang: str, chosen: str):
    """Clause 4.15: as it is written, else less of it, else more of it."""
    texts = dict.fromkeys(["zh", "zh-Hant", "en-US", "fr", "nl", "@none"], "text")
    assert choose_language(texts, lang)[0] == chosen


@given(st.text(max_size=20), st.dictionaries(st.sampled_from(["ja", "en", "@none"]), st.text(), min_size=1))
def test_some_language_is_always_chosen(lang: str, texts: dict[str, str]):
    try:
        tag, text = choose_language(texts, lang)
    except BadRequestData:
        return
    assert texts[tag] == text


@pytest.mark.parametrize("pattern", ["", "(", "[", "x" * 513, "\0", "*"])
def test_patterns_that_are_none(pattern: str):
    with pytest.raises(BadRequestData):
        check_pattern(pattern, "q")


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_pattern_is_asked_or_refused(pattern: str, text: str):
    try:
        check_pattern(pattern, "q")
    except BadRequestData:
        return
    assert found(pattern, text) in (True, False)


@pytest.mark.parametrize(
    "uri", ["urn:ngsi-ld:A:1", "https://example.org/街?a=b#c", "a+b-c.d:x", "urn:ن\u200cم", "urn:💧"]
)
def test_uris(uri: str):
    assert is_uri(uri)


@pytest.mark.parametrize(
    "text", ["", "A", "urn:", ":x", "1a:b", "a b:c", "urn:a b", "urn:a\n", "urn:<x>", 5, None]
)
def test_what_is_no_uri(text: object):
    assert not is_uri(text)


@pytest.mark.parametrize(
    "code",
    [
        0x85, 0xA0, 0xAD, 0x115F, 0x200B, 0x2028, 0x202E, 0x2066, 0x2800, 0x3164, 0xE000, 0xFDD0, 0xFE0F,
        0xFEFF, 0xFFA0, 0xFFFE, 0x1FFFF, 0xE0100, 0x10FFFD,
    ],
)  # fmt: skip
def test_what_nobody_sees_is_in_no_uri(code: int):
    """Clause 4.5.1 and RFC 3987: an id that looks like another identifies nothing."""
    assert not is_uri(f"urn:ngsi-ld:A:{chr(code)}1")


@pytest.mark.parametrize("scope", ["", "/", "//a", "a/", "/1", "/a b", "/a\n", 5, None])
def test_what_is_no_scope(scope: object):
    with pytest.raises(BadRequestData):
        check_scope(scope, "scope")


def test_each_kind_has_a_value_of_its_own_and_a_former_one():
    assert len({kind.member for kind in KINDS.values()}) == len(KINDS) - 1  # GeoProperty shares with Property
    assert {"previousValue", "previousLanguageMap", "previousObjectList"} <= OUTPUT_MEMBERS
