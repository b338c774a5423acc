"""Running the city: the simulated clock drives the world, the world's messages go to the sender."""

import math
import time
from collections import deque

import msgspec

from machinami_simulators.sender import Sender
from machinami_simulators.stopping import Stop
from machinami_simulators.wire import Message
from machinami_simulators.world import World

_STEPS_A_TURN = 100
_WAIT = 0.2  # seconds
_STOP_WITHIN = 1.2  # seconds to wait for acknowledgements when asked to stop
_SLEPT = 600.0  # seconds that a real-time clock may lag before it is set on


class Clock:
    """Simulated time: `speed` times as fast as the wall clock until it has caught up with the present.

    Args:
        start: simulated seconds since the epoch; a start in the future is never held back.
        speed: simulated seconds in a second; infinity is as fast as the sender can.
    """

    def __init__(self, start: float, speed: float) -> None:
        self._start = start
        self._began = time.time()
        self._speed = speed
        self._ahead = start > self._began

    @property
    def real_time(self) -> bool:
        """Simulated time is meant to be the present."""
        return self._speed == 1 and abs(self._start - self._began) < _SLEPT

    def now(self) -> float:
        """Simulated seconds since the epoch."""
        wall = time.time()
        if math.isinf(self._speed):
            return math.inf if self._ahead else wall
        simulated = self._start + (wall - self._began) * self._speed
        return simulated if self._ahead else min(simulated, wall)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a simulation."""

    sent: int
    acknowledged: int


def run(world: World, clock: Clock, sender: Sender, stop: Stop, *, until: float) -> Result:
    """Run until asked to stop, or until all that leaves up to simulated time `until` is acknowledged."""
    ahead: deque[Message] = deque()
    while not stop and (world.now < until or ahead or sender.backlog or sender.unacknowledged):
        now = min(clock.now(), until)
        done = _release(world, ahead, now, until, sender)
        world.truth.at(min(world.now, now))
        if now - world.now > _SLEPT and clock.real_time:
            world.skip_to(now)
        sender.turn(_WAIT if done or sender.backlog >= sender.most_backlog else 0.0)
    sender.drain(_STOP_WITHIN)
    return Result(sent=sender.sent, acknowledged=sender.acknowledged)


def _release(world: World, ahead: deque[Message], now: float, until: float, sender: Sender) -> bool:
    """Hand over what leaves up to now, as long as the sender keeps up; whether there is nothing more."""
    for _ in range(_STEPS_A_TURN):
        while ahead and ahead[0].at <= now and sender.backlog < sender.most_backlog:
            sender.put(ahead.popleft())
        if world.now >= now or sender.backlog >= sender.most_backlog:
            return not ahead or ahead[0].at > now
        ahead.extend(message for message in world.step() if message.at <= until)
    return False
