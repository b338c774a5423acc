"""Workers share a stream's partitions; when their number may change, and what becomes of the positions."""

import time
from collections.abc import Callable, Iterator

import pytest
from machinami.errors import Unavailable
from machinami.store import share as module
from machinami.store.history import Stored
from machinami.store.intake import (
    PositionLost,
    Progress,
    advance,
    read_counters,
    read_positions,
    split_positions,
)
from machinami.store.share import Share
from sqlalchemy import Engine, text

Join = Callable[[], Share]


@pytest.fixture
def join(engine: Engine) -> Iterator[Join]:
    """A further worker's share of the stream ``s`` of eight partitions."""
    shares: list[Share] = []

    def further() -> Share:
        shares.append(Share(engine, "s", 8))
        return shares[-1]

    yield further
    for share in shares:
        share.close()


def settled(*shares: Share) -> list[set[int]]:
    """Partitions of each, when none has anything to change any more."""
    held = [set(share.settle()) for share in shares]
    while any(share.due() for share in shares):
        held = [set(share.settle()) for share in shares]
    return held


def wait_until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.05)


@pytest.mark.parametrize("workers", [1, 2, 3, 5, 8, 10])
def test_every_partition_has_one_worker_and_nobody_two_more_than_another(join: Join, workers: int) -> None:
    held = settled(*(join() for _ in range(workers)))
    assert sorted(number for each in held for number in each) == list(range(8))
    assert max(map(len, held)) - min(map(len, held)) <= 1


def test_a_newcomer_is_given_its_part_and_what_somebody_leaves_is_taken_up(join: Join) -> None:
    first, second = join(), join()
    assert settled(first) == [set(range(8))]
    assert list(map(len, settled(first, second))) == [4, 4]
    first.close()
    assert settled(second) == [set(range(8))]


def test_whoever_gives_no_sign_of_life_loses_its_part(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEASE", 0.2)
    silent = join()
    silent.settle()
    monkeypatch.undo()
    other = join()
    other.settle()
    wait_until(other.due)
    wait_until(lambda: len(other.settle()) == 8)
    with pytest.raises(Unavailable, match="idle-session timeout"):
        silent.due()


def test_where_a_worker_begins_is_where_its_partition_stands(join: Join, engine: Engine) -> None:
    split_positions(engine, "s", 8)
    move(engine, {3: 0, 4: 0}, 70)
    assert join().settle() == {**dict.fromkeys(range(8), 0), 3: 70, 4: 70}


def move(engine: Engine, before: dict[int, int], after: int, of: int = 8) -> None:
    progress = Progress(stream="s", before=before, after=after, of=of, committed=2, quarantined=1)
    with engine.begin() as connection:
        advance(connection, progress, Stored(added=3, repeated=4, corrected=5))


def test_counters_are_those_of_all_and_the_position_is_the_one_that_all_have_reached(engine: Engine) -> None:
    split_positions(engine, "s", 8)
    move(engine, dict.fromkeys(range(4), 0), 7)
    move(engine, dict.fromkeys(range(4, 8), 0), 5)
    counters = read_counters(engine, "s")
    assert (counters.sequence, counters.committed, counters.quarantined) == (5, 4, 2)
    assert (counters.observations, counters.repeated) == (6, 18)


def test_a_batch_moves_all_of_its_partitions_or_none(engine: Engine) -> None:
    split_positions(engine, "s", 8)
    move(engine, {1: 0}, 7)
    with pytest.raises(PositionLost):
        move(engine, {0: 0, 1: 0}, 9)
    assert set(read_positions(engine, "s").values()) == {0, 7}


def test_what_is_ahead_does_not_go_back(engine: Engine) -> None:
    split_positions(engine, "s", 2)
    move(engine, {1: 0}, 7, of=2)
    move(engine, {0: 0, 1: 7}, 5, of=2)
    assert read_positions(engine, "s") == {0: 5, 1: 7}


def test_the_number_of_partitions_changes_where_all_stand_at_the_same_message(engine: Engine) -> None:
    split_positions(engine, "s", 3)
    move(engine, {0: 0, 1: 0, 2: 0}, 9, of=3)
    before = read_counters(engine, "s")
    split_positions(engine, "s", 5)
    assert read_positions(engine, "s") == dict.fromkeys(range(5), 9)
    assert read_counters(engine, "s") == before


def test_else_it_stays(engine: Engine) -> None:
    split_positions(engine, "s", 3)
    move(engine, {0: 0}, 9, of=3)
    split_positions(engine, "s", 5)
    assert read_positions(engine, "s") == {0: 9, 1: 0, 2: 0}


def test_a_worker_that_missed_the_change_stores_nothing(engine: Engine) -> None:
    split_positions(engine, "s", 3)
    split_positions(engine, "s", 5)
    with pytest.raises(PositionLost):
        move(engine, {0: 0}, 9, of=3)


def test_workers_follow_a_change(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO stream_position (stream, sequence) VALUES ('s', 6)"))
    old = Share(engine, "s", 1)
    assert old.settle() == {0: 6}
    split_positions(engine, "s", 8)
    assert old.due()
    old.close()


def test_a_position_from_before_partitions_goes_on_in_all_of_them(join: Join, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO stream_position (stream, sequence) VALUES ('s', 6)"))
    assert join().settle() == dict.fromkeys(range(8), 6)
