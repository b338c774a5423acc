"""What is written in a city file such as namiki.toml, checked: the part of a city that is drawn by hand."""

import tomllib
from datetime import timedelta, timezone
from importlib import resources

import msgspec

from machinami_simulators.geometry import Point, Projection


class Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of everything in the city file: a key that is not known is an error."""


class Name(Written, frozen=True, kw_only=True):
    """A name in Japanese and in English."""

    ja: str
    en: str


class River(Written, frozen=True, kw_only=True):
    """A river from its spring to its mouth.

    Attributes:
        bank_m: height of the bank over the bed, upstream and at the mouth.
        full_mm_h: runoff of the whole catchment that fills the bed, upstream and at the mouth. Works begin at
            the mouth; upstream stands what small rivers are made for, 50 mm/h (once in 5 to 10 years).
        narrow: gauges, from 1, at old bridges where the bed holds only `city.NARROW` mm/h.
        into: the river that it joins at its last point.
    """

    id: str
    name: Name
    line: list[Point]
    gauges: int
    length_km: float
    catchment_km2: float
    bank_m: tuple[float, float]
    full_mm_h: tuple[float, float]
    narrow: tuple[int, ...] = ()
    into: str | None = None


class District(Written, frozen=True, kw_only=True):
    """The pieces of land that hold `seeds`, when the land is cut along `borders`."""

    id: str
    name: Name
    seeds: list[Point]


class Road(Written, frozen=True, kw_only=True):
    """A main road."""

    id: str
    name: Name
    line: list[Point]
    closed: bool = False


class StreetGrid(Written, frozen=True, kw_only=True):
    """`columns` × `rows` blocks of `block` metres, turned by `angle` degrees, bent by `bend` metres."""

    id: str
    name: Name
    centre: Point
    columns: int
    rows: int
    block: Point
    angle: float
    bend: float


class StreetFan(Written, frozen=True, kw_only=True):
    """Streets along circles, joined by spokes."""

    id: str
    name: Name
    centre: Point
    radii: list[float]
    from_angle: float
    to_angle: float
    spokes: int


class Clearing(Written, frozen=True, kw_only=True):
    """A circle without streets."""

    centre: Point
    radius: float


class PaddyBlock(Written, frozen=True, kw_only=True):
    """`columns` × `rows` parcels of `parcel` metres from the south-west corner `origin`."""

    id: str
    name: Name
    origin: Point
    columns: int
    rows: int
    parcel: Point
    angle: float


class Place(Written, frozen=True, kw_only=True):
    """Where people go. `kind` names its daily shape, `crowd` is what a receiver sees at the peak."""

    id: str
    name: Name
    kind: str
    at: Point
    receivers: int
    spread: float
    crowd: float


class Port(Written, frozen=True, kw_only=True):
    """A bike port; `pull` is its share in starting and ending trips."""

    id: str
    name: Name
    at: Point
    capacity: int
    pull: float


class Underpass(Written, frozen=True, kw_only=True):
    """A road that dips below another; `pumps` is their strength against the usual."""

    id: str
    name: Name
    at: Point
    pumps: float


class Shelter(Written, frozen=True, kw_only=True):
    """Where people go when told to leave (避難所); `holds` is how many."""

    id: str
    name: Name
    at: Point
    holds: int


class Bikes(Written, frozen=True, kw_only=True):
    """The fleet."""

    count: int
    per_port: int


class Plan(Written, frozen=True, kw_only=True):
    """A whole city file."""

    name_ja: str
    name_en: str
    origin: Projection
    utc_offset_hours: float
    coast: list[Point]
    name_coast: Name
    borders: list[list[Point]]
    bikes: Bikes
    river: list[River]
    district: list[District]
    road: list[Road]
    street_grid: list[StreetGrid]
    street_fan: list[StreetFan]
    keep_clear: list[Clearing]
    paddy_block: list[PaddyBlock]
    place: list[Place]
    port: list[Port]
    underpass: list[Underpass]
    shelter: list[Shelter]


def read_plan(text: str) -> Plan:
    """Read a city file.

    Raises:
        tomllib.TOMLDecodeError, msgspec.ValidationError: the message names line or key.
    """
    return msgspec.convert(tomllib.loads(text), Plan)


def namiki() -> Plan:
    """The city that comes with Machinami."""
    return read_plan(
        resources.files("machinami_simulators").joinpath("namiki.toml").read_text(encoding="utf-8")
    )


def zone(utc_offset_hours: float) -> timezone:
    """The city's zone; it has no summer time."""
    return timezone(timedelta(hours=utc_offset_hours))
