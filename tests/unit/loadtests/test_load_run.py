from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from load_samples import MACHINE, REQUEST
from machinami.errors import InvalidRequest, Unavailable
from machinami_loadtests.load import run
from machinami_loadtests.load.assemble import assemble, levels, rates, steps
from machinami_loadtests.load.cli import parse_duration
from machinami_loadtests.load.roles import TESTER, Sample, Sampler, Use, use
from machinami_loadtests.load.run import Course, Load, greet, make_plan
from machinami_loadtests.load.tally import Tally
from machinami_loadtests.load.target import Target, find_target, parse_broker
from machinami_loadtests.swarm import Journal
from machinami_loadtests.verify import Verdict


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("90s", 90), ("1.5m", 90), ("2h", 7200), (" 5m ", 300)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@given(st.text(max_size=8))
def test_any_other_duration_is_refused_with_its_cure(text: str) -> None:
    assert read_or_cure(parse_duration, text)


def read_or_cure(parse: Callable[[str], object], text: str) -> object:
    """What is read, or else the cure; any other error fails the test."""
    try:
        return parse(text)
    except InvalidRequest as error:
        return error.cure


def test_a_broker_is_named_with_what_it_takes_to_get_in() -> None:
    assert parse_broker("mqtt://me:p%40ss@[::1]:1884") == Target(
        host="::1",
        port=1884,
        user="me",
        password="p@ss",  # noqa: S106 - nobody's
    )
    assert parse_broker("mqtt://host").port == 1883
    assert parse_broker("mqtt://me:secret@host").address == "host:1883"


@given(st.text() | st.from_regex(r"mqtts?://[^/]*"))
def test_any_other_broker_is_refused_with_its_cure(url: str) -> None:
    assert read_or_cure(parse_broker, url)


def test_without_a_city_and_without_a_broker_there_is_nothing_to_load(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no city runs"):
        find_target(tmp_path, None)
    with pytest.raises(Unavailable, match="takes no MQTT connection"):
        greet(Target(host="127.0.0.1", port=9))


def load(devices: int, rate: float | None, duration: float) -> Load:
    return Load(devices=devices, rate=rate, duration=duration, qos=1, connections=1)


def test_a_plan_has_all_messages_of_the_duration_and_none_from_the_future() -> None:
    plan = make_plan(load(10, 100, 60), "p")
    assert plan.messages == 6_000
    assert plan.moment(plan.messages - 1) < datetime.now(UTC)
    with pytest.raises(InvalidRequest, match="days") as refused:
        make_plan(load(1, None, 3_600), "p")
    assert "at least 135 devices" in refused.value.cure
    assert make_plan(load(135, None, 3_600), "p")


@given(st.floats(0, 1e6), st.sampled_from([1, 2, 64]))
def test_steps_cover_the_run_and_are_few_enough_to_draw(until: float, width: int) -> None:
    step, edges = steps(until, width)
    assert step % width == 0
    assert edges[0] == 0
    assert edges[-1] == max(until, 0.001)
    assert len(edges) <= 302
    assert all(0 < width <= step * 1.5 for width in edges[1:] - edges[:-1])


def test_counters_become_rates_and_a_counter_that_was_set_back_becomes_a_gap() -> None:
    _, edges = steps(3)
    assert rates([-1, 0, 1, 2, 3], [0, 0, 100, 300, 250], edges) == [100, 200, None]
    assert rates([0], [1], edges) == [None] * 3
    assert levels([], [], edges) == [None] * 3
    assert levels([0, 2], [0, 20], edges) == [10, 20, 20]


def look(n: int) -> Sample:
    """One a second; the ingest role begins only in the third."""
    late = {"ingest": Use(cpu=n - 3.0, memory=99)} if n >= 3 else {}
    return Sample(
        at=1_000.0 + n,
        roles={"broker": Use(cpu=n * 0.5, memory=10 + n), **late},
        counted_at=1_000.0 + n,
        committed=n * 50.0,
        lag=5.0,
    )


class StillSampler:
    """Has looked, ten seconds long."""

    def __init__(self) -> None:
        self.samples = [look(n) for n in range(11)]


def course(tally: Tally, **changes: object) -> Course:
    usual = {
        "started": datetime(2026, 11, 21, tzinfo=UTC),
        "ended": "",
        "committed_at": 1_010.0,
        "verdicts": (Verdict(stored=100), Verdict(stored=10, lost=2)),
    }
    return Course(tally=tally, sampler=StillSampler(), **{**usual, **changes})  # type: ignore[arg-type] # stands for a thread


def ten_seconds() -> Tally:
    journal = Journal()
    for n in range(10):
        journal.sent.append((1_000.0 + n, (n + 1) * 10))
        journal.acknowledged.append((1_000.25 + n, (n + 1) * 10))
    tally = Tally([journal])
    list(tally.count())
    return tally


def test_a_report_is_put_together_from_what_was_seen() -> None:
    report = assemble(course(ten_seconds()), REQUEST, MACHINE)
    assert len(report.points) == 10
    assert {(point.sent, point.acknowledged, point.committed) for point in report.points} == {
        (10.0, 10.0, 50.0)
    }
    assert report.points[3].puback
    assert report.points[3].puback.max_ms == 250
    assert report.summary.committed == 11.0
    ledger = report.ledger
    assert ledger
    assert (ledger.sent, ledger.stored, ledger.lost, ledger.not_arrived) == (100, 110, 0, 2)
    assert report.roles["broker"].mean_cpu == pytest.approx(0.5)
    assert report.roles["broker"].cpu_microseconds == pytest.approx(5 / 100 * 1e6)
    assert report.roles["ingest"].cpu[:3] == [0, 0, 0]
    assert report.roles["ingest"].peak_memory == 99


def test_a_broker_alone_has_no_ledger_and_no_committed_rate() -> None:
    found = assemble(course(ten_seconds(), committed_at=None, verdicts=None), REQUEST, MACHINE)
    assert (found.ledger, found.summary.committed, found.summary.stored) == (None, None, None)


def test_the_sampler_sees_itself_and_processes_that_end() -> None:
    sampler = Sampler(None)
    sampler.start()
    sampler.stop()
    assert [set(sample.roles) for sample in sampler.samples] == [{TESTER}] * 2
    own = use(psutil.Process())
    assert own
    assert own.memory > 1
    with psutil.Popen(["true"]) as ended:
        ended.wait()
    assert use(ended) is None


def test_verdicts_add_up() -> None:
    assert Verdict(stored=1, lost=2) + Verdict(doubled=3, quarantined=4) == Verdict(
        stored=1, lost=2, doubled=3, quarantined=4
    )


class Quiet:
    """A screen that nobody looks at."""

    def sending(self, tally: Tally) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    @contextmanager
    def looking(self, messages: int) -> Generator[Callable[[int], None]]:
        yield [messages].append


@pytest.mark.parametrize("error", [Unavailable("the database is away"), KeyboardInterrupt()])
def test_what_was_measured_is_kept_when_the_look_for_every_message_breaks_off(
    monkeypatch: pytest.MonkeyPatch, database_url: str, error: BaseException
) -> None:
    def send(*_arguments: object, journals: list[Journal], **_options: object) -> None:
        journals[0].sent.append((1_000.0, 1))
        journals[0].acknowledged.append((1_000.5, 1))

    def fail(*_arguments: object) -> Verdict:
        raise error

    monkeypatch.setattr(run, "swarm", send)
    monkeypatch.setattr(run, "_settle", lambda *_arguments: 1_001.0)
    monkeypatch.setattr(run, "verify", fail)
    target = Target(host="127.0.0.1", port=9, database=database_url)
    found = run.run_load(target, load(1, 10, 1), Quiet())
    assert found.verdicts is None
    assert "broken off" in found.ended
    assert assemble(found, REQUEST, MACHINE).summary.acknowledged == 2
