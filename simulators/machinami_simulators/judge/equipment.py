"""The devices that a run had, by its scale: where they stand, and what the city's plan says of them."""

from typing import TypeVar

import msgspec

from machinami_simulators import city, plan
from machinami_simulators.judge.derive import Place
from machinami_simulators.masters import UNDERPASS_LEVELS
from machinami_simulators.scale import Scale, find_scale

Levels = tuple[float | None, float | None, float | None, float | None]
_T = TypeVar("_T")


class Equipment(msgspec.Struct, frozen=True, kw_only=True):
    """What can be known of the city by its devices; nothing else is asked of the platform.

    Attributes:
        gauges, underpasses: device → its four thresholds in metres, None where not set.
        receivers, cameras: device → the place it is at. ports: port → where it is.
        bikes: those with a tracker.
    """

    gauges: dict[str, Levels]
    underpasses: dict[str, Levels]
    receivers: dict[str, str]
    cameras: dict[str, str]
    ports: dict[str, Place]
    bikes: frozenset[str]


def equipment(scale_name: str) -> Equipment:
    """The devices of Namiki, and of the islands like it, at a scale."""
    scale, drawn = find_scale(scale_name), city.build(plan.namiki())
    here = scale.tile([port.at for port in drawn.ports]).tolist()
    return Equipment(
        gauges=_equipped(scale, {gauge.id: gauge.levels for gauge in drawn.gauges}),
        underpasses=_equipped(scale, {each.id: UNDERPASS_LEVELS for each in drawn.plan.underpass}),
        receivers=_at_places(scale, {each.id: each.place.id for each in drawn.receivers}),
        cameras=_at_places(scale, {each.id: each.place.id for each in drawn.cameras}),
        ports={
            port: _turned(drawn.projection.place((x, y)))
            for port, (x, y) in zip(scale.names([port.id for port in drawn.ports]), here, strict=True)
        },
        bikes=frozenset(_equipped(scale, dict.fromkeys(drawn.bikes))),
    )


def _equipped(scale: Scale, assets: dict[str, _T]) -> dict[str, _T]:
    """Name of each device → what is known of its asset."""
    names, known = scale.names(list(assets)), [*assets.values()] * scale.islands
    return {names[index]: known[index] for index in scale.equipped(len(names))}


def _at_places(scale: Scale, place: dict[str, str]) -> dict[str, str]:
    """Device → place, both of the same island."""
    names, places = scale.names(list(place)), scale.names(list(place.values()))
    return {names[index]: places[index] for index in scale.equipped(len(names))}


def _turned(place: tuple[float, float]) -> Place:
    """(latitude, longitude) as (longitude, latitude)."""
    return place[1], place[0]
