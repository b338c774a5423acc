"""What goes wrong with devices: each kind is a row of `KINDS`, a line in a scenario, a dial, and truth."""

import math
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

import msgspec
import numpy as np
from numpy.typing import NDArray

from machinami_simulators.devices.groups import Group, Readings
from machinami_simulators.errors import InvalidOption
from machinami_simulators.geometry import Floats
from machinami_simulators.scenario import Fault
from machinami_simulators.truth import Fault as TruthOfFault
from machinami_simulators.truth import Truth

_DAY = 86_400.0
_Ints = NDArray[np.intp]


class _Active:
    """A fault line at work in one group: who has it, from when to when, and what it remembers."""

    def __init__(self, fault: Fault, group: Group, start: float, seed: np.random.SeedSequence) -> None:
        kind = KINDS[fault.kind]
        self.random = np.random.default_rng(seed)
        self.chance = kind.chance if fault.chance is None else fault.chance
        typical = group.typical if kind.of_typical else 1.0
        self.amount = kind.amount * typical if fault.amount is None else fault.amount
        self.has = _choose(fault, group, self.random)
        self.start = np.full(len(group.names), start + fault.after)
        self.end = self.start + fault.lasts
        if fault.kind == "battery":  # they do not all run flat in the same moment
            self.start += self.random.exponential(self.amount, len(group.names))
            self.end[:] = math.inf
        self.held: list[Floats] = [np.full(len(group.names), math.nan) for _ in range(group.values)]
        self.seen: _Ints = np.zeros(len(group.names), dtype=np.intp)

    def struck(self, readings: Readings) -> _Ints:
        """Indices of the readings that it strikes."""
        device = readings.device
        within = (readings.at >= self.start[device]) & (readings.at < self.end[device])
        struck = np.flatnonzero(self.has[device] & within)
        return struck[self.random.random(struck.size) < self.chance] if self.chance < 1 else struck


def _choose(fault: Fault, group: Group, random: np.random.Generator) -> NDArray[np.bool_]:
    meant = np.array(
        [group.kind == fault.of or fnmatchcase(name, fault.of) for name in group.names], dtype=bool
    )
    return meant & (random.random(meant.size) < fault.share)


def _stuck(readings: Readings, who: _Ints, fault: _Active) -> None:
    device = readings.device[who]
    for held, column in zip(fault.held, readings.columns, strict=False):
        held[device] = np.where(np.isnan(held[device]), column[who], held[device])
        column[who] = held[device]


def _spike(readings: Readings, who: _Ints, fault: _Active) -> None:
    for column in readings.columns[: len(fault.held)]:
        column[who] += fault.amount * fault.random.choice([-1.0, 1.0], who.size)


def _noise(readings: Readings, who: _Ints, fault: _Active) -> None:
    for column in readings.columns[: len(fault.held)]:
        column[who] += fault.random.normal(0, fault.amount, who.size)


def _drift(readings: Readings, who: _Ints, fault: _Active) -> None:
    days = (readings.at[who] - fault.start[readings.device[who]]) / _DAY
    for column in readings.columns[: len(fault.held)]:
        column[who] += fault.amount * days


def _unit(readings: Readings, who: _Ints, fault: _Active) -> None:
    for column in readings.columns[: len(fault.held)]:
        column[who] *= fault.amount


def _clock_skew(readings: Readings, who: _Ints, fault: _Active) -> None:
    readings.stamp[who] += fault.amount


def _clock_drift(readings: Readings, who: _Ints, fault: _Active) -> None:
    readings.stamp[who] += fault.amount * (readings.at[who] - fault.start[readings.device[who]]) / _DAY


def _silence(readings: Readings, who: _Ints, _fault: _Active) -> None:
    readings.copies[who] = 0


def _duty_cycle(readings: Readings, who: _Ints, fault: _Active) -> None:
    device = readings.device[who]
    fault.seen[device] += 1
    readings.copies[who[fault.seen[device] % max(int(fault.amount), 1) != 0]] = 0


def _outage(readings: Readings, who: _Ints, fault: _Active) -> None:
    """Stored, and sent when it is over: the oldest first, within seconds."""
    device = readings.device[who]
    readings.leaves[who] = fault.end[device] + (readings.at[who] - fault.start[device]) / 1000
    readings.copies[who[np.isinf(fault.end[device])]] = 0


def _duplicate(readings: Readings, who: _Ints, _fault: _Active) -> None:
    readings.copies[who] *= 2


def _late(readings: Readings, who: _Ints, fault: _Active) -> None:
    readings.leaves[who] += fault.amount * fault.random.uniform(0.3, 1.0, who.size)


def _firmware(readings: Readings, who: _Ints, _fault: _Active) -> None:
    readings.renewed[who] = True


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """What a fault does.

    Attributes:
        amount: if the line names none; `of_typical`: in what is a lot for the kind of device.
        numbers: spoils measured numbers, so it is nothing for devices that send lists or counts.
        payload: writes them in another way.
    """

    strike: Callable[[Readings, _Ints, _Active], None]
    chance: float = 1.0
    amount: float = 0.0
    of_typical: bool = False
    numbers: bool = False
    payload: bool = False


KINDS: dict[str, Kind] = {
    "stuck": Kind(strike=_stuck, numbers=True),
    "spike": Kind(strike=_spike, chance=0.01, amount=3.0, of_typical=True, numbers=True),
    "noise": Kind(strike=_noise, amount=0.2, of_typical=True, numbers=True),
    "drift": Kind(strike=_drift, amount=0.5, of_typical=True, numbers=True),
    "unit": Kind(strike=_unit, amount=100.0, numbers=True),
    "clock-skew": Kind(strike=_clock_skew, amount=60.0),
    "clock-drift": Kind(strike=_clock_drift, amount=20.0),
    "battery": Kind(strike=_silence, amount=6 * 3600.0),
    "duty-cycle": Kind(strike=_duty_cycle, amount=3.0),
    "dropout": Kind(strike=_silence, chance=0.05),
    "outage": Kind(strike=_outage),
    "duplicate": Kind(strike=_duplicate, chance=0.05),
    "late": Kind(strike=_late, chance=0.05, amount=120.0),
    "firmware": Kind(strike=_firmware, payload=True),
}


class Faults:
    """All faults of a run, at work.

    Raises:
        InvalidOption: a line means no device of this city.
    """

    def __init__(
        self,
        faults: Sequence[Fault],
        groups: Sequence[Group],
        truth: Truth,
        start: float,
        seed: np.random.SeedSequence,
    ) -> None:
        self._of: dict[int, list[tuple[Kind, _Active]]] = {id(group): [] for group in groups}
        for fault, own_seed in zip(faults, seed.spawn(len(faults)), strict=True):
            able = [group for group in groups if group.values or not KINDS[fault.kind].numbers]
            meant = [g for g in able if fault.of == g.kind or any(fnmatchcase(n, fault.of) for n in g.names)]
            if not meant:
                raise InvalidOption(
                    f"fault {fault.kind}: no device that can have it is meant by of = {fault.of!r}",
                    f"Name a kind ({', '.join(sorted({g.kind for g in able}))}) or a device",
                )
            for group, group_seed in zip(meant, own_seed.spawn(len(meant)), strict=True):
                active = _Active(fault, group, start, group_seed)
                self._of[id(group)].append((KINDS[fault.kind], active))
                _tell(fault, group, active, truth)

    def spoil(self, group: Group, readings: Readings) -> None:
        """Do to these readings what goes wrong with their devices."""
        for kind, active in self._of[id(group)]:
            who = active.struck(readings)
            if who.size:
                kind.strike(readings, who, active)


def _tell(fault: Fault, group: Group, active: _Active, truth: Truth) -> None:
    has = np.flatnonzero(active.has)
    truth.add(
        TruthOfFault,
        device=[group.names[device] for device in has.tolist()],
        start=active.start[has],
        kind=fault.kind,
        end=active.end[has],
        parameters=msgspec.json.encode({"chance": active.chance, "amount": active.amount}).decode(),
    )
