"""Paddies: a water balance for each parcel, and the farmers who open and close its gate.

Rain and irrigation come in; evapotranspiration (`crops`), percolation and what passes the weir go out.
Together the losses are the 減水深 of 10 to 20 mm a day that 農林水産省's planning standard for paddy
irrigation counts with. A farmer walks his round every morning. With sensors he goes where the depth is
not what its stage wants, and elsewhere as often as he does not yet trust them; trust is spread evenly
over the farmers, which gives what the Niigata trial measured: 35 % fewer visits on average, 67 % at most.
"""

import numpy as np
from numpy.typing import NDArray

from machinami_simulators.city import City
from machinami_simulators.geometry import Floats
from machinami_simulators.physics.crops import STAGES, TRANSPLANTING, reference_evapotranspiration, stages_at
from machinami_simulators.physics.weather import Weather
from machinami_simulators.scale import Scale
from machinami_simulators.truth import Paddy, Truth, Visit

STEP = 600.0
_HOURS = STEP / 3600
GATE = 12.0  # mm/h through an open gate
_WEIR = 40.0  # mm/h at most over the weir
_GROWERS = 22
_LOW = np.array([stage.low for stage in STAGES])
_HIGH = np.array([stage.high for stage in STAGES])
_WEIR_AT = np.array([stage.weir for stage in STAGES])
_CROP = np.array([stage.crop for stage in STAGES])
FLUXES = ("rain", "irrigation", "evapotranspiration", "percolation", "overflow")


class Paddies:
    """All parcels of all islands, one array element each; moves on by ten minutes.

    Attributes:
        depth: mm. water: its temperature, °C.
        passed: mm that each of `FLUXES` has moved since the start, so that the balance can be checked.
    """

    def __init__(
        self,
        city: City,
        scale: Scale,
        weather: Weather,
        truth: Truth,
        start: float,
        seed: np.random.SeedSequence,
    ) -> None:
        self.names = scale.names([paddy.id for paddy in city.paddies])
        count, random = len(self.names), np.random.default_rng(seed)
        self._weather, self._truth, self._random, self._islands = weather, truth, random, scale.islands
        growers = [f"grower-{n * _GROWERS // len(city.paddies) + 1:02d}" for n in range(len(city.paddies))]
        self._growers = scale.names(growers)
        _, grower = np.unique(self._growers, return_inverse=True)
        people = int(grower.max()) + 1
        self._trust = random.uniform(0, 1, people)[grower]
        self._round = random.uniform(5.0, 7.5, people)[grower] + random.uniform(0, 1.0, count)  # o'clock
        self._transplanted = (TRANSPLANTING + random.normal(0, 5, people))[grower]
        self._transplanted = self._transplanted + random.normal(0, 1.5, count)
        self._percolates = random.uniform(7, 14, count) / 24  # mm/h
        self._stage = self._stages(start)
        self.depth = np.maximum(_LOW + 0.6 * (_HIGH - _LOW), 0)[self._stage] + random.uniform(-12, 8, count)
        self.depth = np.clip(self.depth, 0.0, _WEIR_AT[self._stage])
        self.water = np.full(count, weather.air(start))
        self._open = np.zeros(count, dtype=bool)
        self._weir = _WEIR_AT[self._stage]
        self.passed = {flux: np.zeros(count) for flux in FLUXES}
        self.time = start
        self._before, self._warm_before = self.depth.copy(), self.water.copy()

    def advance(self, now: float) -> None:
        """Let time pass until it is at least `now`, and write the truth of every ten minutes."""
        while self.time < now:
            self.time += STEP
            self._stage = self._stages(self.time)
            self._before, self._warm_before = self.depth.copy(), self.water.copy()
            self._visits()
            self._balance()
            self._warm()
            stages: list[int] = self._stage.tolist()
            self._truth.add(
                Paddy,
                paddy=self.names,
                time=self.time,
                depth=self.depth,
                temperature=self.water,
                stage=[STAGES[stage].name for stage in stages],
            )

    def at(self, now: Floats, paddies: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """True depth in mm and temperature in °C, within the step up to which `advance` went."""
        part = 1 - (self.time - now) / STEP
        return (
            self._before[paddies] + part * (self.depth - self._before)[paddies],
            self._warm_before[paddies] + part * (self.water - self._warm_before)[paddies],
        )

    def _stages(self, now: float) -> NDArray[np.intp]:
        return stages_at(self._weather.season(now), self._transplanted)

    def _visits(self) -> None:
        """Farmers whose hour it is look after their paddies; who has no sensors walks the whole round."""
        hour = self._weather.local(self.time)
        round_now = np.flatnonzero((self._round > hour - _HOURS) & (self._round <= hour))
        if not round_now.size:
            return
        self._write_visits(round_now, sensor=False)
        stage, depth = self._stage[round_now], self.depth[round_now]
        amiss = (depth < _LOW[stage]) | (self._weir[round_now] != _WEIR_AT[stage])
        goes = amiss | (self._random.random(round_now.size) >= self._trust[round_now])
        there = round_now[goes]
        self._write_visits(there, sensor=True)
        self._open[there] = self.depth[there] < _LOW[self._stage[there]]
        self._weir[there] = _WEIR_AT[self._stage[there]]

    def _write_visits(self, paddies: NDArray[np.intp], *, sensor: bool) -> None:
        where = paddies.tolist()
        self._truth.add(
            Visit,
            farmer=[self._growers[index] for index in where],
            time=self.time,
            paddy=[self.names[index] for index in where],
            sensor=sensor,
        )

    def _balance(self) -> None:
        """One step of the water balance; a gate closes by its float when the depth is reached."""
        self._open &= self.depth < _HIGH[self._stage]
        rain = self._weather.rain(self.time).reshape(self._islands, -1).mean(axis=1)
        self._move("rain", _HOURS * np.repeat(rain, self.depth.size // self._islands))
        self._move("irrigation", _HOURS * GATE * self._open)
        wanted = reference_evapotranspiration(self._weather.sky(self.time)) * _CROP[self._stage]
        self._move("evapotranspiration", -np.minimum(_HOURS * wanted, self.depth))
        self._move("percolation", -np.minimum(_HOURS * self._percolates, self.depth))
        self._move("overflow", -np.clip(self.depth - self._weir, 0.0, _HOURS * _WEIR))

    def _move(self, flux: str, amount: Floats) -> None:
        self.depth = self.depth + amount
        self.passed[flux] += amount

    def _warm(self) -> None:
        """Water follows air and sun, the more slowly the deeper it is."""
        sky = self._weather.sky(self.time)
        goal = sky.temperature + 6.0 * sky.solar / 900 - 1.2 * (1 - sky.humidity / 100)
        lag = 3600.0 + 90.0 * self.depth
        self.water = self.water + (goal - self.water) * -np.expm1(-STEP / lag)
