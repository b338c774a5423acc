"""What a message is, and the payloads of the city's devices, byte for byte as their makers send them."""

import binascii
import struct
from datetime import UTC, datetime
from functools import lru_cache

import msgspec
import orjson

PADDY, RIVER_GAUGE, PEOPLE_FLOW, RENTAL_BIKE = "paddy", "river-gauge", "people-flow", "rental-bike"
PEOPLE_CAMERA = "people-camera"
KINDS = (PADDY, RIVER_GAUGE, PEOPLE_FLOW, PEOPLE_CAMERA, RENTAL_BIKE)
_FRAME = struct.Struct(">hhhB")


class Message(msgspec.Struct, frozen=True, gc=False):
    """One publish.

    Attributes:
        kind: kind of device, as in the ledger.
        connection: MQTT client id of the connection that it leaves on; no dot, no space.
        topic: MQTT topic, no space.
        at: simulated second at which it leaves the device.
        qos: 0 or 1.
    """

    kind: str
    connection: str
    topic: str
    payload: bytes
    at: float = 0.0
    qos: int = 1


@lru_cache(maxsize=8192)
def timestamp(now: float) -> str:
    """RFC 3339 in UTC, whole seconds, from seconds since the epoch."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def paddy_uplink(
    device: str, now: float, count: int, depth_mm: int, temperatures: tuple[int, int], battery: int
) -> bytes:
    """A LoRaWAN uplink as The Things Stack v3 passes it on; temperatures (water, air) in 0.01 °C."""
    frame = binascii.b2a_base64(_FRAME.pack(depth_mm, *temperatures, battery), newline=False).decode()
    return _uplink(device, now, count, frame)


def paddy_uplink_2(
    device: str, now: float, count: int, depth_mm: int, temperatures: tuple[int, int], battery: int
) -> bytes:
    """As a later firmware sends it, without telling anybody: a byte with its version comes first."""
    frame = b"\x02" + _FRAME.pack(depth_mm, *temperatures, battery)
    return _uplink(device, now, count, binascii.b2a_base64(frame, newline=False).decode())


def _uplink(device: str, now: float, count: int, frame: str) -> bytes:
    return (
        f'{{"end_device_ids":{{"device_id":"{device}"}},"received_at":"{timestamp(now)}",'
        f'"uplink_message":{{"f_port":1,"f_cnt":{count},"frm_payload":"{frame}"}}}}'
    ).encode()


def gauge_reading(now: float, level_m: float, battery_v: float) -> bytes:
    """UltraLight 2.0 with a leading timestamp: level in metres, battery in volts."""
    return f"{timestamp(now)}|l|{level_m:.3f}|b|{battery_v:.2f}".encode()


def gauge_reading_2(now: float, level_m: float, battery_v: float) -> bytes:
    """As a later firmware sends it: other names, and the battery in millivolts."""
    return f"{timestamp(now)}|level|{level_m:.3f}|bat|{1000 * battery_v:.0f}".encode()


def receiver_report(now: float, gateway_mac: str, seen: list[tuple[str, str, int]]) -> bytes:
    """Minew gateway: itself, then (type, MAC, RSSI in dBm) of each device seen in the last minute."""
    at = f'{{"timestamp":"{timestamp(now)}","type":"'
    records = [f'{at}Gateway","mac":"{gateway_mac}"}}']
    records += [
        f'{at}{kind}","mac":"{mac}","rssi":{rssi},"rawData":"02011A{mac[6:]}"}}' for kind, mac, rssi in seen
    ]
    return f"[{','.join(records)}]".encode()


def camera_count(camera: str, since: float, now: float, entered: int, left: int) -> bytes:
    """A counting camera: how many passed its line in either direction between two times."""
    return orjson.dumps(
        {"camera": camera, "from": timestamp(since), "to": timestamp(now), "in": entered, "out": left}
    )


def camera_count_2(camera: str, since: float, now: float, entered: int, left: int) -> bytes:
    """As a later firmware sends it: both directions in one object, times in seconds since the epoch."""
    return orjson.dumps(
        {"camera": camera, "from": int(since), "to": int(now), "counts": {"in": entered, "out": left}}
    )


def bike_location(bike: str, now: float, place: tuple[float, float], speed_kmh: int, battery: int) -> bytes:
    """OwnTracks location, without what is zero, as the app sends it. Place is (latitude, longitude)."""
    speed = f',"vel":{speed_kmh}' if speed_kmh else ""
    return (
        f'{{"_type":"location","tid":"{bike[-2:]}","lat":{place[0]:.6f},"lon":{place[1]:.6f},'
        f'"tst":{int(now)}{speed},"batt":{battery}}}'
    ).encode()


def bike_location_2(bike: str, now: float, place: tuple[float, float], speed_kmh: int, battery: int) -> bytes:
    """As a later version of the app sends it: coordinates are text, the speed is in m/s."""
    return orjson.dumps(
        {
            "_type": "location",
            "tid": bike[-2:],
            "lat": f"{place[0]:.6f}",
            "lon": f"{place[1]:.6f}",
            "tst": int(now),
            "vel": round(speed_kmh / 3.6, 1),
            "batt": battery,
        }
    )


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


def port_status_3(port: str, now: float, bikes: int, docks: int) -> bytes:
    """The same station as GBFS 3.0 has it: vehicles instead of bikes, a time in RFC 3339."""
    return orjson.dumps(
        {
            "station_id": port,
            "num_vehicles_available": bikes,
            "num_docks_available": docks,
            "is_renting": True,
            "last_reported": timestamp(now),
        }
    )
