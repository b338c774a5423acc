import random
from collections import Counter
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami.errors import InvalidRequest
from machinami_loadtests.load.machine import Machine
from machinami_loadtests.soak.faults import FAULTS, choose, named
from machinami_loadtests.soak.report import Event, Report, markdown, summary
from machinami_loadtests.soak.sender import Tally
from machinami_loadtests.verify import Verdict

MACHINE = Machine(
    processor="p",
    cores=2,
    memory_gib=4.0,
    kernel="k",
    system="s",
    load_before=0.0,
    fsync_per_second=1.0,
    fsync_p50_ms=1.0,
    python="3",
    machinami="0",
    nats_server="2",
    postgres="18",
    timescaledb="–",
)
EVENT = Event(
    at=1.0, fault="broker killed", what="kill -9", acknowledged=5, in_flight=3, lasted=0.0, seconds=2.0
)
GOOD = Report(
    began=datetime(2026, 1, 1, tzinfo=UTC),
    soak={"faults": 1, "rate": 10, "kinds": ("WAL full", "disk full")},
    seconds=1.0,
    caught_up_after=0.5,
    events=[EVENT],
    left_out=["disk full: no right to mount"],
    sender=Tally(sent=10, acknowledged=10, resent=3, reconnects=1),
    verdict=Verdict(stored=10),
    rows=40,
    repeated_rows=8,
    machine=MACHINE,
)


def test_the_long_form_has_forty_faults_by_weight():
    chosen = Counter(fault.name for fault in choose(FAULTS, 40, random.Random(1)))
    assert chosen == {fault.name: fault.weight for fault in FAULTS}


@given(st.integers(1, 200), st.integers())
def test_any_number_can_be_had_and_the_first_kinds_come_first(count: int, seed: int):
    chosen = choose(FAULTS, count, random.Random(seed))
    assert len(chosen) == count
    assert {fault.name for fault in FAULTS[:count]} <= {fault.name for fault in chosen}
    assert chosen == choose(FAULTS, count, random.Random(seed))


def test_faults_can_be_chosen_by_name():
    assert [fault.name for fault in named(["WAL full", "disk full"])] == ["WAL full", "disk full"]
    assert named([]) == FAULTS


def test_an_unknown_fault_is_refused_with_the_known_ones():
    with pytest.raises(InvalidRequest, match=r"there is no fault 'fire'.*broker killed.*WAL full"):
        named(["fire"])


def test_a_report_in_which_all_is_there_once_balances():
    assert GOOD.balanced
    assert summary(GOOD).startswith("balanced: 10 acknowledged, 10 stored once")


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": Verdict(stored=9, lost=1)},
        {"verdict": Verdict(stored=9, quarantined=1)},
        {"verdict": Verdict(stored=10, doubled=1), "rows": 41},
        {"rows": 44},
    ],
    ids=["lost", "sound but in quarantine", "doubled", "never sent"],
)
def test_a_report_that_does_not_balance_says_so(change: dict[str, object]):
    report = msgspec.structs.replace(GOOD, **change)
    assert not report.balanced
    assert summary(report).startswith("NOT BALANCED")


def test_the_page_tells_faults_and_what_was_left_out():
    page = markdown(GOOD)
    assert "| 1 | 1.0 | broker killed | 5 | 3 | 0.0 | 2.0 |" in page
    assert "| left out | disk full: no right to mount |" in page
    assert "| options | faults 1, rate 10, kinds WAL full and disk full |" in page
