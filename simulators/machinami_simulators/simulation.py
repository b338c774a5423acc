"""Running the city: the simulated clock drives the world, the world's messages go to the sender."""

import time

import msgspec

from machinami_simulators.sender import Sender
from machinami_simulators.stopping import Stop
from machinami_simulators.world import World

_MAX_BACKLOG = 5_000  # messages; above it the simulated clock waits
_STEPS_A_TURN = 100
_WAIT = 0.2  # seconds
_STOP_WITHIN = 1.2  # seconds to wait for acknowledgements when asked to stop
_SLEPT = 600.0  # seconds that a real-time clock may lag before it is set on


class Clock:
    """Simulated time: `speed` times as fast as the wall clock until it has caught up with the present.

    Args:
        start: simulated seconds since the epoch; a start in the future is never held back.
        speed: simulated seconds in a second.
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
        simulated = self._start + (wall - self._began) * self._speed
        return simulated if self._ahead else min(simulated, wall)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a simulation."""

    sent: int
    acknowledged: int


def run(world: World, clock: Clock, sender: Sender, stop: Stop, *, until: float) -> Result:
    """Run until asked to stop, or while steps end by simulated time `until` and until all is acknowledged."""
    while not stop and (world.now + world.dt <= until or sender.backlog or sender.unacknowledged):
        behind = _advance(world, min(clock.now(), until), sender)
        if behind > _SLEPT and clock.real_time:
            world.skip_to(clock.now())
        sender.turn(0.0 if behind >= world.dt and sender.backlog < _MAX_BACKLOG else _WAIT)
    sender.drain(_STOP_WITHIN)
    return Result(sent=sender.sent, acknowledged=sender.acknowledged)


def _advance(world: World, now: float, sender: Sender) -> float:
    """Step up to the present as long as the sender keeps up; gives the seconds still to go."""
    for _ in range(_STEPS_A_TURN):
        if world.now + world.dt > now or sender.backlog >= _MAX_BACKLOG:
            break
        for message in world.step():
            sender.put(message)
    return now - world.now
