"""Entities as an integrator would send them."""

from typing import Any

GAUGE = "urn:ngsi-ld:FloodMonitoring:namiki:g1"
CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.8.jsonld"
JSON_LD = {"Content-Type": "application/ld+json"}


def gauge(
    identifier: str = GAUGE, level: float = 1.5, at: str = "2026-11-21T00:00:00Z", **more: Any
) -> dict[str, Any]:
    """A river gauge; further members as they are."""
    level_now = {"type": "Property", "value": level, "unitCode": "MTR", "observedAt": at}
    return {"id": identifier, "type": "FloodMonitoring", "currentLevel": level_now, **more}


def point(longitude: float, latitude: float) -> dict[str, Any]:
    """A GeoProperty."""
    return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [longitude, latitude]}}
