"""Shelters: people leave their homes as the city tells them to, and go back when the water has fallen.

When a gauge is over level 3 (避難判断水位: 高齢者等避難) the old go, over level 4 (氾濫危険水位:
避難指示) more do; most stay at home, so a share of what shelters hold is all that comes.
"""

import numpy as np

from machinami_simulators.city import City
from machinami_simulators.geometry import Floats
from machinami_simulators.scale import Scale
from machinami_simulators.truth import Shelter, Truth

STEP = 600.0
_COME, _GO = 1.2 * 3600.0, 5 * 3600.0  # seconds in which most have come, or gone home
_FILL = (0.0, 0.0, 0.0, 0.12, 0.8, 0.95)  # by level


class Shelters:
    """All shelters of all islands; `people` in each."""

    def __init__(
        self, city: City, scale: Scale, truth: Truth, start: float, seed: np.random.SeedSequence
    ) -> None:
        self.names = scale.names([shelter.id for shelter in city.plan.shelter])
        self._holds = np.tile([shelter.holds for shelter in city.plan.shelter], scale.islands)
        self._each = len(city.plan.shelter)
        self._truth = truth
        self._random = np.random.default_rng(seed)
        self.people = np.zeros(len(self.names), dtype=int)
        self.time = start

    def advance(self, now: float, level: Floats) -> None:
        """Let time pass until it is at least `now`; `level`, 0 to 5, is the highest on each island."""
        while self.time < now:
            self.time += STEP
            wanted = np.repeat(np.take(_FILL, level.astype(int)), self._each) * self._holds
            missing = wanted - self.people
            come = self._random.poisson(np.maximum(missing, 0) * STEP / _COME)
            go = self._random.binomial(self.people, -np.expm1(-STEP / _GO)) * (missing < 0)
            self.people = np.minimum(self.people + come - go, self._holds)
            used = np.flatnonzero(self.people)
            if used.size:
                names = [self.names[index] for index in used.tolist()]
                self._truth.add(Shelter, shelter=names, time=self.time, people=self.people[used])
