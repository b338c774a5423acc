"""An NGSI-LD broker in memory that read what the simulator's ledger holds, for the judge to ask."""

import base64
import json
import sqlite3
import struct
from collections import defaultdict
from datetime import UTC, datetime

import httpx
from machinami_simulators import city, plan
from machinami_simulators.judge.platform import seconds, urn
from machinami_simulators.masters import UNDERPASS_LEVELS

PART = 500  # instances in one answer


def moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def paddy(_device, payload):
    uplink = json.loads(payload)
    depth = struct.unpack(">hhhB", base64.b64decode(uplink["uplink_message"]["frm_payload"]))[0]
    return uplink["received_at"], {"waterDepth": depth}


def gauge(_device, payload):
    at, _, level, *_ = payload.decode().split("|")
    return at, {"currentLevel": float(level)}


def receiver(_device, payload):
    gateway, *packets = json.loads(payload)
    macs = sorted({packet["mac"] for packet in packets})
    seen = [{"device": f"anon-{mac}", "rssi": -60} for mac in macs]
    return gateway["timestamp"], {"peopleCount": len(macs), "detections": seen}


def bike(_device, payload):
    fix = json.loads(payload)
    place = {"type": "Point", "coordinates": [fix["lon"], fix["lat"]]}
    return moment(fix["tst"]), {"location": place, "speed": fix.get("vel", 0)}


def port(_device, payload):
    station = json.loads(payload)
    return moment(station["last_reported"]), {"availableBikeNumber": station["num_bikes_available"]}


def camera(_device, payload):
    count = json.loads(payload)
    return count["to"], {"peopleCountTowards": count["in"], "peopleCountAway": count["out"]}


READ = {
    "v3": ("AgriParcelRecord", 3, paddy), "ul": ("FloodMonitoring", 2, gauge),
    "minew": ("CrowdFlowObserved", 2, receiver), "owntracks": ("Vehicle", 2, bike),
    "gbfs": ("BikeHireDockingStation", 3, port), "camera": ("ItemFlowObserved", 2, camera),
}  # fmt: skip


class FakeApi:
    """History and master data; tests may spoil either before it is asked."""

    def __init__(self, ledger) -> None:
        self.history = defaultdict(lambda: defaultdict(list))
        database = sqlite3.connect(ledger)
        for topic, payload in database.execute("SELECT topic, payload FROM message ORDER BY n"):
            first, *_ = topic.split("/")
            kind, level, read = READ[first]
            device = topic.split("/")[level]
            at, attributes = read(device, payload)
            for name, value in attributes.items():
                stored = moment(datetime.now(UTC).timestamp() + 5)
                self.history[urn(kind, device)][name].append(
                    {"value": value, "observedAt": at, "modifiedAt": stored}
                )
        database.close()
        self.entities = {name: {"id": name, "type": name.split(":")[2]} for name in self.history}
        self._add_masters(city.build(plan.namiki()))

    def _add_masters(self, drawn) -> None:
        levels = "standbyLevel", "cautionLevel", "evacuationJudgementLevel", "dangerLevel"
        thresholds = {each.id: each.levels for each in drawn.gauges}
        thresholds |= {each.id: UNDERPASS_LEVELS for each in drawn.plan.underpass}
        for gauge, its_levels in thresholds.items():
            known = {name: level for name, level in zip(levels, its_levels, strict=True) if level}
            self.entities.get(urn("FloodMonitoring", gauge), {}).update(known)
        watching = {"CrowdFlowObserved": drawn.receivers, "ItemFlowObserved": drawn.cameras}
        for kind, devices in watching.items():
            for each in devices:
                place = f"urn:ngsi-ld:PointOfInterest:namiki:place-{each.place.id}"
                self.entities.get(urn(kind, each.id), {})["refPointOfInterest"] = place
        for each in drawn.ports:
            lat, lon = drawn.projection.place(each.at)
            at = {"type": "Point", "coordinates": [lon, lat]}
            self.entities.get(urn("BikeHireDockingStation", each.id), {})["location"] = at

    def answer(self, request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        if request.url.path == "/ngsi-ld/v1/entities":
            found = [entity for entity in self.entities.values() if entity["type"] == query["type"]]
            return httpx.Response(200, json=found[int(query["offset"]) :][: int(query["limit"])])
        entity, name = request.url.path.rpartition("/")[2], query["attrs"]
        if entity not in self.history:
            return httpx.Response(404, json={"title": "no such entity"})
        start, end = seconds(query["timeAt"]), seconds(query["endTimeAt"])
        all_of_it = [i for i in self.history[entity][name] if start <= seconds(i["observedAt"]) < end]
        part = all_of_it[:PART]
        body = {"id": entity, name: part if len(part) != 1 else part[0]}
        if len(part) == len(all_of_it):
            return httpx.Response(200, json=body)
        span = f"DateTime {moment(start)}-{part[-1]['observedAt']}/*"
        return httpx.Response(206, json=body, headers={"Content-Range": span})

    def client(self) -> httpx.Client:
        return httpx.Client(base_url="http://platform", transport=httpx.MockTransport(self.answer))
