"""Which registrations a request concerns (clause 5.12)."""

import pytest
from machinami.federation.matching import Wanted, covers, is_meant, matching_information
from machinami.federation.registration import EntityInfo, Information, Mode, Registration
from machinami.store.queries import EntitySelector

ANY = EntityInfo(types=("Gauge",))
ONE = EntityInfo(types=("Gauge",), id="urn:x:1")
SOUTH = EntityInfo(types=("Gauge",), id_pattern="south")


def registered(*information: Information, datasets: frozenset[str] = frozenset()) -> Registration:
    return Registration(
        tenant=1,
        id="urn:x:r",
        mode=Mode.INCLUSIVE,
        operations=frozenset(),
        endpoint="http://127.0.0.1:9",
        information=information,
        datasets=datasets,
    )


def of(types: str = "", ids: str = "", pattern: str = "") -> EntitySelector:
    groups = tuple((name,) for name in types.split())
    return EntitySelector(types=groups, ids=tuple(ids.split()), id_pattern=pattern)


@pytest.mark.parametrize(
    ("info", "selector", "expected"),
    [
        (ANY, of("Gauge"), True),
        (ANY, of("Bridge"), False),
        (ANY, of(ids="urn:x:9"), True),
        (ONE, of("Gauge", "urn:x:1 urn:x:2"), True),
        (ONE, of("Gauge", "urn:x:2"), False),
        (ONE, of("Bridge", "urn:x:1"), False),
        (ONE, of("Gauge", pattern="x:1$"), True),
        (ONE, of("Gauge", pattern="y"), False),
        (ONE, of("Gauge"), True),
        (SOUTH, of("Gauge", "urn:south:1"), True),
        (SOUTH, of("Gauge", "urn:north:1"), False),
        (SOUTH, of("Gauge", pattern="north"), True),
        (EntityInfo(id="urn:x:1"), of("Gauge", "urn:x:1"), True),
        (EntityInfo(types=("Gauge", "Device")), EntitySelector(types=(("Gauge", "Device"),)), True),
        (ANY, EntitySelector(types=(("Gauge", "Device"),)), False),
    ],
)
def test_entities(info: EntityInfo, selector: EntitySelector, expected: bool) -> None:
    assert is_meant(info, selector) is expected


def test_attributes() -> None:
    level, all_of_them = Information(attributes=frozenset({"level"})), Information(entities=(ANY,))
    registration = registered(level, all_of_them)
    assert matching_information(registration, Wanted()) == [level, all_of_them]
    assert matching_information(registration, Wanted(attributes=frozenset({"speed"}))) == [all_of_them]
    assert matching_information(registration, Wanted(selectors=(of("Bridge"),))) == [level]


def test_datasets() -> None:
    registration = registered(Information(entities=(ANY,)), datasets=frozenset({"urn:d:1"}))
    assert matching_information(registration, Wanted(datasets=frozenset({"urn:d:1", "@none"})))
    assert not matching_information(registration, Wanted(datasets=frozenset({"@none"})))
    assert matching_information(registration, Wanted())


def test_one_entity() -> None:
    item = Information(entities=(ONE, SOUTH))
    assert covers(item, "urn:x:1", ())
    assert covers(item, "urn:x:1", ("Device", "Gauge"))
    assert not covers(item, "urn:x:1", ("Bridge",))
    assert not covers(item, "urn:x:2", ())
    assert covers(item, "urn:south:2", ())
    assert covers(Information(), "urn:x:2", ("Bridge",))
