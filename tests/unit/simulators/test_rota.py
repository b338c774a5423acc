from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from machinami_simulators.rota import TICK, Rota


@given(
    count=st.integers(1, 400),
    interval=st.sampled_from([10.0, 60.0, 120.0, 600.0]),
    start=st.integers(0, 2**31),
)
def test_everybody_reports_within_ten_seconds_and_then_once_an_interval(count, interval, start):
    rota = Rota(count, interval, float(start))
    devices, at = rota.due(start + TICK)
    assert devices.tolist() == list(range(count))
    assert ((at > start) & (at <= start + TICK)).all()
    reports, ticks = Counter(), int(3 * interval / TICK)
    for tick in range(ticks):
        now = start + 2 * TICK + tick * TICK
        devices, at = rota.due(now)
        assert ((at > now - TICK) & (at <= now)).all()
        assert at.tolist() == sorted(at.tolist())
        reports.update(zip(devices.tolist(), (at % interval).tolist(), strict=True))
    assert len(reports) == count, "each at its own second of the interval"
    assert set(reports.values()) == {3}


def test_load_is_even():
    rota = Rota(300, 600.0, 0.0)
    assert {rota.due(float(10 * tick))[0].size for tick in range(2, 62)} == {5}
