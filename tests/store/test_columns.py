"""Measurements by the hundred go to the history as columns; what must be the same as row by row."""

from datetime import UTC, datetime, timedelta

from machinami.linkage.write import Batch, Linkage
from machinami.model import Layout, Measurement
from machinami.store.columns import Series, block_of
from machinami.store.history import Stored
from sqlalchemy import Engine, text

START = datetime(2026, 1, 31, 23, 59, 30, 123456, UTC)  # the next minute is another partition
ONE = Layout(slots=(("urn:level", ""),), units=("MTR",))
THREE = Layout(slots=tuple((f"urn:{name}", "") for name in "abc"), units=("", "CEL", ""))


def measurement(entity: str, layout: Layout, second: int, base: float = 0.5) -> Measurement:
    moment = START + timedelta(seconds=second)
    return Measurement(
        entity_id=f"urn:{entity}",
        types=("urn:T",),
        layout=layout,
        values=[base + second + place for place in range(len(layout.slots))],
        observed_at=moment,
        observed_text=moment.isoformat().replace("+00:00", "Z"),
    )


def stored(engine: Engine) -> dict[tuple[str, str, datetime], float]:
    query = "SELECT entity_id, attribute, observed_at, number FROM observation JOIN series USING (series)"
    with engine.connect() as connection:
        return {tuple(row[:3]): row[3] for row in connection.execute(text(query))}


def expected(measured: list[Measurement]) -> dict[tuple[str, str, datetime], float]:
    return {
        (item.entity_id, slot[0], item.observed_at): value
        for item in measured
        for slot, value in zip(item.layout.slots, item.values, strict=True)
    }


MANY = [
    measurement(entity, layout, second)
    for second in range(60)
    for entity, layout in (("one", ONE), ("three", THREE), ("other", THREE))
]


def test_every_number_is_stored_at_its_time(engine: Engine) -> None:
    committed = Linkage(engine).commit(Batch(changes=MANY))
    assert committed.stored == Stored(added=60 * 7)
    assert stored(engine) == expected(MANY)


def test_what_comes_again_is_told_from_what_is_new(engine: Engine) -> None:
    linkage = Linkage(engine)
    linkage.commit(Batch(changes=MANY))
    corrected = [measurement("one", ONE, second, base=100) for second in range(60, 50, -1)]
    committed = linkage.commit(Batch(changes=[*MANY, *corrected]))
    assert committed.stored == Stored(added=1, corrected=9, repeated=60 * 7)
    assert stored(engine) == expected([*MANY, *corrected])


def test_another_writers_rows_are_found_although_this_one_does_not_know_of_them(engine: Engine) -> None:
    late = Linkage(engine)
    late.commit(Batch(changes=MANY[:90]))
    Linkage(engine).commit(Batch(changes=MANY))
    assert late.commit(Batch(changes=MANY)).stored == Stored(repeated=60 * 7)
    assert stored(engine) == expected(MANY)


def test_a_block_is_in_order_and_newer_than_what_is_known() -> None:
    homes = [Series(number=1, unit_code="", newest=START)]
    items = [measurement("e", ONE, second) for second in (1, 2, 3)]
    assert block_of(homes, [measurement("e", ONE, 0), *items]) is None
    assert block_of(homes, items[::-1]) is None
    assert block_of(homes, [items[0], items[0]]) is None
    assert homes[0].newest == START
    block = block_of(homes, items)
    assert block is not None
    assert [row[1:3] for row in block.rows()] == [(item.observed_at, item.values[0]) for item in items]
    assert homes[0].newest == items[-1].observed_at
