"""Text of ``q`` → tree (clause 4.9)."""

from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami.errors import BadRequestData
from machinami.ngsild.context import CORE, build_context
from machinami.ngsild.q import (
    Absent,
    And,
    Comparison,
    Exists,
    Linked,
    Node,
    Operator,
    Or,
    Path,
    Range,
    parse_q,
)

DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"


def path(*names: str, members: tuple[str, ...] = (), text: str | None = None) -> Path:
    first, *steps = [
        name if name in ("observedAt", "unitCode", "createdAt") else DEFAULT + name for name in names
    ]
    trail = f"[{'.'.join(members)}]" if members else ""
    return Path(attribute=first, steps=tuple(steps), members=members, text=text or ".".join(names) + trail)


def compare(operator: str, *operands: Any, of: Path | None = None) -> Comparison:
    return Comparison(path=of or path("a"), operator=Operator(operator), operands=operands)


A, B, C = (Exists(path=path(name)) for name in "abc")


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("a", A),
        ("水位_測定値", Exists(path=path("水位_測定値"))),
        ("a==20", compare("==", 20)),
        ("a!=-2.5e3", compare("!=", -2500.0)),
        ('a=="Mercedes"', compare("==", "Mercedes")),
        (r'a=="say \"hi\"; (a|b)\u8857"', compare("==", 'say "hi"; (a|b)街')),
        ("a==true", compare("==", True)),
        ("a!=false", compare("!=", False)),
        ("a==urn:ngsi-ld:Car:1", compare("==", "urn:ngsi-ld:Car:1")),
        ("a==urn:a:b,urn:a:c", compare("==", "urn:a:b", "urn:a:c")),
        ('a=="black","red",3', compare("==", "black", "red", 3)),
        ("a==10..20", compare("==", Range(low=10, high=20))),
        ("a!=1.5..2", compare("!=", Range(low=1.5, high=2))),
        ('a=="a".."c"', compare("==", Range(low="a", high="c"))),
        ("a>2017-12-24", compare(">", date(2017, 12, 24))),
        ("a<=12:00:00Z", compare("<=", time(12, tzinfo=UTC))),
        ("a==2020-01-01..2020-02-01", compare("==", Range(low=date(2020, 1, 1), high=date(2020, 2, 1)))),
        ("a~=(M|m)e;b", And(nodes=(compare("~=", "(M|m)e"), B))),
        ('a!~="^[;|)]"', compare("!~=", "^[;|)]")),
        (r"a~=[;)|]\)|b", Or(nodes=(compare("~=", r"[;)|]\)"), B))),
        ("(a~=x)", compare("~=", "x")),
        ("a.b", Exists(path=path("a", "b"))),
        (
            "a.observedAt>=2017-12-24T12:00:00Z",
            compare(">=", datetime(2017, 12, 24, 12, tzinfo=UTC), of=path("a", "observedAt")),
        ),
        (
            'createdAt<"2017-12-24T12:00:00Z"',
            compare("<", datetime(2017, 12, 24, 12, tzinfo=UTC), of=path("createdAt")),
        ),
        ('a.unitCode=="CEL"', compare("==", "CEL", of=path("a", "unitCode"))),
        ('a[city]=="Berlin"', compare("==", "Berlin", of=path("a", members=("city",)))),
        ("a.b[c.d-e]==40", compare("==", 40, of=path("a", "b", members=("c", "d-e")))),
        ('a[*]=="red"', compare("==", "red", of=path("a", members=("*",)))),
        ("a;b|c", Or(nodes=(And(nodes=(A, B)), C))),
        ("a;(b|c)", And(nodes=(A, Or(nodes=(B, C))))),
        ("((a|b);c)", And(nodes=(Or(nodes=(A, B)), C))),
    ],
)
def test_queries_are_read(text: str, node: Node):
    assert parse_q(text, CORE) == node


def test_names_are_those_of_the_context():
    context = build_context({"ex": "https://ex.org/", "level": "ex:waterLevel", "Male": "ex:Male"}, dict)
    assert parse_q("level", context) == Exists(path=Path(attribute="https://ex.org/waterLevel", text="level"))
    assert parse_q("ex:flow", context) == Exists(path=Path(attribute="https://ex.org/flow", text="ex:flow"))
    node = parse_q('gender==Male,"Female"', context, expand_values=["gender"])
    assert node == compare("==", "https://ex.org/Male", f"{DEFAULT}Female", of=path("gender"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a b",
        "a=",
        "a==",
        "a=1",
        "a==b",
        "a==1,",
        "a>1,2",
        "a>1..2",
        'a==1.."b"',
        "a==true..false",
        "a==1..2020-01-01",
        "a==01",
        "a==1e999",
        'a=="open',
        'a=="\\x"',
        'a=="\\u0000"',
        "a==2020-02-30",
        "a~=",
        "a~=[",
        'a~="("',
        "a~=" + "x" * 600,
        "(a",
        "a)",
        "()",
        "a;",
        "|a",
        "a.",
        ".a",
        "a[",
        "a[]",
        "a[b",
        "a[b]c",
        "1a",
        "_a",
        "id",
        "value==1",
        "(" * 40 + "a" + ")" * 40,
        "a|" * 10_000 + "a",
    ],
)
def test_what_breaks_the_grammar_is_refused(text: str):
    with pytest.raises(BadRequestData) as caught:
        parse_q(text, CORE)
    assert caught.value.cure


@pytest.mark.parametrize("text", ["sensor{humidity}==40", "sensor{Device:humidity}", "sensor{a{b}}"])
def test_linked_entities_no_deeper_than_allowed(text: str):
    with pytest.raises(BadRequestData):
        parse_q(text, CORE)
    assert isinstance(parse_q(text, CORE, depth=2), Linked)


def test_types_of_linked_entities():
    typed = parse_q("sensor{Device,Probe:humidity}", CORE, depth=1)
    assert isinstance(typed, Linked)
    assert typed.types == (CORE.expand_type("Device"), CORE.expand_type("Probe"))


NAMES = ["a", "b.c", "[d]", "observedAt", "id", "ex:", "urn:a:b"]
SIGNS = ["==", "!=", ">", "~=", "!~=", ";", "|", "(", ")", "..", ",", "{", "}", "[", "]", "*", "+"]
TEXTS = ['"x"', '"', "\\", "\0", "1", "1e999", "99999999999999999999", "2020-01-01", "true"]
pieces = st.sampled_from(NAMES + SIGNS + TEXTS)


@given(st.text(max_size=40) | st.lists(pieces, max_size=12).map("".join))
def test_any_text_is_a_query_or_bad_request_data(text: str):
    try:
        node = parse_q(text, CORE)
    except BadRequestData:
        return
    assert isinstance(node, Absent | And | Or | Comparison | Exists)
