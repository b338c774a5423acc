"""The Entity Type Selection Language (clause 4.17)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami.errors import BadRequestData
from machinami.linkage.types import format_types, has_types, parse_types, selects
from machinami.model import Entity
from machinami.store.queries import EntitySelector


@pytest.mark.parametrize(
    ("text", "selection"),
    [
        ("A", (("A",),)),
        ("A,B", (("A",), ("B",))),
        ("A|B", (("A",), ("B",))),
        ("(A;B)", (("A", "B"),)),
        ("A;B", (("A", "B"),)),
        ("(A;B),C|(D)", (("A", "B"), ("C",), ("D",))),
        ("(A|B)", (("A",), ("B",))),
        ("((A;B)|C),D", (("A", "B"), ("C",), ("D",))),
        ("(A|B);C", (("A", "C"), ("B", "C"))),
        ("*", ()),
    ],
)
def test_selections(text: str, selection: tuple[tuple[str, ...], ...]) -> None:
    assert parse_types(text, str) == selection


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "A,",
        "(A",
        "A)",
        "()",
        "(A;)",
        ";",
        "A||B",
        "(A;B)C",
        "(" * 50 + "A" + ")" * 50,
        ";".join(["(A|B)"] * 20),
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(BadRequestData):
        parse_types(text, str)


@given(st.text(alphabet="AB,|;()* \x00", max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        selection = parse_types(text, str)
    except BadRequestData:
        return
    assert parse_types(format_types(selection, str), str) == selection


def test_having_types() -> None:
    assert has_types(["A", "B"], (("A", "B"),))
    assert not has_types(["A"], (("A", "B"),))
    assert has_types(["C"], (("A", "B"), ("C",)))
    assert has_types(["A"], ())


def test_selectors() -> None:
    entity = Entity(id="urn:x:1", types=("A",), attributes={})
    assert selects(EntitySelector(), entity)
    assert selects(EntitySelector(ids=("urn:x:1",), id_pattern="never"), entity)
    assert not selects(EntitySelector(ids=("urn:x:2",)), entity)
    assert selects(EntitySelector(id_pattern="x:."), entity)
    assert not selects(EntitySelector(id_pattern="^x"), entity)
    assert not selects(EntitySelector(types=(("B",),)), entity)
