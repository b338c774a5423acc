"""Random documents: what is read is rendered as it was; what cannot be read is refused."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami.errors import BadRequestData, ContextUnavailable
from machinami.ngsild.context import CORE, build_context
from machinami.ngsild.documents import read_attribute, read_entity, read_fragment, read_temporal
from machinami.ngsild.render import Representation, render_entity, render_feature, render_temporal
from machinami.ngsild.terms import KINDS, NGSI_NULL, NON_REIFIED, SYSTEM_MEMBERS
from machinami.ngsild.values import FIXED_MEMBERS

CITY = build_context({"ex": "https://ex.org/", "level": "ex:waterLevel", "River": "ex:River"}, dict)

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.booleans() | numbers | texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            texts | st.sampled_from(["type", "@type", "value", "object", "dataset", "coordinates"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
names = st.sampled_from(["level", "水位", "ex:flow", "depth", "https://other.org/x", "status"])
uris = st.sampled_from(["urn:ngsi-ld:A:1", "urn:ngsi-ld:B:2", "https://example.org/街"])
moments = st.datetimes(timezones=st.none()).map(lambda moment: moment.isoformat() + "Z")
positions = st.tuples(st.floats(-180, 180), st.floats(-90, 90)).map(list)


def one_or_many(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | st.lists(values, min_size=1, max_size=3)


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "Property": plain,
    "GeoProperty": positions.map(lambda position: {"type": "Point", "coordinates": position}),
    "Relationship": one_or_many(uris),
    "LanguageProperty": st.dictionaries(
        st.sampled_from(["ja", "en", "@none"]), one_or_many(texts), min_size=1
    ),
    "VocabProperty": one_or_many(st.sampled_from(["River", "in-service", "https://other.org/y"])),
    "JsonProperty": st.lists(plain, max_size=2) | st.dictionaries(texts, plain, max_size=2),
    "ListProperty": st.lists(plain, max_size=3),
    "ListRelationship": st.lists(st.fixed_dictionaries({"object": uris}), max_size=3),
}
EXTRAS = {
    "unitCode": st.just("MTR"),
    "valueType": st.just("River"),
    "objectType": one_or_many(st.just("River")),
}


def instances(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Normalized instances of every kind, sub-attributes `depth` levels deep."""
    common: dict[str, st.SearchStrategy[Any]] = {"observedAt": moments}
    below = st.dictionaries(names, attributes(depth - 1), max_size=2) if depth else st.just({})

    def of_kind(kind: str) -> st.SearchStrategy[dict[str, Any]]:
        fixed = {extra: st.just(value) for (of, extra), value in FIXED_MEMBERS.items() if of == kind}
        optional = common | {extra: EXTRAS[extra] for extra in KINDS[kind].extras} | fixed
        mandatory = {"type": st.just(kind), KINDS[kind].member: VALUES[kind]}
        return st.fixed_dictionaries(mandatory, optional=optional)

    own = st.sampled_from(sorted(KINDS)).flatmap(of_kind)
    return st.builds(lambda members, subs: members | subs, own, below)


def attributes(depth: int) -> st.SearchStrategy[Any]:
    """A single instance, or two of which one has a datasetId."""
    single = instances(depth)
    several = st.tuples(single, single).map(
        lambda pair: [pair[0], pair[1] | {"datasetId": "urn:ngsi-ld:Dataset:2"}]
    )
    return single | several if depth else single


entities = st.builds(
    lambda core, more: core | more,
    st.fixed_dictionaries(
        {"id": uris, "type": st.just("River") | st.just(["River", "Device"])},
        optional={
            "scope": st.just("/a") | st.just(["/a", "/b/c"]),
            "location": st.just(
                {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [135, 35]}}
            ),
        },
    ),
    st.dictionaries(names, attributes(1), max_size=4),
)

words = st.sampled_from(
    [*KINDS, *sorted(NON_REIFIED), "id", "type", "scope", "Point", "coordinates", "@none", "dataset"]
)
any_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | words | uris | st.just(NGSI_NULL),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(words | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(entities)
def test_normalized_in_normalized_out(document: dict[str, Any]):
    assert render_entity(read_entity(document, CITY), CITY) == document


@given(entities)
def test_concise_loses_nothing(document: dict[str, Any]):
    entity = read_entity(document, CITY)
    assert read_entity(render_entity(entity, CITY, Representation.CONCISE), CITY) == entity


@given(entities)
def test_names_of_another_context_mean_the_same(document: dict[str, Any]):
    entity = read_entity(document, CITY)
    assert read_entity(render_entity(entity, CORE), CORE) == entity


@given(entities)
def test_the_other_forms_have_every_attribute(document: dict[str, Any]):
    entity = read_entity(document, CITY)
    simplified = render_entity(entity, CITY, Representation.SIMPLIFIED)
    assert simplified.keys() == document.keys()
    feature = render_feature(entity, CITY)
    assert feature["properties"].keys() == document.keys() - {"id"}
    for values in (False, True):
        evolution = render_temporal(entity.id, entity.types, entity.attributes, CITY, temporal_values=values)
        assert evolution.keys() == document.keys() - {"scope"}


@given(any_json)
def test_any_json_is_read_or_refused(document: Any):
    for read in (read_entity, read_fragment, read_temporal):
        with suppress(BadRequestData):
            read(document, CITY)
    for options in ({}, {"simplified": True}, {"partial": True}):
        with suppress(BadRequestData):
            read_attribute("a", document, CITY, **options)


@given(any_json, st.sampled_from(list(Representation)))
def test_what_is_read_can_be_rendered(document: Any, representation: Representation):
    try:
        entity = read_entity({"id": "urn:a:b", "type": "T", "a": document}, CITY)
    except BadRequestData:
        return
    assert render_entity(entity, CITY, representation, lang="ja").keys() == {"id", "type", "a"}
    concise = render_entity(entity, CITY, Representation.CONCISE)
    assert read_entity(concise, CITY) == entity


@pytest.mark.real_data
def test_smart_data_models_examples_come_back_or_are_refused(shared_data: Path):
    index = json.loads((shared_data / "contexts" / "url-map.json").read_text())

    def load(url: str) -> dict[str, Any]:
        if url not in index:
            raise ContextUnavailable(f"{url} is not pinned")
        return json.loads((shared_data / "contexts" / index[url]).read_text())

    read = 0
    for file in sorted((shared_data / "smart-data-models").glob("*/examples/example-normalized.jsonld")):
        with suppress(BadRequestData, ContextUnavailable, json.JSONDecodeError):  # their examples have errors
            document = json.loads(file.read_text())
            context = build_context(document.pop("@context"), load)
            expected = {name: value for name, value in document.items() if name not in SYSTEM_MEMBERS}
            assert render_entity(read_entity(document, context), context) == expected
            read += 1
    assert read >= 30
