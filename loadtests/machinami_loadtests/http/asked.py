"""What is asked of the API in benches: rooms on a square grid, found by id, by value and by area."""

import math
import random
from collections.abc import Iterator, Sequence

import orjson

from machinami_loadtests.http.hammer import encode

BATCH = 1_000
"""Entities of one batch."""

_TYPES = ("Room", "Hall", "Yard", "Lane")
_SIDE = 0.2  # degrees; the entities lie on a square grid of this side
_WEST, _SOUTH = 151.4, 30.4
_NEAR = 1_000  # metres


def upserts(url: str, numbers: range, entities: int, moment: str) -> list[bytes]:
    """Rooms of these numbers among so many, `BATCH` at a time, observed at this moment (ISO 8601)."""
    side = math.ceil(math.sqrt(entities))
    documents = [_entity(number, side, moment) for number in numbers]
    return [
        encode("POST", f"{url}/entityOperations/upsert", orjson.dumps(documents[at : at + BATCH]))
        for at in range(0, len(documents), BATCH)
    ]


def _entity(number: int, side: int, moment: str) -> dict[str, object]:
    place = [_WEST + _SIDE * (number % side) / side, _SOUTH + _SIDE * (number // side) / side]
    return {
        "id": f"urn:ngsi-ld:Room:{number}",
        "type": _TYPES[number % len(_TYPES)],
        "level": {"type": "Property", "value": number % 100, "unitCode": "CEL", "observedAt": moment},
        "name": {"type": "Property", "value": f"部屋 {number}"},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": place}},
    }


def retrievals(url: str, count: int, entities: int) -> Iterator[bytes]:
    """Retrieve so many rooms by id."""
    for number in _numbers(count, entities):
        yield encode("GET", f"{url}/entities/urn:ngsi-ld:Room:{number}")


def patches(url: str, count: int, entities: int) -> Iterator[bytes]:
    """PATCH the level of so many rooms."""
    for nth, number in enumerate(_numbers(count, entities)):
        moment = f"2026-01-03T{nth // 3600 % 24:02d}:{nth // 60 % 60:02d}:{nth % 60:02d}Z"
        body = orjson.dumps({"value": nth % 100, "observedAt": moment})
        yield encode("PATCH", f"{url}/entities/urn:ngsi-ld:Room:{number}/attrs/level", body)


def _numbers(count: int, entities: int) -> Sequence[int]:
    return random.Random(count).choices(range(entities), k=count)  # noqa: S311 # which rooms, not a secret


def query(url: str, seed: int) -> str:
    """Address of a query by type, value and area."""
    chance = random.Random(seed)  # noqa: S311 # where to look, not a secret
    place = f"[{_WEST + _SIDE * chance.random():.5f},{_SOUTH + _SIDE * chance.random():.5f}]"
    area = f"georel=near;maxDistance=={_NEAR}&geometry=Point&coordinates={place}"
    return f"{url}/entities?type={_TYPES[seed % len(_TYPES)]}&q=level>{seed % 90}&{area}&limit=100"
