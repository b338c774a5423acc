"""How a source is spoken to (clauses 4.3.6.6 and 4.21)."""

from typing import Any

import orjson
import pytest
from machinami.federation.exchange import Dialect, Origin
from machinami.federation.registration import Mode, Registration
from machinami.ngsild.context import CORE_URL, Source, build_context

OWN = "https://example.org/own.jsonld"
TERMS = {"level": "https://example.org/level"}


def dialect(source: Source = OWN, **info: str) -> Dialect:
    context = build_context([source] if isinstance(source, str) else source, lambda _: {"@context": TERMS})
    registration = Registration(
        tenant=1,
        id="urn:x:1",
        mode=Mode.INCLUSIVE,
        operations=frozenset(),
        endpoint="http://127.0.0.1:9",
        information=(),
        info=tuple(info.items()),
    )
    return Dialect(
        registration,
        Origin(tenant="", context=context, headers={}, via=(), alias="x", resolve=lambda _: context),
    )


@pytest.mark.parametrize("source", [OWN, [OWN], [OWN, CORE_URL]])
def test_a_context_with_one_address_is_linked(source: Source) -> None:
    spoken = dialect(source)
    forward = spoken.forward("PATCH", "/entities/urn:x:1/attrs/level", document={"value": 1})
    assert forward.headers["Link"].startswith(f"<{OWN}>")
    assert spoken.terms(["https://example.org/level"]) == ["level"]


@pytest.mark.parametrize("source", [TERMS, [OWN, TERMS], [OWN, "https://example.org/other.jsonld"]])
def test_names_are_in_full_where_a_context_has_no_one_address(source: Any) -> None:
    spoken = dialect(source)
    assert "Link" not in spoken.forward("GET", "/entities").headers
    assert spoken.terms(["https://example.org/level"]) == ["https://example.org/level"]


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({}, {"pick": "id,type,scope,level"}),
        ({"ngsildConformance": "1.8"}, {"pick": "id,type,scope,level"}),
        ({"ngsildConformance": "1.6"}, {"attrs": "level"}),
    ],
)
def test_attributes_are_asked_for_in_the_words_of_a_version(
    info: dict[str, str], expected: dict[str, str]
) -> None:
    spoken = dialect(**info)
    assert spoken.projection(["https://example.org/level"]) == expected
    assert spoken.projection([]) == {}
    posted = spoken.projection(["https://example.org/level"], posted=True)
    assert posted == {name: value.split(",") for name, value in expected.items()}


def test_a_body_is_in_the_words_of_a_version() -> None:
    """Clause 4.3.6.8."""
    change = {"level": {"type": "JsonProperty", "json": [1]}}
    old = dialect(ngsildConformance="1.6").forward("PATCH", "/entities/urn:x:1/attrs", document=change)
    assert orjson.loads(old.body) == {"level": {"type": "Property", "value": [1]}}
    new = dialect().forward("PATCH", "/entities/urn:x:1/attrs", document=change)
    assert orjson.loads(new.body) == change
