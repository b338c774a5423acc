"""Canned entities of a small made-up city, in the concise representation, and what their history was."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

Entity = dict[str, Any]
WEST, SOUTH = 151.45, 30.46  # open sea, where the simulator's city lies too
STORM = datetime(2023, 7, 13, 0, 0, tzinfo=UTC)  # 09:00 in Japan
THRESHOLDS = {
    "standbyLevel": 1.5,
    "cautionLevel": 2.0,
    "evacuationJudgementLevel": 2.6,
    "dangerLevel": 3.2,
}
# The first gauges are one of each kind; all others are normal.
LEVELS = {1: 3.4, 2: 2.8, 3: 2.2, 4: 1.7, 5: 3.5, 6: 2.9, 7: 0.9}
SILENT, UNJUDGED, UNPLACED, NEVER = 5, 6, 7, 8
PLACES = ["中央駅", "街並城址", "港市場", "桜台公園", "市役所", "湯の谷温泉", "川東商店街", "美術館"]
PLACES_EN = [
    "Central Station",
    "Castle Ruins",
    "Harbour Market",
    "Sakuradai Park",
    "City Hall",
    "Yunotani Spa",
    "Kawahigashi Arcade",
    "Art Museum",
]


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def languages(ja: str, en: str) -> dict[str, Any]:
    return {"languageMap": {"ja": ja, "en": en}}


def place(x: float, y: float) -> list[float]:
    """Longitude and latitude of a point given in hundredths of the city's width and height."""
    return [WEST + x * 0.001, SOUTH + y * 0.0008]


def geometry(kind: str, coordinates: Any) -> dict[str, Any]:
    return {"value": {"type": kind, "coordinates": coordinates}}


def river_y(x: float) -> float:
    return 50 + 14 * math.sin(x / 16) + 4 * math.sin(x / 5)


def observed(value: Any, moment: datetime, unit: str | None = None) -> dict[str, Any]:
    return {"value": value, "observedAt": iso(moment), **({"unitCode": unit} if unit else {})}


# ---- base map


def box(west: float, south: float, east: float, north: float) -> list[list[list[float]]]:
    ring = [
        place(west, south),
        place(east, south),
        place(east, north),
        place(west, north),
        place(west, south),
    ]
    return [ring]


def shape(kind: str, key: str, name: tuple[str, str], form: str, coordinates: Any) -> Entity:
    return {
        "id": f"urn:ngsi-ld:{kind}:namiki:{key}",
        "type": kind,
        "name": languages(*name),
        "location": geometry(form, coordinates),
        "dataProvider": "namiki",
    }


def basemap() -> list[Entity]:
    coast = [
        place(50 + 58 * math.cos(a / 30) * (1 + 0.05 * math.sin(a / 3)), 50 + 56 * math.sin(a / 30))
        for a in range(189)
    ]
    districts = [
        ("joka", ("城下", "Joka"), box(10, 10, 50, 48)),
        ("inaho", ("稲穂", "Inaho"), box(50, 10, 92, 48)),
        ("yunotani", ("湯の谷", "Yunotani"), box(10, 48, 92, 92)),
    ]
    river = [place(x, river_y(x)) for x in range(2, 99, 2)]
    road = [place(50 + 30 * math.cos(a / 10), 50 + 30 * math.sin(a / 10)) for a in range(64)]
    return [
        shape("Coast", "coast", ("外海", "Ocean"), "Polygon", [[*coast, coast[0]]]),
        *(shape("District", key, name, "Polygon", area) for key, name, area in districts),
        *(
            shape(
                "PaddyBlock",
                f"p{n}",
                ("", ""),
                "Polygon",
                box(58 + n % 4 * 8, 14 + n // 4 * 8, 65 + n % 4 * 8, 21 + n // 4 * 8),
            )
            for n in range(12)
        ),
        shape("River", "nami", ("並川", "Nami River"), "LineString", river),
        shape("Road", "ring", ("環状通り", "Ring Road"), "LineString", road),
        *(
            shape("PointOfInterest", f"poi{n}", (PLACES[n], PLACES_EN[n]), "Point", poi(n))
            for n in range(len(PLACES))
        ),
    ]


def poi(n: int) -> list[float]:
    return place(24 + n % 4 * 17 + n // 4 * 6, 26 + n // 4 * 40 + n % 2 * 9)


# ---- gauges


def gauge(n: int, now: datetime) -> Entity:
    seen = now - timedelta(hours=3 if n == SILENT else 0, minutes=2)
    entity: Entity = {
        "id": f"urn:ngsi-ld:FloodMonitoring:namiki:gauge-{n:02}",
        "type": "FloodMonitoring",
        "name": languages(f"並川第{n}観測所", f"Nami Gauge {n}"),
        "riverName": languages("並川", "Nami River"),
        "dataProvider": "namiki",
    }
    if n != NEVER:
        entity["currentLevel"] = observed(LEVELS.get(n, 0.6 + n % 7 / 10), seen, "MTR")
    if n != UNPLACED:
        x = 4 + n * 92 / 60
        entity["location"] = geometry("Point", place(x, river_y(x)))
    if n != UNJUDGED:
        entity |= {name: {"value": value, "unitCode": "MTR"} for name, value in THRESHOLDS.items()}
    return entity


def storm_level(n: int, moment: datetime) -> float:
    """A recorded flood: rises above the danger level on 2023-07-13 in the morning, Japan time."""
    hours = (moment - STORM).total_seconds() / 3600
    return round(0.8 + (2.8 - 0.3 * n) * math.exp(-((hours - 1) ** 2) / 8), 2)


def recorded_gauge(n: int) -> Entity:
    end = STORM + timedelta(hours=4)
    return {
        "id": f"urn:ngsi-ld:FloodMonitoring:fukui:{n}",
        "type": "FloodMonitoring",
        "name": f"記録観測所{n}",
        "riverName": "足羽川",
        "dataProvider": "fukui-river",
        "location": geometry("Point", [136.2 + n * 0.02, 36.06 + n * 0.01]),
        "currentLevel": observed(storm_level(n, end), end, "MTR"),
        "dangerLevel": {"value": 3.2, "unitCode": "MTR"},
        "cautionLevel": {"value": 2.0, "unitCode": "MTR"},
    }


# ---- people, ports, bikes


def receiver(n: int, now: datetime) -> Entity:
    x, y = poi(n % 8)
    return {
        "id": f"urn:ngsi-ld:CrowdFlowObserved:namiki:rx-{n:03}",
        "type": "CrowdFlowObserved",
        "name": languages(f"受信機{n}", f"Receiver {n}"),
        "dataProvider": "namiki",
        "location": geometry("Point", [x + n * 0.00004, y + n * 0.00003]),
        "refPointOfInterest": {"object": f"urn:ngsi-ld:PointOfInterest:namiki:poi{n % 8}"},
        "peopleCount": observed(12 + n % 8 * 9, now, "C62"),
    }


def port(n: int, now: datetime) -> Entity:
    available = n * 3 % 11
    return {
        "id": f"urn:ngsi-ld:BikeHireDockingStation:namiki:port-{n:02}",
        "type": "BikeHireDockingStation",
        "name": languages(f"ポート{n}", f"Port {n}"),
        "dataProvider": "namiki",
        "location": geometry("Point", place(16 + n % 5 * 16, 18 + n // 5 * 20)),
        "totalSlotNumber": 12,
        "availableBikeNumber": observed(available, now, "C62"),
        "freeSlotNumber": observed(12 - available, now, "C62"),
        "status": observed("working", now),
    }


def bike(n: int, now: datetime, step: int = 0) -> Entity:
    angle = n * 0.7 + step * 0.02
    radius = 12 + n % 26
    return {
        "id": f"urn:ngsi-ld:Vehicle:namiki:bike-{n:03}",
        "type": "Vehicle",
        "name": f"自転車{n}",
        "dataProvider": "namiki",
        "location": observed(
            {
                "type": "Point",
                "coordinates": place(50 + radius * math.cos(angle), 50 + radius * math.sin(angle)),
            },
            now,
        ),
        "speed": observed(12.5 if n % 3 else 0, now, "KMH"),
        "batteryLevel": observed(80 - n % 60, now, "P1"),
    }


def whole_city(now: datetime, gauges: int = 60) -> dict[str, Entity]:
    entities = [
        *basemap(),
        *(gauge(n, now) for n in range(1, gauges + 1)),
        *(recorded_gauge(n) for n in range(1, 7)),
        *(receiver(n, now) for n in range(40)),
        *(port(n, now) for n in range(20)),
        *(bike(n, now) for n in range(60)),
    ]
    return {entity["id"]: entity for entity in entities}


def history(entity: Entity, name: str, moment: datetime, end: datetime) -> list[list[Any]]:
    """Values ``[value, observedAt]`` of one attribute between two moments, at most every ten minutes."""
    current = entity.get(name)
    if not isinstance(current, dict) or "observedAt" not in current:
        return []
    newest = datetime.fromisoformat(current["observedAt"])
    oldest = newest - timedelta(days=1)
    first, last = max(moment, oldest), min(end, newest)
    step = timedelta(minutes=10)
    nearest = newest - max(0, math.ceil((newest - last) / step)) * step
    count = int((nearest - first) / step) + 1 if nearest >= first else 0
    moments = [nearest - n * step for n in range(count)]
    return [[_past(entity, name, one, newest), iso(one)] for one in reversed(moments)]


def _past(entity: Entity, name: str, moment: datetime, newest: datetime) -> float:
    if ":fukui:" in entity["id"]:
        return storm_level(int(entity["id"].rsplit(":", 1)[1]), moment)
    hours = (newest - moment).total_seconds() / 3600
    value = entity[name]["value"]
    if name == "peopleCount":
        fixed = entity[name].get("fixed", 0)  # what the page has to find out
        return round(fixed + (value - fixed) * (1 + math.cos(hours / 24 * 2 * math.pi)) / 2)
    return round(value * (0.55 + 0.45 * math.exp(-hours / 5)) + 0.03 * math.sin(hours * 3), 2)
