"""Minew gateway: an array of its own record and one for each packet heard in the last minute."""

import json
from collections.abc import Iterator
from typing import Any, cast


def decode(_topic: str, payload: bytes) -> Iterator[dict[str, Any]]:
    """Yield one document: the gateway's time, the number of distinct devices, and each with its best RSSI."""
    gateway, *packets = _records(payload)
    strongest: dict[str, float] = {}
    for packet in packets:
        device, rssi = _address(packet), _rssi(packet)
        strongest[device] = max(rssi, strongest.get(device, rssi))
    yield {
        "timestamp": gateway.get("timestamp"),
        "count": len(strongest),
        "detections": [{"device": device, "rssi": rssi} for device, rssi in strongest.items()],
    }


def _records(payload: bytes) -> list[dict[str, Any]]:
    records: Any = json.loads(payload)
    if not isinstance(records, list) or not all(
        type(record) is dict for record in cast("list[Any]", records)
    ):
        raise ValueError("not an array of records")
    found = cast("list[dict[str, Any]]", records)
    if not found or found[0].get("type") != "Gateway":
        raise ValueError("the first record is not the gateway's")
    return found


def _address(record: dict[str, Any]) -> str:
    address = record.get("mac")
    if not isinstance(address, str) or not address:
        raise ValueError("a detection has no mac")
    return address


def _rssi(record: dict[str, Any]) -> float:
    rssi = record.get("rssi")
    if isinstance(rssi, bool) or not isinstance(rssi, int | float):
        raise ValueError("a detection has no rssi")
    return rssi
