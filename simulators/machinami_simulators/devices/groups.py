"""Devices of one kind on the wire, and what they measured in one tick."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from machinami_simulators.geometry import Floats
from machinami_simulators.truth import Reading, Truth
from machinami_simulators.wire import Message

Encode = Callable[..., bytes]


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Devices that speak alike.

    Attributes:
        kind: as in the ledger.
        names, topics, connections: one for each device.
        encode: (name, stamp, columns…) → payload; encode_2 as a later firmware writes it.
        values: how many columns, from the first, are measured numbers that a fault may spoil.
        quantity: what the first column is in the truth; "" for a kind that is judged by its places.
        typical: how much of the first column is a lot; faults without an amount go by it.
    """

    kind: str
    names: list[str]
    topics: list[str]
    connections: list[str]
    encode: Encode
    encode_2: Encode
    values: int
    quantity: str
    typical: float
    interval: float
    qos: int = 1


class Readings(msgspec.Struct, kw_only=True):
    """What devices of a group measured, an array element each; faults change them in place.

    Attributes:
        device: index into the group's names. at: when, truly. stamp: when, by the device's clock.
        columns: what is written, in the order of the group's `encode`.
        true: what the first column should be.
        leaves: when the message leaves the device. copies: how often.
        renewed: written by a later firmware.
    """

    device: NDArray[np.intp]
    at: Floats
    columns: list[NDArray[Any]]
    true: Floats
    stamp: Floats = msgspec.field(default_factory=lambda: np.empty(0))
    leaves: Floats = msgspec.field(default_factory=lambda: np.empty(0))
    copies: NDArray[np.intp] = msgspec.field(default_factory=lambda: np.empty(0, dtype=np.intp))
    renewed: NDArray[np.bool_] = msgspec.field(default_factory=lambda: np.empty(0, dtype=bool))

    def __post_init__(self) -> None:
        """A device that is in order: its clock is right, each message leaves at once and once."""
        self.stamp, self.leaves = self.at.copy(), self.at.copy()
        self.copies = np.ones(self.at.size, dtype=np.intp)
        self.renewed = np.zeros(self.at.size, dtype=bool)


def write_truth(group: Group, readings: Readings, truth: Truth) -> None:
    """What was put on the wire beside what it should have been; what never leaves is not there."""
    if not group.quantity or not readings.at.size:
        return
    sent = readings.copies > 0
    reported = readings.columns[0][sent]
    truth.add(
        Reading,
        device=[group.names[device] for device in readings.device[sent].tolist()],
        time=readings.at[sent],
        quantity=group.quantity,
        observed_at=np.floor(readings.stamp[sent]),
        leaves=readings.leaves[sent],
        true=readings.true[sent],
        reported=[len(seen) for seen in reported] if reported.dtype == object else reported,
    )


def messages(group: Group, readings: Readings) -> list[Message]:
    """The readings as their maker writes them, in the order in which they were taken."""
    kind, topics, connections, names, qos = (
        group.kind,
        group.topics,
        group.connections,
        group.names,
        group.qos,
    )
    encode = group.encode
    rows = _rows(readings)
    if not readings.renewed.any() and (readings.copies == 1).all():
        return [
            Message(kind, connections[device], topics[device], encode(names[device], *row), leaves, qos)
            for device, leaves, *row in rows
        ]
    written: list[Message] = []
    extra = zip(readings.renewed.tolist(), readings.copies.tolist(), strict=True)
    for (device, leaves, *row), (renewed, copies) in zip(rows, extra, strict=True):
        payload = (group.encode_2 if renewed else encode)(names[device], *row)
        written += [Message(kind, connections[device], topics[device], payload, leaves, qos)] * copies
    return written


def _rows(readings: Readings) -> Iterator[tuple[int, float, *tuple[Any, ...]]]:
    """Device, when it leaves, its stamp in whole seconds, and what each column says."""
    columns = (readings.device, readings.leaves, np.floor(readings.stamp), *readings.columns)
    return zip(*(column.tolist() for column in columns), strict=True)
