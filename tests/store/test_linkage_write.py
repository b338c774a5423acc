from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from machinami.errors import AlreadyExists, BadRequestData, NotFound
from machinami.linkage.write import Batch, Linkage
from machinami.model import Change, Instance, Layout, Measurement, Message, Operation, Rejection
from machinami.store.intake import PositionLost, Progress, read_counters, split_positions
from sqlalchemy import Engine, text

LEVEL = "https://uri.etsi.org/ngsi-ld/default-context/currentLevel"
LOCATION = "https://uri.etsi.org/ngsi-ld/location"
GAUGE = "https://uri.etsi.org/ngsi-ld/default-context/FloodMonitoring"
ID = "urn:ngsi-ld:FloodMonitoring:test:1"


def level(value: object, minute: int = 0, **members: object) -> Instance:
    at = f"2026-01-01T00:{minute:02d}:00Z"
    return {"type": "Property", "value": value, "unitCode": "MTR", "observedAt": at, **members}


def change(*instances: Instance, **members: object) -> Change:
    known = {"entity_id": ID, "types": (GAUGE,), "attributes": {LEVEL: list(instances)}, "only_newer": True}
    return Change(**{**known, **members})  # type: ignore[arg-type] # members vary by test


def rows(engine: Engine, query: str) -> Sequence[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


HISTORY = "SELECT observed_at, number, document FROM observation ORDER BY observed_at"


@pytest.fixture
def linkage(engine: Engine) -> Linkage:
    return Linkage(engine)


def test_a_number_is_stored_bare_and_becomes_current(linkage: Linkage, engine: Engine) -> None:
    assert linkage.apply([change(level(1.5))])[0].created  # type: ignore[union-attr] # an Outcome
    assert rows(engine, HISTORY) == [(datetime(2026, 1, 1, tzinfo=UTC), 1.5, None)]
    current = rows(engine, "SELECT attributes FROM entity")[0][0][LEVEL][0]  # type: ignore[index] # a document
    assert current["value"] == 1.5
    assert current["createdAt"] == current["modifiedAt"]


def test_anything_but_a_plain_number_is_stored_whole(linkage: Linkage, engine: Engine) -> None:
    linkage.apply(
        [change(level("high")), change(level(2, minute=1, quality={"type": "Property", "value": 1}))]
    )
    assert [number for _, number, _ in rows(engine, HISTORY)] == [None, None]


def test_a_number_in_another_unit_says_so(linkage: Linkage, engine: Engine) -> None:
    linkage.apply([change(level(1.5)), change({**level(150, minute=1), "unitCode": "CMT"})])
    assert rows(engine, HISTORY)[1][2]["unitCode"] == "CMT"  # type: ignore[index] # a document


def test_an_old_message_is_history_but_not_current(linkage: Linkage, engine: Engine) -> None:
    linkage.apply([change(level(2.0, minute=9))])
    linkage.apply([change(level(1.0, minute=3))])
    assert len(rows(engine, HISTORY)) == 2
    assert rows(engine, f"SELECT attributes->'{LEVEL}'->0->'value' FROM entity") == [(2.0,)]


def test_a_repeated_message_is_stored_once(linkage: Linkage, engine: Engine) -> None:
    first = linkage.commit(Batch(changes=[change(level(1.0))])).stored
    second = linkage.commit(Batch(changes=[change(level(1.0))])).stored
    assert (first.added, second.added, second.repeated) == (1, 0, 1)
    assert len(rows(engine, HISTORY)) == 1


def test_another_value_for_a_known_time_corrects_it(linkage: Linkage, engine: Engine) -> None:
    linkage.apply([change(level(1.0))])
    assert linkage.commit(Batch(changes=[change(level(3.0))])).stored.corrected == 1
    assert rows(engine, HISTORY)[0][1] == 3.0


def test_a_second_process_knows_what_the_first_stored(linkage: Linkage, engine: Engine) -> None:
    linkage.apply([change(level(1.0, minute=5))])
    stored = Linkage(engine).commit(Batch(changes=[change(level(1.0, minute=5))])).stored
    assert (stored.added, stored.repeated) == (0, 1)


def test_a_writer_that_was_overtaken_stores_each_row_once(linkage: Linkage, engine: Engine) -> None:
    linkage.apply([change(level(1.0))])
    Linkage(engine).apply(
        [change(level(2.0, minute=5))]
    )  # `linkage` does not know that the series is longer now
    stored = linkage.commit(
        Batch(changes=[change(level(2.0, minute=5)), change(level(3.0, minute=6))])
    ).stored
    assert (stored.added, stored.repeated) == (1, 1)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(batches=st.lists(st.lists(st.tuples(st.integers(0, 59), st.integers(0, 3)), max_size=8), max_size=5))
def test_history_is_the_last_value_of_each_time(engine: Engine, batches: list[list[tuple[int, int]]]) -> None:
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE observation, entity, series"))
    linkage = Linkage(engine)
    stored = [
        linkage.commit(Batch(changes=[change(level(value, minute)) for minute, value in batch])).stored
        for batch in batches
    ]
    expected = {minute: value for batch in batches for minute, value in batch}
    found = {at.minute: number for at, number, _ in rows(engine, HISTORY)}  # type: ignore[attr-defined] # a datetime
    assert found == expected
    assert sum(part.added for part in stored) == len(expected)
    taken = sum(part.added + part.repeated + part.corrected for part in stored)
    assert taken == sum(map(len, batches))


@pytest.mark.parametrize("count", [3, 30])
def test_few_rows_and_many_are_stored_alike(linkage: Linkage, engine: Engine, count: int) -> None:
    """Few of them take another way to the table; whole numbers, broken ones and texts come together."""
    values: list[object] = [7, 7.5, "high"] * (count // 3)
    changes = [change(level(value, minute)) for minute, value in enumerate(values)]
    first = linkage.commit(Batch(changes=changes)).stored
    again = [changes[0], change(level(8, 1)), *changes[2:], change(level(9, count))]
    second = linkage.commit(Batch(changes=again)).stored
    assert (first.added, first.corrected, first.repeated) == (count, 0, 0)
    assert (second.added, second.corrected, second.repeated) == (1, 1, count - 1)
    query = "SELECT number, document IS NULL FROM observation ORDER BY observed_at LIMIT 3"
    assert rows(engine, query) == [(7.0, True), (8.0, True), (None, False)]


def test_months_get_their_partitions_whatever_their_order(linkage: Linkage, engine: Engine) -> None:
    for year in (2026, 2017, 2023):
        linkage.apply([change({**level(1.0), "observedAt": f"{year}-12-31T23:59:59Z"})])
    assert len(rows(engine, HISTORY)) == 3


def test_position_moves_with_the_batch_and_only_from_where_it_was(linkage: Linkage, engine: Engine) -> None:
    split_positions(engine, "s", 1)
    progress = Progress(stream="s", before={0: 0}, after=7, committed=1)
    linkage.commit(Batch(changes=[change(level(1.0))], progress=progress))
    with pytest.raises(PositionLost):
        linkage.commit(Batch(changes=[change(level(2.0, minute=1))], progress=progress))
    assert read_counters(engine, "s").sequence == 7
    assert len(rows(engine, HISTORY)) == 1


def test_what_could_not_be_read_is_kept_with_its_reason(linkage: Linkage, engine: Engine) -> None:
    message = Message(sequence=1, topic="a/\0", payload=b"\xff\0", received_at=datetime.now(UTC))
    rejection = Rejection(reason="not UTF-8", field="x", value="\ud800\0")
    split_positions(engine, "s", 1)
    progress = Progress(stream="s", before={0: 0}, after=1, quarantined=1)
    linkage.commit(Batch(changes=[], rejected=[(message, [rejection])], progress=progress))
    kept = rows(engine, "SELECT topic, payload, reason, value FROM quarantine")
    assert kept == [("a/␀", b"\xff\0", "not UTF-8", "?␀")]


def test_create_refuses_an_entity_that_is_there(linkage: Linkage) -> None:
    create = change(level(1.0), operation=Operation.CREATE)
    first, second = linkage.apply([create, create])
    assert first.created  # type: ignore[union-attr] # an Outcome
    assert isinstance(second, AlreadyExists)


@pytest.mark.parametrize(
    "operation",
    [Operation.APPEND, Operation.APPEND_ONLY, Operation.UPDATE, Operation.REPLACE, Operation.DELETE],
)
def test_these_need_an_entity_that_is_there(linkage: Linkage, operation: Operation) -> None:
    assert isinstance(linkage.apply([change(level(1.0), operation=operation)])[0], NotFound)


def test_update_adds_attributes_that_are_not_there_but_no_scope(linkage: Linkage) -> None:
    linkage.apply([change(level(1.0))])
    outcome = linkage.apply(
        [
            change(
                operation=Operation.UPDATE,
                attributes={LEVEL: [level(2.0)], "urn:new": [level(1)]},
                scope=("/a",),
            )
        ]
    )[0]
    assert outcome.updated == (LEVEL, "urn:new")  # type: ignore[union-attr] # an Outcome
    assert set(outcome.not_updated) == {"scope"}  # type: ignore[union-attr] # an Outcome


def test_instances_are_told_apart_by_dataset(linkage: Linkage, engine: Engine) -> None:
    linkage.apply([change(level(1.0), level(2.0, datasetId="urn:b"))])
    linkage.apply(
        [change(operation=Operation.DELETE_ATTRIBUTE, attributes={LEVEL: [{"datasetId": "urn:b"}]})]
    )
    left = rows(engine, "SELECT attributes FROM entity")[0][0][LEVEL]  # type: ignore[index] # a document
    assert [instance["value"] for instance in left] == [1.0]
    *observed, grave = rows(engine, HISTORY)
    assert len(observed) == 2
    assert grave[2].items() >= {"value": "urn:ngsi-ld:null", "datasetId": "urn:b"}.items()  # type: ignore[union-attr] # a document


def test_delete_removes_the_entity_and_keeps_its_history(linkage: Linkage, engine: Engine) -> None:
    linkage.apply([change(level(1.0)), change(operation=Operation.DELETE, attributes={})])
    assert rows(engine, "SELECT id FROM entity") == []
    linkage.apply([change(operation=Operation.DELETE, attributes={})])
    (_, value, _), (_, _, grave) = rows(engine, HISTORY)
    assert value == 1.0
    assert "deletedAt" in grave  # type: ignore[operator] # a document


def test_bounds_follow_the_location(linkage: Linkage, engine: Engine) -> None:
    line = {"type": "LineString", "coordinates": [[151.5, 30.5], [151.6, 30.4]]}
    linkage.apply([change(attributes={LOCATION: [{"type": "GeoProperty", "value": line}]})])
    assert rows(engine, "SELECT bounds::text FROM entity") == [("(151.6,30.5),(151.5,30.4)",)]


DEPTH = "https://uri.etsi.org/ngsi-ld/default-context/depth"
LAYOUT = Layout(slots=((LEVEL, ""), (DEPTH, "")), units=("MTR", ""))


def measurement(value: float, minute: int = 0, layout: Layout = LAYOUT) -> Measurement:
    moment = datetime(2026, 1, 1, 0, minute, tzinfo=UTC)
    return Measurement(
        entity_id=ID,
        types=(GAUGE,),
        layout=layout,
        values=[value] * len(layout.slots),
        observed_at=moment,
        observed_text=moment.isoformat().replace("+00:00", "Z"),
    )


EVERYTHING = (
    "SELECT attribute, observed_at, number, document, unit_code FROM series JOIN observation USING (series)"
    " WHERE NOT coalesce(jsonb_exists(document, 'deletedAt'), false)"  # at the time of writing, which differs
)
ACTIONS = st.one_of(
    st.builds(measurement, st.integers(0, 3), st.integers(0, 9)),
    st.builds(
        measurement,
        st.integers(0, 3),
        st.integers(0, 9),
        st.just(Layout(slots=((LEVEL, ""),), units=("CMT",))),
    ),
    st.builds(lambda value, minute: change(level(value, minute)), st.integers(0, 3), st.integers(0, 9)),
    st.just(change(operation=Operation.DELETE, attributes={})),
    st.just(change(operation=Operation.DELETE_ATTRIBUTE, attributes={DEPTH: []})),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(batches=st.lists(st.lists(ACTIONS, max_size=6), max_size=4))
def test_a_measurement_is_what_its_change_says(
    engine: Engine, batches: list[list[Change | Measurement]]
) -> None:
    left: list[object] = []
    for spelled in (False, True):
        with engine.begin() as connection:
            connection.execute(text("TRUNCATE observation, entity, series"))
        linkage = Linkage(engine)
        for batch in batches:
            linkage.apply([m.change if spelled and isinstance(m, Measurement) else m for m in batch])
        state = "SELECT attributes #- ARRAY['a'], types FROM entity"
        left.append((sorted(map(str, rows(engine, EVERYTHING))), without_stamps(rows(engine, state))))
    assert left[0] == left[1]


def without_stamps(found: Sequence[tuple[object, ...]]) -> list[object]:
    stamps = {"createdAt", "modifiedAt"}
    return [
        (
            {
                name: [{k: v for k, v in i.items() if k not in stamps} for i in all_]
                for name, all_ in document.items()
            },
            kinds,
        )
        for document, kinds in found
    ]  # type: ignore[attr-defined] # documents


def test_many_measurements_of_one_entity_leave_the_newest(linkage: Linkage, engine: Engine) -> None:
    linkage.apply([measurement(n, minute) for n, minute in ((1, 1), (5, 5), (3, 3))])
    assert rows(engine, f"SELECT attributes->'{LEVEL}'->0->'value' FROM entity") == [(5,)]
    assert len(rows(engine, HISTORY)) == 6


def test_patches_of_one_attribute_at_once_all_stay(engine: Engine) -> None:
    linkage = Linkage(engine)
    linkage.apply([change(level(1.0))])

    def patch(number: int) -> None:
        fragment = {f"urn:part:{number}": [{"type": "Property", "value": number}]}
        outcome = linkage.apply([change(fragment, operation=Operation.PATCH, only_newer=False)])[0]
        assert outcome.updated == (LEVEL,)  # type: ignore[union-attr] # an Outcome

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(patch, range(20)))
    left = rows(engine, "SELECT attributes FROM entity")[0][0][LEVEL][0]  # type: ignore[index] # a document
    assert {f"urn:part:{number}" for number in range(20)} <= left.keys()


def test_a_patch_takes_away_what_is_null_and_keeps_the_kind(linkage: Linkage, engine: Engine) -> None:
    linkage.apply([change(level(1.0))])
    linkage.apply([change({"unitCode": "urn:ngsi-ld:null"}, operation=Operation.PATCH)])
    left = rows(engine, "SELECT attributes FROM entity")[0][0][LEVEL][0]  # type: ignore[index] # a document
    assert "unitCode" not in left
    other = linkage.apply([change({"type": "Relationship"}, operation=Operation.PATCH)])[0]
    assert isinstance(other, BadRequestData)
