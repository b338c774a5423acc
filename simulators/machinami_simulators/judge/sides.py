"""What each side knows, the devices and the platform, in one shape, so that both are treated alike."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
from shapely.geometry import shape

from machinami_simulators.judge.derive import Fix, Place, Series
from machinami_simulators.judge.equipment import Equipment
from machinami_simulators.judge.platform import Platform, urn
from machinami_simulators.judge.readings import Readings
from machinami_simulators.judge.sent import Sent
from machinami_simulators.truth_record import Span

Progress: TypeAlias = Callable[[Sequence[str], str], Iterable[str]]
Numbers: TypeAlias = Mapping[str, Mapping[str, Series]]  # quantity → device → series
_LEVELS = ("standbyLevel", "cautionLevel", "evacuationJudgementLevel", "dangerLevel")
_Seen = tuple[float, str, list[str]]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """What one side, the devices or the platform, knows; figures are derived from both alike.

    Attributes:
        levels: gauge → series. thresholds: gauge → its four, None where not set.
        reports: receiver → series of addresses heard. counts: camera → series of people who came.
        place: receiver or camera → place.
        seen: reports with their addresses, to be read once. fixes: bike → fixes. ports: port → where it is.
    """

    levels: Mapping[str, Series]
    thresholds: Mapping[str, Sequence[float | None]]
    reports: Mapping[str, Series]
    counts: Mapping[str, Series]
    place: Mapping[str, str]
    seen: Iterable[_Seen]
    fixes: Mapping[str, Sequence[Fix]]
    ports: Mapping[str, Place]


def devices_side(
    messages: Sent, measured: Sequence[Readings], has: Equipment, span: Span, hours: Span
) -> Side:
    """What the devices sent; thresholds and places are those of the city's plan."""
    numbers = _numbers((each.kind.quantity, each.series_sent()) for each in measured)
    return Side(
        levels=numbers["level"],
        thresholds={**has.gauges, **has.underpasses},
        reports=numbers["people"],
        counts=numbers["entered"],
        place={**has.receivers, **has.cameras},
        seen=messages.sightings(hours),
        fixes=messages.fixes(span),
        ports=has.ports,
    )


def platform_side(
    platform: Platform, measured: Sequence[Readings], span: Span, hours: Span, progress: Progress
) -> Side:
    """What the platform answers; thresholds and places are those of its own entities."""
    numbers = _numbers((each.kind.quantity, each.series_answered()) for each in measured)
    gauges = {_name(entity): entity for entity in platform.entities("FloodMonitoring")}
    ports = {_name(entity): entity for entity in platform.entities("BikeHireDockingStation")}
    watching = [*platform.entities("CrowdFlowObserved"), *platform.entities("ItemFlowObserved")]
    bikes = [_name(entity) for entity in platform.entities("Vehicle") if _of_namiki(entity)]
    return Side(
        levels=numbers["level"],
        thresholds={name: [entity.get(level) for level in _LEVELS] for name, entity in gauges.items()},
        reports=numbers["people"],
        counts=numbers["entered"],
        place={_name(each): _place(each) for each in watching if "refPointOfInterest" in each},
        seen=_seen(platform, progress(sorted(numbers["people"]), "detections"), hours),
        fixes={bike: _fixes(platform, bike, span) for bike in progress(bikes, "bikes")},
        ports={name: _lies(entity) for name, entity in ports.items() if "location" in entity},
    )


def _numbers(parts: Iterable[tuple[str, Mapping[str, Series]]]) -> Numbers:
    """Quantity → series of all devices that measure it, of whichever kind they are."""
    found: dict[str, dict[str, Series]] = defaultdict(dict)
    for quantity, series in parts:
        found[quantity] |= series
    return found


def _name(entity: dict[str, Any]) -> str:
    return str(entity["id"]).rpartition(":")[2]


def _of_namiki(entity: dict[str, Any]) -> bool:
    return ":namiki:" in entity["id"]


def _place(entity: dict[str, Any]) -> str:
    return str(entity["refPointOfInterest"]).rpartition(":")[2].replace("place-", "", 1)


def _lies(entity: dict[str, Any]) -> Place:
    middle = shape(entity["location"]).centroid
    return middle.x, middle.y


def _seen(platform: Platform, receivers: Iterable[str], hours: Span) -> Iterable[_Seen]:
    for receiver in receivers:
        for one in platform.history(urn("CrowdFlowObserved", receiver), "detections", hours):
            yield one.at, receiver, [detection["device"] for detection in one.value]


def _fixes(platform: Platform, bike: str, span: Span) -> list[Fix]:
    places = {one.at: one.value for one in platform.history(urn("Vehicle", bike), "location", span)}
    speeds = {one.at: one.value for one in platform.history(urn("Vehicle", bike), "speed", span)}
    return [
        Fix(at, (place["coordinates"][0], place["coordinates"][1]), speeds.get(at, 0) > 0)
        for at, place in sorted(places.items())
    ]
