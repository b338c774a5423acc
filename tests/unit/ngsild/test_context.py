"""Terms to IRIs and back (clauses 4.4 and 5.5.7), alone and beside PyLD."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami.errors import BadRequestData, ContextUnavailable
from machinami.ngsild.context import CORE, CORE_URL, Source, build_context, is_core
from machinami.ngsild.core_terms import CORE_DOCUMENT
from pyld import jsonld
from pyld.context_resolver import ContextResolver

DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"
CITY = {
    "ex": "https://example.org/city#",
    "River": "ex:River",
    "level": {"@id": "ex:waterLevel", "@type": "@vocab"},
}


def offline(url: str) -> dict[str, Any]:
    raise ContextUnavailable(f"{url} cannot be reached", field="@context", value=url)


@pytest.mark.parametrize(
    ("name", "iri"),
    [
        ("waterDepth", f"{DEFAULT}waterDepth"),
        ("水位_測定値", f"{DEFAULT}水位_測定値"),
        ("location", "https://uri.etsi.org/ngsi-ld/location"),
        ("title", "http://purl.org/dc/terms/title"),
        ("attributeCount", f"{DEFAULT}attributeCount"),
    ],
)
def test_the_core_context_expands_and_compacts(name: str, iri: str):
    assert CORE.expand(name) == iri
    assert CORE.compact(iri) == name


def test_compact_and_absolute_iris_are_expanded():
    context = build_context(CITY, offline)
    assert context.expand_type("River") == context.expand("ex:River") == "https://example.org/city#River"
    assert context.expand("https://example.org/other") == "https://example.org/other"
    assert context.coercion("level") == "@vocab"


def test_what_has_no_term_is_compacted_by_prefix_or_left():
    context = build_context(CITY, offline)
    assert context.compact("https://example.org/city#flow") == "ex:flow"
    assert context.compact("https://elsewhere.org/flow") == "https://elsewhere.org/flow"
    # A name that the context gives to another IRI may not stand for this one.
    assert context.compact(f"{DEFAULT}level") == "ngsi-ld:default-context/level"


@pytest.mark.parametrize("name", ["", "1st", "two words", "a-b", "a:b c", "@id", "_hidden"])
def test_what_is_no_name_is_refused(name: str):
    with pytest.raises(BadRequestData) as caught:
        CORE.expand(name)
    assert caught.value.value == name


def test_the_core_context_has_the_last_word_wherever_it_stands():
    context = build_context(
        [CORE_URL, {"location": "https://example.org/place", "@vocab": "https://v.org/"}], offline
    )
    assert context.expand("location") == "https://uri.etsi.org/ngsi-ld/location"
    assert context.expand("anything") == f"{DEFAULT}anything"


@pytest.mark.parametrize(
    "source", [None, CORE_URL, "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld"]
)
def test_the_core_is_never_fetched(source: str | None):
    assert build_context(source, offline) is CORE


def test_a_context_knows_whether_it_leads_to_the_core():
    library = {
        "https://a.org/": ["https://b.org/"],
        "https://b.org/": {"a": "x:a"},
        "https://c.org/": [CORE_URL],
    }
    for source, named in (("https://a.org/", False), (["https://a.org/", "https://c.org/"], True)):
        assert build_context(source, lambda url: {"@context": library[url]}).names_core is named


@pytest.mark.parametrize(
    "url", ["https://uri.etsi.org/ngsi-ld/v1/other.jsonld", f"{CORE_URL}x", f"x{CORE_URL}"]
)
def test_other_urls_are_not_the_core(url: str):
    assert not is_core(url)
    with pytest.raises(ContextUnavailable):
        build_context(url, offline)


def test_contexts_name_each_other():
    library = {
        "https://a.org/": ["https://b.org/", {"level": "ex:level"}],
        "https://b.org/": {"ex": "https://b.org/#"},
    }
    context = build_context("https://a.org/", lambda url: {"@context": library[url]})
    assert context.source == "https://a.org/"
    assert context.expand("level") == "https://b.org/#level"


def test_a_scheme_is_no_prefix():
    context = build_context({"http": "https://ex.org/h/", "a": "http://x.org/a", "b": "http:b"}, offline)
    assert context.expand("a") == context.expand("http://x.org/a") == "http://x.org/a"
    assert context.expand("b") == context.expand("http:b") == "https://ex.org/h/b"


def test_null_forgets_what_came_before_it():
    context = build_context([CITY, None, {"flow": "https://example.org/flow"}], offline)
    assert context.expand("River") == f"{DEFAULT}River"
    assert context.expand("flow") == "https://example.org/flow"


def test_an_imported_context_is_built_upon():
    load = {"https://a.org/": {"@context": CITY}}.__getitem__
    assert (
        build_context({"@import": "https://a.org/", "flow": "ex:flow"}, load).expand("flow").endswith("#flow")
    )


@pytest.mark.parametrize(
    "document",
    [
        {"a": {"@id": "b"}, "b": {"@id": "a"}},  # circular
        {"a": 1},
        {"a": {"@id": 1}},
        {"a": {"@id": "https://a.org/", "@context": {"b": "https://b.org/"}}},  # scoped, clause 5.5.7
        {"a": {"@reverse": "https://a.org/"}},
        {"@vocab": 1},
        {"a": {"@container": True}},
        {f"t{step}": f"t{step + 1}" for step in range(500)},
        {"@import": 1},
        {"@base": 5},
        {"@language": ["ja"]},
        {"@protected": "true"},
        {"@version": "1.1"},
        [{"@context": {}}],
        "not a url",
        [[[1]]],
        1,
        [{}] * 200,
    ],
)
def test_malformed_contexts_are_refused(document: Source):
    with pytest.raises(BadRequestData):
        build_context(document, offline)


@pytest.mark.parametrize(
    "behind",
    [
        lambda url: {"@context": url},  # itself
        lambda url: {"@context": f"{url}x"},  # without end
        lambda _: {"no": "context"},
    ],
)
def test_a_load_that_never_ends_is_refused(behind: Any):
    with pytest.raises(BadRequestData):
        build_context("https://a.org/", behind)


def test_a_name_mapped_to_null_cannot_be_used():
    with pytest.raises(BadRequestData, match="null"):
        build_context({"secret": None}, offline).expand("secret")


def test_names_of_clients_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("machinami.ngsild.context._MEMO_LIMIT", 10)
    context = build_context(CITY, offline)
    for number in range(100):
        assert context.compact(f"{DEFAULT}n{number}") == f"n{number}"
    assert len(context.names) <= len(context.terms) + 10


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["@id", "@type", "@vocab", "@container", "@import", "a", "a:b", "@context"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_json_is_a_context_or_bad_request_data(document: Any):
    try:
        context = build_context(document, offline)
    except (BadRequestData, ContextUnavailable):
        return
    assert context.expand("location") == "https://uri.etsi.org/ngsi-ld/location"


@given(st.text(max_size=30))
def test_expansion_is_undone_by_compaction(name: str):
    try:
        iri = CORE.expand(name)
    except BadRequestData:
        return
    assert CORE.expand(CORE.compact(iri)) == iri


def _active_context(document: Any) -> tuple[Any, dict[str, Any]]:
    """What PyLD makes of a context with the core behind it."""
    resolver = ContextResolver({}, lambda url, _: pytest.fail(f"PyLD wants {url}"))
    options = {"processingMode": "json-ld-1.1", "base": "", "contextResolver": resolver}
    processor = jsonld.JsonLdProcessor()
    whole = {"@context": [document["@context"], CORE_DOCUMENT["@context"]]}
    return processor, processor.process_context(processor._get_initial_context(options), whole, options)


@pytest.mark.real_data
def test_smart_data_models_contexts_mean_what_pyld_says(shared_data: Path):
    files = sorted((shared_data / "contexts").glob("sdm-*.jsonld"))
    assert files
    for file in files:
        document = json.loads(file.read_text())
        context = build_context(document, offline)
        processor, active = _active_context(document)
        for term, mapping in active["mappings"].items():
            mine = context.terms[term]
            assert (mine.iri, mine.type, mine.prefix) == (
                mapping["@id"],
                mapping.get("@type"),
                mapping["_prefix"],
            ), f"{file.name}: {term}"
        for term, mapping in active["mappings"].items():
            # PyLD chooses terms by the values they coerce; NGSI-LD names an attribute whatever its value.
            if not mapping["@id"].startswith("@") and not mapping.keys() & {"@type", "@container"}:
                expected = processor._compact_iri(active, mapping["@id"], vocab=True)
                assert context.compact(mapping["@id"]) == expected, f"{file.name}: {term}"
