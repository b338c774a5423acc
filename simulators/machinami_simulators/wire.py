"""What a message is, and the payloads of the city's devices, byte for byte as their makers send them."""

import base64
import struct
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson

PADDY, RIVER_GAUGE, PEOPLE_FLOW, RENTAL_BIKE = "paddy", "river-gauge", "people-flow", "rental-bike"
KINDS = (PADDY, RIVER_GAUGE, PEOPLE_FLOW, RENTAL_BIKE)


class Message(msgspec.Struct, frozen=True, gc=False):
    """One publish.

    Attributes:
        kind: kind of device, as in the ledger.
        connection: MQTT client id of the connection that it leaves on; no dot, no space.
        topic: MQTT topic, no space.
    """

    kind: str
    connection: str
    topic: str
    payload: bytes


def timestamp(now: float) -> str:
    """RFC 3339 in UTC, whole seconds, from seconds since the epoch."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def paddy_uplink(
    device: str, now: float, count: int, depth_mm: int, temperatures: tuple[int, int], battery: int
) -> bytes:
    """A LoRaWAN uplink as The Things Stack v3 passes it on; temperatures (water, air) in 0.01 °C."""
    frame = struct.pack(">hhhB", depth_mm, *temperatures, battery)
    return orjson.dumps(
        {
            "end_device_ids": {"device_id": device},
            "received_at": timestamp(now),
            "uplink_message": {"f_port": 1, "f_cnt": count, "frm_payload": base64.b64encode(frame).decode()},
        }
    )


def gauge_reading(now: float, level_m: float, battery_v: float) -> bytes:
    """UltraLight 2.0 with a leading timestamp: level in metres, battery in volts."""
    return f"{timestamp(now)}|l|{level_m:.3f}|b|{battery_v:.2f}".encode()


def receiver_report(now: float, gateway_mac: str, seen: list[tuple[str, str, int]]) -> bytes:
    """Minew gateway: itself, then (type, MAC, RSSI in dBm) of each device seen in the last minute."""
    at = timestamp(now)
    records: list[dict[str, Any]] = [{"timestamp": at, "type": "Gateway", "mac": gateway_mac}]
    records += [
        {"timestamp": at, "type": kind, "mac": mac, "rssi": rssi, "rawData": f"02011A{mac[6:]}"}
        for kind, mac, rssi in seen
    ]
    return orjson.dumps(records)


def bike_location(bike: str, now: float, place: tuple[float, float], speed_kmh: int, battery: int) -> bytes:
    """OwnTracks location, without what is zero, as the app sends it. Place is (latitude, longitude)."""
    fix: dict[str, Any] = {
        "_type": "location",
        "tid": bike[-2:],
        "lat": place[0],
        "lon": place[1],
        "tst": int(now),
        "vel": speed_kmh,
        "batt": battery,
    }
    return orjson.dumps({name: value for name, value in fix.items() if value != 0})


def port_status(port: str, now: float, bikes: int, docks: int) -> bytes:
    """A station of GBFS 2.3 station_status.json."""
    return orjson.dumps(
        {
            "station_id": port,
            "num_bikes_available": bikes,
            "num_docks_available": docks,
            "is_renting": True,
            "last_reported": int(now),
        }
    )
