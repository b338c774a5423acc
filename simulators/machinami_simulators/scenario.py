"""Scenarios: readable files that say what happens in the city besides the ordinary, and when.

Those that come with Machinami lie in `scenarios/`; a path to a file of one's own does as well. Times are
written with their unit: `"90 s"`, `"20 min"`, `"6 h"`, `"3 d"`; `after` counts from the start of the
simulation.
"""

import math
import re
import tomllib
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import msgspec

from machinami_simulators.errors import InvalidOption

_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?(s|min|h|d)")
_DAY = 86_400.0
ORDINARY = "ordinary-day"

FaultKind = Literal[
    "stuck", "spike", "noise", "drift", "unit", "clock-skew", "clock-drift", "battery", "duty-cycle",
    "dropout", "outage", "duplicate", "late", "firmware",
]  # fmt: skip


class Seconds(float):
    """A time span; in a file it is text with a unit."""


class _Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of everything in a scenario file: a key that is not known is an error."""


class Title(_Line, frozen=True, kw_only=True):
    """What people read."""

    ja: str
    en: str


class Storm(_Line, frozen=True, kw_only=True):
    """Heavy rain that stays on the catchment of one river (id in the city file); `peak` in mm/h."""

    river: str
    peak: float
    after: Seconds = Seconds(0)
    lasts: Seconds = Seconds(3600)


class Typhoon(_Line, frozen=True, kw_only=True):
    """A typhoon that passes.

    Attributes:
        nearest_after: when its eye is nearest to the city.
        passes: metres by which the eye leaves the city on its right hand; may be negative.
        heading: degrees from north, clockwise, that it moves to.
        speed: m/s. radius: metres of greatest wind. deficit: hPa below the air around it.
        rain: mm/h in the wall around the eye.
    """

    nearest_after: Seconds
    passes: float
    heading: float
    speed: float
    radius: float
    deficit: float
    rain: float


class Outing(_Line, frozen=True, kw_only=True):
    """How many residents, visitors and riders are out for a while, against an ordinary day."""

    after: Seconds = Seconds(0)
    lasts: Seconds = Seconds(math.inf)
    residents: float = 1.0
    visitors: float = 1.0
    riders: float = 1.0


class Festival(_Line, frozen=True, kw_only=True):
    """`crowd` times as many people at a place (an id); bikes go there `riders` times as often."""

    place: str
    crowd: float
    after: Seconds
    lasts: Seconds
    riders: float = 1.0


class Fault(_Line, frozen=True, kw_only=True):
    """Something wrong with some devices for some time; `docs/simulator.md` says what each kind does.

    Attributes:
        of: a kind of device, or a device's name, or a pattern of names such as ``gauge-nami-*``.
        share: of these devices, chosen by the seed.
        chance: of each reading, where a kind strikes single readings; None is the kind's own.
        amount: how much, in the kind's own unit; None is the kind's own.
    """

    kind: FaultKind
    of: str = "*"
    share: float = 1.0
    after: Seconds = Seconds(0)
    lasts: Seconds = Seconds(math.inf)
    chance: float | None = None
    amount: float | None = None


class Device(_Line, frozen=True, kw_only=True):
    """How a kind of device is set up: sampling interval (whole tens of seconds), quality of service."""

    kind: str
    interval: Seconds | None = None
    qos: Literal[0, 1] = 1


class Replay(_Line, frozen=True, kw_only=True):
    """Recorded devices beside the simulated ones, at their recorded time on the city's clock.

    Attributes:
        recording: a kind of recording that `machinami replay` knows.
        files: pattern of paths below the folder of `--recordings`.
    """

    recording: str
    files: str


_RENAME = {
    "storms": "storm", "typhoons": "typhoon", "outings": "outing", "festivals": "festival",
    "faults": "fault", "devices": "device", "replays": "replay",
}  # fmt: skip


class Scenario(_Line, frozen=True, kw_only=True, rename=_RENAME):
    """A named course of events.

    Attributes:
        season: month and day that weather and crops are in at the start; None: as the date is.
        showers: chance of an ordinary shower in an hour; 0.11 makes some 1,500 mm a year (Japan: 1,700).
        warmer: °C above an ordinary year.
    """

    name: str
    title: Title
    description: str
    season: str | None = None
    showers: float = 0.11
    warmer: float = 0.0
    storms: tuple[Storm, ...] = ()
    typhoons: tuple[Typhoon, ...] = ()
    outings: tuple[Outing, ...] = ()
    festivals: tuple[Festival, ...] = ()
    faults: tuple[Fault, ...] = ()
    devices: tuple[Device, ...] = ()
    replays: tuple[Replay, ...] = ()

    def season_shift(self, start: float, utc_offset: float) -> float:
        """Seconds by which the calendar of weather and crops is ahead of the date."""
        if self.season is None:
            return 0.0
        began = date.fromordinal(date(1970, 1, 1).toordinal() + int((start + utc_offset) // _DAY))
        wanted = date.fromisoformat(f"{began.year}-{self.season}")
        return (wanted - began).days * _DAY


def outing(scenario: Scenario, since: float) -> Outing:
    """Who is out, `since` seconds after the start: all outings of that moment multiplied."""
    now = [o for o in scenario.outings if o.after <= since < o.after + o.lasts]
    return Outing(
        residents=math.prod(o.residents for o in now),
        visitors=math.prod(o.visitors for o in now),
        riders=math.prod(o.riders for o in now),
    )


def read_scenario(text: str, name: str) -> Scenario:
    """Read a scenario file.

    Raises:
        InvalidOption: it is no TOML, or a key or value is not understood; the message names it.
    """
    try:
        written: dict[str, Any] = {"name": name, **tomllib.loads(text)}
        return msgspec.convert(written, Scenario, dec_hook=_decode)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InvalidOption(
            f"scenario {name}: {error}", "`machinami scenario new` writes an example with every key"
        ) from error


def _decode(kind: type, value: Any) -> Any:
    if kind is not Seconds:
        raise NotImplementedError(kind)
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f'{value!r} is no time span; write it like "90 s", "20 min", "6 h" or "3 d"')
    return Seconds(float(found[1]) * _UNITS[found[2]])


@cache
def scenarios() -> dict[str, Scenario]:
    """Those that come with Machinami, by name."""
    return {name: read_scenario(text, name) for name, text in scenario_files().items()}


@cache
def scenario_files() -> dict[str, str]:
    """The text of each, by name; the ordinary one first."""
    folder = resources.files("machinami_simulators").joinpath("scenarios")
    files = {
        item.name.removesuffix(".toml"): item.read_text(encoding="utf-8")
        for item in folder.iterdir()
        if item.name.endswith(".toml")
    }
    return dict(sorted(files.items(), key=lambda item: (item[0] != ORDINARY, item[0])))


def find_scenario(name: str) -> Scenario:
    """The scenario of this name, or in the file of this path.

    Raises:
        InvalidOption: there is none; the message lists those that are.
    """
    if name.endswith(".toml"):
        return read_scenario(_read(Path(name)), Path(name).stem)
    if name not in scenarios():
        raise InvalidOption(
            f"--scenario: no scenario is named {name!r}",
            f"Choose one of: {', '.join(scenarios())}; or name a file that ends with .toml",
        )
    return scenarios()[name]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidOption(
            f"--scenario: {path} cannot be read ({error.strerror})", "`machinami scenario new` writes a file"
        ) from error
