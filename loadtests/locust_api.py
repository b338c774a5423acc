"""Users of an NGSI-LD API for locust: any base URL, nothing but the standard's JSON. See README.md."""

# locust is not typed.
# pyright: basic

import random
import time
import uuid
from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta
from typing import Any

from locust import FastHttpUser, between, events, tag, task

TYPE = "Vehicle"
CENTRE = (151.5, 30.5)
WATCHED = "MachinamiLoadTest"
"""A type that nothing has, so that subscriptions cost matching and send nothing."""


@events.init_command_line_parser.add_listener
def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--entity-type", default=TYPE, help="Type that is queried; users add one entity each")
    parser.add_argument("--tenant", default="", help="Value of NGSILD-Tenant; empty: the default tenant")


def _moment(ago: timedelta = timedelta()) -> str:
    return (datetime.now(UTC) - ago).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class ApiUser(FastHttpUser):
    """Someone who has one moving entity and looks at those of others."""

    host = "http://127.0.0.1:8080"
    wait_time = between(0.05, 0.2)
    default_headers = {"Accept": "application/json"}  # noqa: RUF012 - locust's own spelling

    def on_start(self) -> None:
        """Put the user's own entity there."""
        options = self.environment.parsed_options
        self.kind = options.entity_type
        self.tenant = {"NGSILD-Tenant": options.tenant} if options.tenant else {}
        self.own = f"urn:ngsi-ld:{self.kind}:load:{uuid.uuid4()}"
        self.known = [self.own]
        entity = {"id": self.own, "type": self.kind, **self._measured()}
        self._call("POST", "/entities", "/entities", json=entity)

    def on_stop(self) -> None:
        """Take it away again."""
        self._call("DELETE", f"/entities/{self.own}", "/entities/{id}")

    @task(4)
    def move(self) -> None:
        """Update the own entity."""
        self._call("PATCH", f"/entities/{self.own}/attrs", "/entities/{id}/attrs", json=self._measured())

    @task(10)
    def query_by_type(self) -> None:
        """A page of entities of the type, normalized."""
        query = f"/entities?type={self.kind}&limit=100"
        found = self._call("GET", query, "/entities?type")
        self.known = [entity["id"] for entity in found or ()] or [self.own]

    @task(5)
    def query_near(self) -> None:
        """Entities near a point, simplified."""
        point = [round(centre + random.gauss(0, 0.01), 5) for centre in CENTRE]
        near = f"georel=near;maxDistance==1000&geometry=Point&coordinates={point}".replace(" ", "")
        query = f"/entities?type={self.kind}&{near}&options=keyValues&limit=100"
        self._call("GET", query, "/entities?georel=near")

    @task(10)
    def retrieve(self) -> None:
        """One entity of the last page; another user may have taken it away meanwhile."""
        self._call("GET", f"/entities/{random.choice(self.known)}", "/entities/{id}", may_be_gone=True)

    @tag("temporal")
    @task(3)
    def history(self) -> None:
        """The last values of the own entity within the hour."""
        since = _moment(timedelta(hours=1))
        query = f"/temporal/entities/{self.own}?timerel=after&timeAt={since}&lastN=100"
        self._call("GET", query, "/temporal/entities/{id}")

    @tag("subscription")
    @task(1)
    def subscribe_and_leave(self) -> None:
        """Create a subscription and delete it."""
        name = f"urn:ngsi-ld:Subscription:load:{uuid.uuid4()}"
        subscription: dict[str, Any] = {
            "id": name,
            "type": "Subscription",
            "entities": [{"type": WATCHED}],
            "notification": {"endpoint": {"uri": "http://127.0.0.1:9/", "accept": "application/json"}},
        }
        self._call("POST", "/subscriptions", "/subscriptions", json=subscription)
        self._call("DELETE", f"/subscriptions/{name}", "/subscriptions/{id}")

    def _measured(self) -> dict[str, Any]:
        at = _moment()
        point = [round(centre + random.gauss(0, 0.01), 6) for centre in CENTRE]
        place = {"type": "Point", "coordinates": point}
        return {
            "location": {"type": "GeoProperty", "value": place, "observedAt": at},
            "speed": {"type": "Property", "value": time.time() % 25, "unitCode": "KMH", "observedAt": at},
        }

    def _call(
        self, method: str, path: str, name: str, *, json: object = None, may_be_gone: bool = False
    ) -> Any:
        """One request; what it answers, None where it answers nothing or fails."""
        with self.client.request(
            method, "/ngsi-ld/v1" + path, name=name, json=json, headers=self.tenant, catch_response=True
        ) as response:
            if response.status_code == 404 and may_be_gone:
                response.success()
                return None
            if not 200 <= response.status_code < 300:
                response.failure(f"{response.status_code}: {(response.text or '')[:200]}")
                return None
            return response.json() if response.content else None
