from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from machinami_simulators.rota import Rota


@given(
    count=st.integers(1, 400),
    interval=st.sampled_from([10.0, 60.0, 120.0, 600.0]),
    start=st.integers(0, 2**31),
    dt=st.integers(1, 10),
)
def test_everybody_reports_within_ten_seconds_and_then_once_an_interval(count, interval, start, dt):
    rota = Rota(count, interval, float(start))
    now, reports = float(start), Counter()
    while now < start + 10:
        now += dt
        reports.update(rota.due(now))
    assert set(reports) == set(range(count))
    now = float(start + 2 * interval)
    rota.due(now)
    later = Counter()
    while now < start + 5 * interval:
        now += dt
        later.update(rota.due(now))
    assert all(abs(times - 3) <= 1 for times in later.values())
    assert len(later) == count


def test_load_is_even():
    rota = Rota(300, 600.0, 0.0)
    for second in range(1, 601):
        rota.due(float(second))
    assert max(len(rota.due(float(second))) for second in range(601, 1201)) == 1


def test_a_long_sleep_is_one_report():
    rota = Rota(3, 60.0, 0.0)
    rota.due(60.0)
    assert rota.due(100_000.0) == [0, 1, 2]
    assert rota.due(100_000.0) == []
