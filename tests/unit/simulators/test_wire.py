import base64
import json
import struct

from hypothesis import given
from hypothesis import strategies as st
from machinami_simulators import wire

NOW = 1_795_200_000.0  # 2026-11-20T18:40:00Z


@given(
    depth=st.integers(-32768, 32767),
    water=st.integers(-32768, 32767),
    air=st.integers(-32768, 32767),
    battery=st.integers(0, 255),
)
def test_a_paddy_frame_is_seven_bytes_big_endian(depth, water, air, battery):
    uplink = json.loads(wire.paddy_uplink("paddy-001", NOW, 7, depth, (water, air), battery))
    assert uplink["end_device_ids"] == {"device_id": "paddy-001"}
    assert uplink["received_at"] == "2026-11-20T18:40:00Z"
    assert uplink["uplink_message"]["f_port"] == 1
    assert uplink["uplink_message"]["f_cnt"] == 7
    frame = base64.b64decode(uplink["uplink_message"]["frm_payload"], validate=True)
    assert struct.unpack(">hhhB", frame) == (depth, water, air, battery)


def test_a_gauge_speaks_ultralight():
    assert wire.gauge_reading(NOW, 2.345, 12.41) == b"2026-11-20T18:40:00Z|l|2.345|b|12.41"


def test_a_receiver_names_itself_first():
    seen = [("Unknown", "7A0000000001", -67), ("iBeacon", "AC233F100000", -58)]
    gateway, *devices = json.loads(wire.receiver_report(NOW, "AC233F000001", seen))
    assert gateway == {"timestamp": "2026-11-20T18:40:00Z", "type": "Gateway", "mac": "AC233F000001"}
    assert [(d["type"], d["mac"], d["rssi"]) for d in devices] == seen
    assert all(d["timestamp"] == gateway["timestamp"] for d in devices)


def test_a_bike_omits_what_is_zero():
    moving = json.loads(wire.bike_location("bike-007", NOW, (30.5, 151.5), 14, 80))
    assert moving == {
        "_type": "location", "tid": "07", "lat": 30.5, "lon": 151.5, "tst": 1795200000, "vel": 14, "batt": 80
    }  # fmt: skip
    assert "vel" not in json.loads(wire.bike_location("bike-007", NOW, (30.5, 151.5), 0, 80))


def test_a_port_says_also_zero():
    assert json.loads(wire.port_status("port-01", NOW, 0, 20)) == {
        "station_id": "port-01",
        "num_bikes_available": 0,
        "num_docks_available": 20,
        "is_renting": True,
        "last_reported": 1795200000,
    }
