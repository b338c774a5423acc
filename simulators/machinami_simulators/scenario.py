"""Scenarios: what happens in the city besides the ordinary."""

import msgspec

from machinami_simulators.errors import InvalidOption


class Storm(msgspec.Struct, frozen=True, kw_only=True):
    """Heavy rain on the catchment of one river.

    Attributes:
        river: id in the city file.
        after: seconds from the start of the simulation.
        lasts: seconds.
        peak: mm/h.
    """

    river: str
    after: float
    lasts: float
    peak: float


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A named course of events.

    Attributes:
        showers: chance of an ordinary shower in an hour.
        outdoors: how many people and riders are out, against an ordinary day.
    """

    name: str
    description: str
    storms: tuple[Storm, ...] = ()
    showers: float = 0.04
    outdoors: float = 1.0


_MINUTE = 60.0

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="ordinary-day", description="people, bikes, paddies and a quiet river"),
        Scenario(
            name="heavy-rain",
            description="a downpour on the Sagisawa, over its danger level within 20 minutes",
            storms=(
                Storm(river="sagisawa", after=0, lasts=60 * _MINUTE, peak=140),
                Storm(river="nami", after=5 * _MINUTE, lasts=60 * _MINUTE, peak=45),
                Storm(river="enoki", after=10 * _MINUTE, lasts=40 * _MINUTE, peak=20),
            ),
            outdoors=0.35,
        ),
    )
}


def find_scenario(name: str) -> Scenario:
    """The scenario of this name.

    Raises:
        InvalidOption: there is none; the message lists those that are.
    """
    if name not in SCENARIOS:
        raise InvalidOption(
            f"--scenario: no scenario is named {name!r}", f"Choose one of: {', '.join(SCENARIOS)}"
        )
    return SCENARIOS[name]
