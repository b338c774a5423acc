"""A city of canned answers: static files, the NGSI-LD that the pages use, and a stream of changes."""

import base64
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from browser.mock_data import Entity, history, iso, whole_city
from machinami_apps import static_folder


class MockCity:
    """State of the city; tests change it while the pages look on."""

    def __init__(self, entities: dict[str, Entity] | None = None) -> None:
        self.entities = whole_city(datetime.now(UTC)) if entities is None else entities
        self.listeners: list[queue.Queue[list[Entity] | None]] = []
        self.down = False
        self.requests: list[str] = []
        self.tile_url = ""
        self.quarantined = 7
        self.url = ""

    def change(self, entity_id: str, **attributes: Any) -> None:
        """Change attributes of an entity and tell the pages."""
        self.entities[entity_id] = {**self.entities[entity_id], **attributes}
        self.tell([self.entities[entity_id]])

    def observe(self, entity_id: str, name: str, value: Any) -> None:
        self.change(entity_id, **{name: {"value": value, "observedAt": iso(datetime.now(UTC))}})

    def tell(self, entities: list[Entity] | None) -> None:
        for listener in list(self.listeners):
            listener.put(entities)

    def break_streams(self) -> None:
        self.tell(None)

    @contextmanager
    def listen(self) -> Iterator["queue.Queue[list[Entity] | None]"]:
        listener: queue.Queue[list[Entity] | None] = queue.Queue()
        self.listeners.append(listener)
        try:
            yield listener
        finally:
            self.listeners.remove(listener)


class Handler(SimpleHTTPRequestHandler):
    """Answers for one request. What is not here is a 404, which the tests see in the console."""

    city: MockCity
    protocol_version = "HTTP/1.1"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args, directory=str(static_folder()))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it so
        """Tests are quiet."""

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        self.city.requests.append(self.path)
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        for prefix, answer in ROUTES.items():
            if address.path.startswith(prefix):
                if self.city.down:
                    return self.answer({"type": "about:blank", "title": "Service Unavailable"}, 503)
                return answer(self, unquote(address.path.removeprefix(prefix)).strip("/"), asked)
        return super().do_GET()

    def answer(self, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def entities(self, entity_id: str, asked: dict[str, str]) -> None:
        if entity_id:
            return self.answer(self.city.entities[entity_id])
        types = asked["type"].split(",")
        found = [entity for entity in self.city.entities.values() if entity["type"] in types]
        return self.answer(page(found, asked), headers={"NGSILD-Results-Count": str(len(found))})

    def types(self, _: str, __: dict[str, str]) -> None:
        names = sorted({entity["type"] for entity in self.city.entities.values()})
        self.answer({"id": "urn:ngsi-ld:EntityTypeList:1", "type": "EntityTypeList", "typeList": names})

    def temporal(self, entity_id: str, asked: dict[str, str]) -> None:
        if entity_id:
            return self.answer(past(self.city.entities[entity_id], asked))
        wanted = set(asked["id"].split(",")) if "id" in asked else None
        types = asked["type"].split(",")
        found = [
            past(entity, asked)
            for entity in self.city.entities.values()
            if entity["type"] in types and (wanted is None or entity["id"] in wanted)
        ]
        return self.answer(
            page(
                [
                    one
                    for one in found
                    if any(one[asked["attrs"]].get(member) for member in ("values", "min"))
                ],
                asked,
            )
        )

    def settings(self, _: str, __: dict[str, str]) -> None:
        self.answer({"tileUrl": self.city.tile_url})

    def tile(self, _: str, __: dict[str, str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(TILE)))
        self.end_headers()
        self.wfile.write(TILE)

    def quarantine(self, _: str, asked: dict[str, str]) -> None:
        more = self.city.quarantined > int(asked["limit"])
        headers = {"Link": '</machinami/v1/quarantine?offset=100>;rel="next"'} if more else {}
        rows = [{"id": n} for n in range(min(self.city.quarantined, int(asked["limit"])))]
        self.answer(rows, headers=headers)

    def changes(self, _: str, asked: dict[str, str]) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"retry: 300\n\n")
        wanted = set(asked["type"].split(",")) if "type" in asked else None
        with self.city.listen() as listener:
            self.stream(listener, wanted)

    def stream(self, listener: "queue.Queue[list[Entity] | None]", wanted: set[str] | None) -> None:
        while (entities := listener.get()) is not None:
            mine = [entity for entity in entities if wanted is None or entity["type"] in wanted]
            try:
                self.wfile.write(f"event: change\ndata: {json.dumps(mine)}\n\n".encode())
                self.wfile.flush()
            except OSError:
                return  # the page has gone


TILE = base64.b64decode(  # one pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ROUTES = {
    "/tiles/": Handler.tile,
    "/ngsi-ld/v1/temporal/entities": Handler.temporal,
    "/ngsi-ld/v1/entities": Handler.entities,
    "/ngsi-ld/v1/types": Handler.types,
    "/machinami/v1/settings": Handler.settings,
    "/machinami/v1/quarantine": Handler.quarantine,
    "/machinami/v1/changes": Handler.changes,
}


def page(found: list[Entity], asked: dict[str, str]) -> list[Entity]:
    offset = int(asked.get("offset", 0))
    return found[offset : offset + int(asked.get("limit", 20))]


def past(entity: Entity, asked: dict[str, str]) -> Entity:
    name = asked["attrs"]
    moment = datetime.fromisoformat(asked["timeAt"])
    before = asked["timerel"] == "before"
    end = datetime.fromisoformat(asked["endTimeAt"]) if "endTimeAt" in asked else datetime.now(UTC)
    start, end = (datetime.min.replace(tzinfo=UTC), moment) if before else (moment, end)
    values = [one for one in history(entity, name, start, end) if datetime.fromisoformat(one[1]) < end]
    values = values[-int(asked["lastN"]) :] if "lastN" in asked else values
    if asked.get("aggrMethods") == "min":
        return {"id": entity["id"], "type": entity["type"], name: {"type": "Property", "min": lowest(values)}}
    return {"id": entity["id"], "type": entity["type"], name: {"type": "Property", "values": values}}


def lowest(values: list[list[Any]]) -> list[list[Any]]:
    """The lowest value of each whole hour, with its start and end."""
    hours: dict[datetime, list[Any]] = {}
    for value, at in values:
        hour = datetime.fromisoformat(at).replace(minute=0, second=0, microsecond=0)
        hours.setdefault(hour, []).append(value)
    return [[min(found), iso(hour), iso(hour + timedelta(hours=1))] for hour, found in hours.items()]


class Server(ThreadingHTTPServer):
    """Threads end with the test; a browser that leaves in mid-answer is no error."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that the browser dropped."""


@contextmanager
def serve(city: MockCity, port: int = 0) -> Iterator[MockCity]:
    """Serve the city on loopback; its address is ``city.url``."""
    handler = type("CityHandler", (Handler,), {"city": city})
    with Server(("127.0.0.1", port), handler) as server:
        city.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, name="mock-city", daemon=True)
        thread.start()
        try:
            yield city
        finally:
            city.break_streams()
            server.shutdown()
            thread.join()
