import math
import time

import pytest
from machinami_simulators import simulation
from machinami_simulators.stopping import Stop
from machinami_simulators.truth import Truth
from machinami_simulators.wire import Message


@pytest.fixture
def wall(monkeypatch):
    """The wall clock, set by hand."""

    class Wall:
        now = 1_000_000.0

    monkeypatch.setattr(time, "time", lambda: Wall.now)
    return Wall


def test_real_time_is_the_wall_clock(wall):
    clock = simulation.Clock(wall.now, 1.0)
    wall.now += 5
    assert clock.now() == wall.now
    assert clock.real_time


def test_compressed_time_stops_at_the_present(wall):
    clock = simulation.Clock(wall.now - 86_400, 600.0)
    assert not clock.real_time
    wall.now += 10
    assert clock.now() == wall.now - 86_410 + 6000
    wall.now += 3600
    assert clock.now() == wall.now


def test_a_start_in_the_future_runs_on(wall):
    clock = simulation.Clock(wall.now + 1000, 60.0)
    wall.now += 10
    assert clock.now() == wall.now - 10 + 1000 + 600


class World:
    """Ten messages a second, in ticks of ten seconds."""

    def __init__(self, now):
        self.now = now
        self.skipped = False
        self.truth = Truth()

    def step(self):
        self.now += 10
        return [Message("paddy", "c", "t", b"", self.now - 9 + n // 10) for n in range(100)]

    def skip_to(self, now):
        self.now, self.skipped = float(int(now)), True


class StuckSender:
    """A broker that is away for `turns` turns, then takes everything."""

    def __init__(self, wall, turns):
        self.wall, self.turns = wall, turns
        self.backlog = self.sent = self.acknowledged = self.unacknowledged = 0
        self.most, self.most_backlog = 0, 5_000

    def put(self, _message):
        self.backlog += 1
        self.most = max(self.most, self.backlog)

    def turn(self, timeout):
        self.wall.now += timeout
        self.turns -= 1
        if self.turns < 0:
            self.sent = self.acknowledged = self.sent + self.backlog
            self.backlog = 0

    def drain(self, _seconds):
        return True


def test_a_broker_that_is_away_stops_the_clock_not_the_memory(wall):
    world, sender = World(wall.now - 86_400), StuckSender(wall, turns=500)
    clock = simulation.Clock(world.now, 600.0)
    until = world.now + 7200
    result = simulation.run(world, clock, sender, Stop(), until=until)
    assert result.sent == 72_000
    assert sender.most <= 5_000
    assert not world.skipped


def test_in_real_time_a_long_gap_is_skipped(wall):
    world, sender = World(wall.now), StuckSender(wall, turns=7_000)
    clock = simulation.Clock(world.now, 1.0)
    simulation.run(world, clock, sender, Stop(), until=wall.now + 3000)
    assert world.skipped
    assert sender.sent < 30_000


def test_an_end_between_two_steps_is_an_end(wall):
    world, sender = World(wall.now), StuckSender(wall, turns=0)
    result = simulation.run(world, simulation.Clock(world.now, 1.0), sender, Stop(), until=wall.now + 2.5)
    assert result.sent == 20


def test_in_real_time_nothing_leaves_before_its_second(wall):
    world, sender = World(wall.now), StuckSender(wall, turns=10_000)
    sent = []
    sender.put = lambda message: sent.append(message.at)
    stop = Stop()

    def turn(timeout):
        assert all(at <= wall.now for at in sent)
        wall.now += timeout or 0.1
        stop.asked = wall.now > 1_000_025

    sender.turn = turn
    simulation.run(world, simulation.Clock(world.now, 1.0), sender, stop, until=math.inf)
    assert len(sent) >= 240


def test_as_fast_as_possible_is_up_to_the_present(wall):
    clock = simulation.Clock(wall.now - 86_400, math.inf)
    assert clock.now() == wall.now
    assert simulation.Clock(wall.now + 5, math.inf).now() == math.inf
