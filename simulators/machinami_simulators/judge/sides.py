"""What each side knows, the devices and the platform, in one shape, so that both are treated alike."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
from shapely.geometry import shape

from machinami_simulators import city, plan
from machinami_simulators.judge.derive import Fix, Place, Series
from machinami_simulators.judge.platform import Observation, Platform
from machinami_simulators.judge.sent import Sent
from machinami_simulators.truth import Reading
from machinami_simulators.truth_record import Span

Progress: TypeAlias = Callable[[Sequence[str], str], Iterable[str]]
Answers: TypeAlias = Mapping[str, Mapping[str, Sequence[Observation]]]  # quantity → device → history
_LEVELS = ("standbyLevel", "cautionLevel", "evacuationJudgementLevel", "dangerLevel")
_Seen = tuple[float, str, list[str]]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """What one side, the devices or the platform, knows; figures are derived from both alike.

    Attributes:
        levels: gauge → series. thresholds: gauge → its four, None where not set.
        reports: receiver → series of counts. place: receiver → place.
        seen: reports with their addresses. fixes: bike → fixes. ports: port → where it is.
    """

    levels: Mapping[str, Series]
    thresholds: Mapping[str, Sequence[float | None]]
    reports: Mapping[str, Series]
    place: Mapping[str, str]
    seen: Iterable[_Seen]
    fixes: Mapping[str, Sequence[Fix]]
    ports: Mapping[str, Place]


def devices_side(messages: Sent, found: Mapping[str, Sequence[Reading]], span: Span, hours: Span) -> Side:
    """What the devices of Namiki sent; thresholds and places are those of the city's plan."""
    drawn = city.build(plan.namiki())
    return Side(
        levels=_series(found["level"]),
        thresholds={gauge.id: gauge.levels for gauge in drawn.gauges},
        reports=_series(found["people"]),
        place={receiver.id: receiver.place.id for receiver in drawn.receivers},
        seen=messages.sightings(hours),
        fixes=messages.fixes(span),
        ports={port.id: _turned(drawn.projection.place(port.at)) for port in drawn.ports},
    )


def _series(rows: Iterable[Reading]) -> dict[str, Series]:
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        found[row.device].append((row.observed_at, row.reported))
    return {device: sorted(series) for device, series in found.items()}


def platform_side(
    platform: Platform,
    answers: Answers,
    span: Span,
    hours: Span,
    progress: Progress,
) -> Side:
    """What the platform answers; thresholds and places are those of its own entities."""
    gauges = {_name(entity): entity for entity in platform.entities("FloodMonitoring")}
    ports = {_name(entity): entity for entity in platform.entities("BikeHireDockingStation")}
    receivers = {_name(entity): entity for entity in platform.entities("CrowdFlowObserved")}
    bikes = [_name(entity) for entity in platform.entities("Vehicle") if _of_namiki(entity)]
    return Side(
        levels=_numbers(answers["level"]),
        thresholds={name: [entity.get(level) for level in _LEVELS] for name, entity in gauges.items()},
        reports=_numbers(answers["people"]),
        place={name: _place(entity) for name, entity in receivers.items() if "refPointOfInterest" in entity},
        seen=_seen(platform, progress(sorted(answers["people"]), "detections"), hours),
        fixes={bike: _fixes(platform, bike, span) for bike in progress(bikes, "bikes")},
        ports={name: _lies(entity) for name, entity in ports.items() if "location" in entity},
    )


def _numbers(answers: Mapping[str, Sequence[Observation]]) -> dict[str, Series]:
    return {
        device: sorted((one.at, float(one.value)) for one in observed)
        for device, observed in answers.items()
        if observed
    }


def _name(entity: dict[str, Any]) -> str:
    return str(entity["id"]).rpartition(":")[2]


def _of_namiki(entity: dict[str, Any]) -> bool:
    return ":namiki:" in entity["id"]


def _place(entity: dict[str, Any]) -> str:
    return str(entity["refPointOfInterest"]).rpartition(":")[2].removeprefix("place-")


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


def urn(kind: str, device: str) -> str:
    """The platform's name of a device of Namiki."""
    return f"urn:ngsi-ld:{kind}:namiki:{device}"


def _turned(place: tuple[float, ...]) -> Place:
    """(latitude, longitude) as (longitude, latitude)."""
    return place[1], place[0]
