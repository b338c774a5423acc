"""What devices measure: each number as it was, as sent and as answered; and by what was wrong meanwhile."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from machinami_simulators.devices.faults import KINDS as FAULTS
from machinami_simulators.judge.derive import Series
from machinami_simulators.judge.equipment import Equipment
from machinami_simulators.judge.figures import Figure, Key, figure
from machinami_simulators.judge.platform import Observation
from machinami_simulators.truth import Fault, Reading
from machinami_simulators.truth_record import Span, TruthRecord

HEALTHY = "as made"
_CHANGING = frozenset(name for name, kind in FAULTS.items() if kind.numbers or kind.payload)


class Kind(msgspec.Struct, frozen=True):
    """A number that devices send: what the record calls it, and where the platform has it.

    Attributes:
        of: the devices meant, where several kinds send the same quantity; None: all that send it.
    """

    name: str
    unit: str
    quantity: str
    entity: str
    attribute: str
    of: Callable[[Equipment], Collection[str]] | None = None


KINDS = (
    Kind("gauge level", "m", "level", "FloodMonitoring", "currentLevel", lambda has: has.gauges),
    Kind("underpass depth", "m", "level", "FloodMonitoring", "currentLevel", lambda has: has.underpasses),
    Kind("paddy depth", "mm", "depth", "AgriParcelRecord", "waterDepth"),
    Kind("bikes at a port", "bikes", "bikes", "BikeHireDockingStation", "availableBikeNumber"),
    Kind("addresses in a report", "people", "people", "CrowdFlowObserved", "peopleCount"),
    Kind("who came past a camera", "people", "entered", "ItemFlowObserved", "peopleCountTowards"),
)  # fmt: skip


class Readings(msgspec.Struct, frozen=True):
    """All numbers of one kind: as the devices sent them, and as the platform answers them."""

    kind: Kind
    sent: Sequence[Reading]
    answered: Mapping[str, Sequence[Observation]]  # device → history

    def figure(self) -> Figure:
        """All of them as one row."""
        return self._figure(self.kind.name, self.sent, _values(self.answered))

    def series_sent(self) -> dict[str, Series]:
        """Device → what it sent, by time."""
        return _series((row.device, row.observed_at, row.reported) for row in self.sent)

    def series_answered(self) -> dict[str, Series]:
        """Device → what is answered of it, by time."""
        return _series((device, at, value) for (device, at), value in _values(self.answered).items())

    def by_fault(self, record: TruthRecord, span: Span) -> Iterator[Figure]:
        """A row for each set of faults that its devices had, of the readings made meanwhile.

        Only faults that change what is sent are asked for, and each reading is in one row; so what the
        rows are wrong by is what the whole figure is. Nothing where no device had such a fault.
        """
        rows: dict[str, list[Reading]] = defaultdict(list)
        wrong = _faults(record, span)
        for reading in self.sent:
            lasting = wrong.get(reading.device, ())
            kinds = {kind for start, end, kind in lasting if start <= reading.time < end}
            rows[", ".join(sorted(kinds)) or HEALTHY].append(reading)
        answered = _values(self.answered)
        if set(rows) - {HEALTHY}:
            for kind, readings in sorted(rows.items()):
                keys = {(reading.device, reading.observed_at) for reading in readings}
                meant: dict[Key, float] = {key: value for key, value in answered.items() if key in keys}
                yield self._figure(f"{self.kind.name}: {kind}", readings, meant)

    def _figure(self, name: str, sent: Sequence[Reading], answered: Mapping[Key, float]) -> Figure:
        return figure(
            name,
            self.kind.unit,
            true={(row.device, row.observed_at): row.true for row in sent},
            sent={(row.device, row.observed_at): row.reported for row in sent},
            answered=answered,
        )


def _values(answered: Mapping[str, Sequence[Observation]]) -> dict[tuple[str, float], float]:
    return {(device, one.at): float(one.value) for device, all_of in answered.items() for one in all_of}


def _series(rows: Iterable[tuple[str, float, float]]) -> dict[str, Series]:
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for device, at, value in rows:
        found[device].append((at, value))
    return {device: sorted(series) for device, series in found.items()}


def _faults(record: TruthRecord, span: Span) -> dict[str, list[tuple[float, float, str]]]:
    found: dict[str, list[tuple[float, float, str]]] = {}
    where = 'start < :end AND "end" > :start'
    for row in record.rows(Fault, where, start=span.start, end=span.end):
        if row.kind in _CHANGING:
            found.setdefault(row.device, []).append((row.start, row.end, row.kind))
    return found
