"""What every kind of sensor is, and what it needs to know."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from machinami_simulators.city import City
from machinami_simulators.devices.groups import Group, Readings
from machinami_simulators.physics.weather import Weather
from machinami_simulators.scale import Scale
from machinami_simulators.scenario import Scenario


class Sensors(Protocol):
    """All devices of one group."""

    group: Group

    def report(self, now: float) -> Readings:
        """What is measured in the tick that ends at `now`."""
        ...


class Site:
    """What every kind of sensor needs to know: the city, its size, the scenario's settings, the start."""

    def __init__(self, city: City, scale: Scale, scenario: Scenario, weather: Weather, start: float) -> None:
        self.city, self.scale, self.weather, self.start = city, scale, weather, start
        self._settings = {device.kind: device for device in scenario.devices}

    def equip(self, names: list[str]) -> tuple[NDArray[np.intp], list[str]]:
        """Which assets carry a device, and their names."""
        chosen = self.scale.equipped(len(names))
        return np.array(chosen, dtype=np.intp), [names[index] for index in chosen]

    def interval(self, kind: str, usual: float) -> float:
        """Seconds between two reports."""
        device = self._settings.get(kind)
        return usual if device is None or device.interval is None else float(device.interval)

    def qos(self, kind: str) -> int:
        """Quality of service of its messages."""
        return self._settings[kind].qos if kind in self._settings else 1
