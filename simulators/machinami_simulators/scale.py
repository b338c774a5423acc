"""How much of a city there is: part of its devices, the city itself, or an archipelago of islands like it.

Every further island is Namiki again, twelve kilometres on, with its own weather, people and farmers; the
names of its devices begin with its number: ``i0007-gauge-nami-01``.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from machinami_simulators.errors import InvalidOption
from machinami_simulators.geometry import Floats

_SPACING = 12_000.0  # metres from island to island


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """A size.

    Attributes:
        islands: how often the city is there.
        every: one asset in so many carries a device; the physics is that of all of them.
    """

    name: str
    islands: int = 1
    every: int = 1

    def offsets(self) -> Floats:
        """Metres from the first island to each, in a square."""
        side = math.ceil(math.sqrt(self.islands))
        number = np.arange(self.islands, dtype=float)
        return np.column_stack([number % side, number // side]) * _SPACING

    def names(self, ids: Sequence[str]) -> list[str]:
        """The ids of all islands, island by island."""
        return [f"i{n:04d}-{i}" if n else i for n in range(self.islands) for i in ids]

    def tile(self, points: Sequence[tuple[float, float]] | Floats) -> Floats:
        """Points of the first island on all of them (n × 2)."""
        return (self.offsets()[:, None, :] + np.asarray(points)).reshape(-1, 2)

    def equipped(self, count: int) -> list[int]:
        """Which of so many assets carry a device."""
        return list(range(self.every // 2, count, self.every))


SCALES = {
    scale.name: scale
    for scale in (
        Scale(name="hamlet", every=7),  # 103 devices
        Scale(name="town"),  # 713
        Scale(name="city", islands=14),  # 9,982
        Scale(name="prefecture", islands=140),  # 99,820
        Scale(name="metropolis", islands=1403),  # 1,000,339
    )
}
TOWN = SCALES["town"]


def find_scale(name: str) -> Scale:
    """The scale of this name.

    Raises:
        InvalidOption: there is none; the message lists those that are.
    """
    if name not in SCALES:
        raise InvalidOption(f"--scale: no scale is named {name!r}", f"Choose one of: {', '.join(SCALES)}")
    return SCALES[name]
