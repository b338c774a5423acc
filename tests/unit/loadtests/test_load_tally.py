import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami_loadtests.load.tally import Histogram, Tally
from machinami_loadtests.swarm import Journal

_SECONDS = st.floats(1e-5, 1_000)
_STEP = 1.0201  # two percent, and what floating point adds


def filled(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


@given(st.lists(_SECONDS, min_size=1), st.sampled_from([0.5, 0.9, 0.99]))
def test_a_percentile_is_that_of_the_sorted_values_within_two_percent(
    values: list[float], share: float
) -> None:
    exact = sorted(values)[math.ceil(share * len(values)) - 1]
    assert exact / _STEP <= filled(values).percentile(share) <= exact * _STEP


@given(st.lists(_SECONDS), st.lists(_SECONDS))
def test_merged_histograms_are_the_histogram_of_all(one: list[float], other: list[float]) -> None:
    merged = filled(one)
    merged.merge(filled(other))
    assert merged.latency() == filled(one + other).latency()


def test_the_highest_value_is_exact_and_nothing_has_no_percentile() -> None:
    latency = filled([0.001, 0.0123]).latency()
    assert latency
    assert (latency.count, latency.max_ms, latency.p99_ms) == (2, 12.3, 12.3)
    assert Histogram().latency() is None
    with pytest.raises(ValueError, match="nothing"):
        Histogram().percentile(0.5)


def test_faster_than_the_clock_tells_is_counted_as_the_finest_step() -> None:
    assert filled([0.0, -0.001]).latency()


def journal(sent: list[tuple[float, int]], acknowledged: list[tuple[float, int]]) -> Journal:
    found = Journal()
    found.sent.extend(sent)
    found.acknowledged.extend(acknowledged)
    return found


def test_each_acknowledgement_meets_its_own_message() -> None:
    # Ten messages at second 0, ten at 1; fifteen are acknowledged at 2.5, and the rest at 3.
    tally = Tally([journal([(100.0, 10), (101.0, 20)], [(102.5, 15), (103.0, 20)])])
    assert [place for place, _ in tally.count()] == list(range(20))
    first, second = tally.slots[0], tally.slots[1]
    assert (first.sent, second.sent) == (10, 10)
    assert (tally.slots[2].acknowledged, tally.slots[3].acknowledged) == (15, 5)
    assert first.puback.percentile(1) == 2.5
    assert second.puback.counts.total() == 10
    assert second.puback.highest == 2.0
    assert tally.caught_up
    assert (tally.sent_until, tally.acknowledged_until) == (101.0, 103.0)


def test_only_the_first_connection_gives_probes_and_all_are_counted() -> None:
    tally = Tally([journal([(7.0, 2)], []), journal([(7.5, 3)], [(7.6, 3)])])
    assert list(tally.count()) == [(0, 7.0), (1, 7.0)]
    assert (tally.sent, tally.acknowledged) == (5, 3)
    assert (tally.sent_by_line, tally.acknowledged_by_line) == ([2, 3], [0, 3])
    assert tally.promised_by_line == [0, 3]


def test_at_qos_0_one_waits_for_all_that_was_sent() -> None:
    tally = Tally([journal([(7.0, 2)], [])])
    list(tally.count())
    assert tally.promised_by_line == [2]


@given(st.lists(st.integers(1, 50), min_size=1), st.data())
def test_whatever_the_portions_every_message_has_one_latency(
    portions: list[int], data: st.DataObject
) -> None:
    total = sum(portions)
    cuts = [*sorted(data.draw(st.sets(st.integers(1, total), max_size=10))), total]
    sent = [(float(n), sum(portions[: n + 1])) for n in range(len(portions))]
    acknowledged = [(float(len(portions) + n), cut) for n, cut in enumerate(cuts)]
    tally = Tally([journal(sent, acknowledged)])
    list(tally.count())
    assert sum(slot.puback.counts.total() for slot in tally.slots.values()) == total
    assert sum(slot.acknowledged for slot in tally.slots.values()) == total


def test_a_long_run_keeps_few_slots_and_loses_no_count() -> None:
    seconds = 5_000
    sent = [(100.0 + n, n + 1) for n in range(seconds)]
    tally = Tally([journal(sent, [(moment + 0.5, total) for moment, total in sent])])
    list(tally.count())
    tally.slot(100.0 + seconds).stored.add(0.25)
    list(tally.count())
    assert len(tally.slots) <= 1_024
    assert tally.width == 8
    assert [tally.slots[place].sent for place in range(3)] == [8, 8, 8]
    assert sum(slot.acknowledged for slot in tally.slots.values()) == seconds
    assert sum(slot.puback.counts.total() for slot in tally.slots.values()) == seconds
    assert max(slot.stored.highest for slot in tally.slots.values()) == 0.25
