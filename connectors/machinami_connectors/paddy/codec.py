"""The Things Stack v3 uplink of the paddy sensor: seven bytes in ``frm_payload``."""

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

_READING = struct.Struct(">hhhB")
"""Depth in mm, water and air temperature in 0.01 °C, battery in percent; big-endian."""


def decode(_topic: str, payload: bytes) -> Iterator[dict[str, Any]]:
    """Yield the reading, or raise ValueError with the reason."""
    uplink: Any = json.loads(payload)
    try:
        packed = uplink["uplink_message"]["frm_payload"]
    except (KeyError, TypeError):
        raise ValueError("no uplink_message.frm_payload") from None
    reading = base64.b64decode(packed, validate=True) if isinstance(packed, str) else b""
    if len(reading) != _READING.size:
        raise ValueError(f"frm_payload has {len(reading)} bytes instead of {_READING.size}")
    depth, water, air, battery = _READING.unpack(reading)
    yield {
        "received_at": uplink.get("received_at"),
        "depth": depth,
        "water_temperature": water,
        "air_temperature": air,
        "battery": battery,
    }
