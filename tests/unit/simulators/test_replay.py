import json
import math
import re
import threading
import time

import pytest
from machinami_simulators import replay
from machinami_simulators.ledger import Ledger
from machinami_simulators.recordings import RECORDINGS, Row, read_rows
from machinami_simulators.sender import Sender
from machinami_simulators.stopping import Stop
from machinami_simulators.wire import Message
from unit.simulators.helpers import ledger_rows


@pytest.fixture
def sender(broker, tmp_path):
    with (
        Ledger(tmp_path / "ledger", "replay-test") as ledger,
        Sender("127.0.0.1", broker.port, ledger, window=250) as made,
    ):
        yield made


def rows(times):
    return [Row(t, Message("fukui-river", "client", "replay/x", b"%d" % n)) for n, t in enumerate(times)]


def test_max_waits_for_every_acknowledgement(sender, tmp_path):
    result = replay.play(rows([1e9 * n for n in range(3000)]), sender, Stop(), total=3000, speed=math.inf)
    assert (result.sent, result.acknowledged) == (3000, 3000)
    assert [int(row[2]) for row in ledger_rows(tmp_path)] == list(range(3000))
    assert all(row[3] for row in ledger_rows(tmp_path))


def test_a_broker_away_for_good_ends_it(broker, tmp_path):
    with (
        Ledger(tmp_path / "ledger", "replay-test") as ledger,
        Sender("127.0.0.1", broker.port, ledger, window=250) as sender,
    ):
        replay.play(rows([0] * 10), sender, Stop(), total=10, speed=math.inf)
        broker.kill()
        result = replay.play(rows([0] * 10), sender, Stop(), total=10, speed=math.inf, patience=0.5)
    assert result.acknowledged == 10


def test_asked_to_stop_it_ends_with_what_was_sent(sender):
    stop = Stop()
    stop.asked = True
    result = replay.play(rows([0, 1e9]), sender, stop, total=2, speed=1.0)
    assert result.acknowledged == result.sent < 2


def test_stopping_in_a_pause_does_not_wait_for_its_end(sender):
    stop = Stop()
    timer = threading.Timer(0.3, lambda: setattr(stop, "asked", True))
    timer.start()
    result = replay.play(rows([0, 1e9]), sender, stop, total=2, speed=1.0)
    timer.join()
    assert (result.sent, result.acknowledged) == (1, 1)


@pytest.mark.parametrize(
    ("recorded", "due"),
    [
        ([100, 160, 220], [0, 1, 2]),
        ([100, 160, 130, 220], [0, 1, 1, 2]),  # recorded late: it follows at once
        ([100, None, 160], [0, 0, 1]),  # no time: it follows at once
        ([None, 100, 160], [0, 0, 1]),
    ],
)
def test_rows_are_due_at_their_recorded_time(monkeypatch, recorded, due):
    monkeypatch.setattr(time, "monotonic", lambda: 5000.0)
    pace = replay.Pace(60.0)
    assert [pace.wait(t) for t in recorded] == pytest.approx(due)


def test_max_never_waits():
    pace = replay.Pace(math.inf)
    assert all(pace.wait(t) <= 0 for t in (0.0, 1e12, None))


@pytest.mark.parametrize(("text", "speed"), [("max", math.inf), ("1", 1.0), ("0.5", 0.5), ("600", 600.0)])
def test_speed_is_a_number_or_max(text, speed):
    assert replay.parse_speed(text) == speed


@pytest.mark.parametrize("text", ["0", "-1", "nan", "fast"])
def test_another_speed_is_refused(text):
    with pytest.raises(ValueError, match=re.escape(text)):
        replay.parse_speed(text)


@pytest.mark.real_data
def test_a_real_day_arrives_row_by_row(sender, real_data, tmp_path):
    path = real_data / "fukui-river-level/data/2023-07-13.csv"
    found = read_rows(RECORDINGS["fukui-river"], [path], run="1")
    result = replay.play(found, sender, Stop(), total=1823, speed=math.inf)
    assert (result.sent, result.acknowledged) == (1823, 1823)
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    sent = [",".join(json.loads(payload).values()) for _, _, payload, _ in ledger_rows(tmp_path)]
    assert sorted(sent) == sorted(lines)
