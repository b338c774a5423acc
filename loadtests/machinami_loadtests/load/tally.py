"""What happened in each moment of a run: messages counted, latencies kept as histograms.

A histogram is a few hundred numbers whatever the rate, and the moments grow longer with the run, so that days
fit in memory. Its steps are 2 % wide, the error of every percentile read from it; the highest value is exact.
"""

import math
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator

import msgspec

from machinami_loadtests.swarm import Journal

_FINEST = 1e-5  # seconds; faster is not told apart
_STEP = math.log(1.02)
_MOST_SLOTS = 1_024


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Percentiles in milliseconds of so many measurements."""

    count: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float


class Histogram:
    """How often each latency was measured."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        self.highest = 0.0

    def add(self, seconds: float, times: int = 1) -> None:
        """Count a latency, of several messages at once if they went together."""
        self.counts[max(0, math.ceil(math.log(max(seconds, _FINEST) / _FINEST) / _STEP))] += times
        self.highest = max(self.highest, seconds)

    def merge(self, other: "Histogram") -> None:
        """Count what another one has counted."""
        self.counts.update(other.counts)
        self.highest = max(self.highest, other.highest)

    def percentile(self, share: float) -> float:
        """Seconds that this share (0 to 1) of the measurements did not exceed; at least one is needed."""
        wanted, seen = share * self.counts.total(), 0
        for step in sorted(self.counts):
            seen += self.counts[step]
            if seen >= wanted:
                return min(_FINEST * math.exp(step * _STEP), self.highest)
        raise ValueError("a percentile of nothing")

    def latency(self) -> Latency | None:
        """The percentiles; None when nothing was measured."""
        if not self.counts:
            return None
        p50, p90, p99 = (round(self.percentile(share) * 1e3, 3) for share in (0.5, 0.9, 0.99))
        return Latency(
            count=self.counts.total(),
            p50_ms=p50,
            p90_ms=p90,
            p99_ms=p99,
            max_ms=round(self.highest * 1e3, 3),
        )


class Slot:
    """A second of a run, or several; by when messages were sent, acknowledgements by their own time."""

    def __init__(self) -> None:
        self.sent = 0
        self.acknowledged = 0
        self.puback = Histogram()
        self.stored = Histogram()

    def merge(self, other: "Slot") -> None:
        """Take in what happened in another one."""
        self.sent += other.sent
        self.acknowledged += other.acknowledged
        self.puback.merge(other.puback)
        self.stored.merge(other.stored)


class Tally:
    """Counts what connections write into their journals, and takes it away from there."""

    def __init__(self, journals: Iterable[Journal]) -> None:
        self._lines = [_Line(journal) for journal in journals]
        self.slots: defaultdict[int, Slot] = defaultdict(Slot)
        self.width = 1
        """Seconds of a slot: 1, then 2, 4 … as the run grows."""
        self.started_at: float | None = None
        self.sent_until = self.acknowledged_until = 0.0
        """Epoch seconds of the last message and the last PUBACK."""

    @property
    def sent(self) -> int:
        """Messages counted so far."""
        return sum(line.sent for line in self._lines)

    @property
    def acknowledged(self) -> int:
        """PUBACKs counted so far."""
        return sum(line.acknowledged for line in self._lines)

    @property
    def sent_by_line(self) -> list[int]:
        """Messages that each connection has sent."""
        return [line.sent for line in self._lines]

    @property
    def acknowledged_by_line(self) -> list[int]:
        """Messages that the broker has acknowledged to each connection; always the first ones."""
        return [line.acknowledged for line in self._lines]

    @property
    def caught_up(self) -> bool:
        """Whether everything written into the journals has been counted."""
        return all(line.empty for line in self._lines)

    @property
    def promised_by_line(self) -> list[int]:
        """Messages of each connection that one may wait for: the acknowledged ones, at QoS 0 all."""
        return self.acknowledged_by_line if self.acknowledged else self.sent_by_line

    def count(self) -> Iterator[tuple[int, float]]:
        """Take in what the journals hold now; place and moment of each message that the first one sent."""
        for line in self._lines:
            for moment, number in line.take_sent():
                if self.started_at is None:
                    self.started_at = moment
                self.sent_until = max(self.sent_until, moment)
                self.slot(moment).sent += number
                if line is self._lines[0]:
                    yield from ((place, moment) for place in range(line.sent - number, line.sent))
            for sent_at, moment, number in line.take_acknowledged():
                self.acknowledged_until = max(self.acknowledged_until, moment)
                self.slot(moment).acknowledged += number
                self.slot(sent_at).puback.add(moment - sent_at, number)

        while len(self.slots) > _MOST_SLOTS:
            self._widen()

    def slot(self, moment: float) -> Slot:
        """Where an epoch time belongs; the first slot begins with the first message."""
        return self.slots[max(0, int((moment - (self.started_at or moment)) // self.width))]

    def _widen(self) -> None:
        slots, self.slots = self.slots, defaultdict(Slot)
        self.width *= 2
        for place, slot in slots.items():
            self.slots[place // 2].merge(slot)


class _Line:
    """One connection: what it has sent and waits for."""

    def __init__(self, journal: Journal) -> None:
        self.sent = 0
        self.acknowledged = 0
        self._journal = journal
        self._waiting: deque[tuple[float, int]] = deque()  # moment of sending, messages sent by then

    @property
    def empty(self) -> bool:
        """Whether there is nothing left to take."""
        return not (self._journal.sent or self._journal.acknowledged)

    def take_sent(self) -> Iterator[tuple[float, int]]:
        """Moment and number of messages that left together."""
        while self._journal.sent:
            moment, total = self._journal.sent.popleft()
            self._waiting.append((moment, total))
            number, self.sent = total - self.sent, total
            yield moment, number

    def take_acknowledged(self) -> Iterator[tuple[float, float, int]]:
        """Moment of sending, of the acknowledgement, and number of messages that share both."""
        while self._journal.acknowledged and self._journal.acknowledged[0][1] <= self.sent:
            moment, total = self._journal.acknowledged.popleft()
            while self.acknowledged < total:
                sent_at, last = self._waiting[0]
                upto = min(last, total)
                yield sent_at, moment, upto - self.acknowledged
                self.acknowledged = upto
                if upto == last:
                    self._waiting.popleft()
