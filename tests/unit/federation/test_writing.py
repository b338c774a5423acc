"""What of a change goes to which source (clause 5.6)."""

import pytest
from machinami.federation.registration import EntityInfo, Information, Mode, Registration
from machinami.federation.writing import Division, Subject, divide, translate
from machinami.ngsild.context import CORE, build_context

ONE = EntityInfo(types=("Gauge",), id="urn:x:1")
GAUGES = EntityInfo(types=("Gauge",))


def registered(
    mode: Mode, *names: str, info: EntityInfo = GAUGES, operations: str = "createEntity"
) -> Registration:
    return Registration(
        tenant=1,
        id=f"urn:x:{mode}:{'-'.join(names)}",
        mode=mode,
        operations=frozenset(operations.split()),
        endpoint="http://127.0.0.1:9",
        information=(Information(entities=(info,), attributes=frozenset(names)),),
    )


def division(
    *registrations: Registration, names: str = "a b c", types: tuple[str, ...] = ("Gauge",)
) -> Division:
    subject = Subject(entity_id="urn:x:1", types=types, names=frozenset(names.split()))
    return divide(registrations, ("createEntity",), subject)


def shares(found: Division) -> list[tuple[str, bool]]:
    return [("".join(sorted(part.names)), part.is_possible) for part in found.parts]


def test_equals_get_what_they_are_registered_for() -> None:
    found = division(registered(Mode.INCLUSIVE), registered(Mode.INCLUSIVE, "a", "x"))
    assert shares(found) == [("abc", True), ("a", True)]
    assert (found.here, found.is_here, found.is_proxied) == (frozenset("abc"), True, False)


def test_one_that_has_none_of_it_gets_nothing() -> None:
    assert shares(division(registered(Mode.INCLUSIVE, "x"))) == []
    assert shares(division(registered(Mode.INCLUSIVE), types=("Bridge",))) == []
    assert shares(division(registered(Mode.AUXILIARY))) == []
    assert shares(division(registered(Mode.INCLUSIVE, operations="deleteEntity"))) == []


def test_proxied_attributes_leave_the_rest() -> None:
    exclusive, redirect = registered(Mode.EXCLUSIVE, "a", info=ONE), registered(Mode.REDIRECT, "a", "b")
    found = division(registered(Mode.INCLUSIVE), redirect, exclusive, redirect)
    assert shares(found) == [("a", True), ("b", True), ("b", True), ("c", True)]
    assert (found.here, found.is_here, found.is_proxied) == (frozenset("c"), True, True)


def test_a_whole_entity_elsewhere_leaves_nothing() -> None:
    found = division(registered(Mode.REDIRECT), registered(Mode.INCLUSIVE))
    assert shares(found) == [("abc", True)]
    assert not found.is_here
    assert not division(registered(Mode.REDIRECT), names="").is_here
    assert division(registered(Mode.EXCLUSIVE, "a", info=ONE), names="").is_here


def test_a_deletion_is_done_here_too() -> None:
    subject = Subject(entity_id="urn:x:1", types=("Gauge",))
    gone = divide([registered(Mode.REDIRECT, operations="deleteEntity")], ("deleteEntity",), subject)
    assert (shares(gone), gone.is_here) == ([("", True)], True)


def test_an_exclusive_source_without_named_attributes_is_sent_no_change() -> None:
    found = division(registered(Mode.EXCLUSIVE, info=ONE))
    assert (shares(found), found.is_here) == ([("abc", False)], False)


def test_a_proxied_part_that_cannot_be_done_is_kept() -> None:
    found = division(registered(Mode.REDIRECT, "a", operations="retrieveEntity"))
    assert shares(found) == [("a", False)]
    assert found.here == frozenset("bc")


@pytest.mark.parametrize("value", [1, "level", {"level": 1}, ["level"]])
def test_names_are_translated_and_values_are_not(value: object) -> None:
    own = build_context({"level": "urn:x:level", "Gauge": "urn:x:Gauge", "unit": "urn:x:unit"}, lambda _: {})
    document = {
        "id": "urn:x:1",
        "type": "Gauge",
        "level": {"type": "Property", "value": value, "unit": {"type": "VocabProperty", "vocab": "Gauge"}},
    }
    expected = {
        "id": "urn:x:1",
        "type": "urn:x:Gauge",
        "urn:x:level": {
            "type": "Property",
            "value": value,
            "urn:x:unit": {"type": "VocabProperty", "vocab": "urn:x:Gauge"},
        },
    }  # fmt: skip
    assert translate(document, own, CORE) == expected
    assert translate(expected, CORE, own) == document
