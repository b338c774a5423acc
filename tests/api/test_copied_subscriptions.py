"""Subscriptions that sources have copies of, among three brokers (clauses 5.8.1, 5.8.2, 5.8.5 and 5.8.6)."""

import asyncio
from typing import Any

import httpx
import pytest
from api_receivers import Receivers, deliver, subscribe
from api_samples import gauge
from machinami.federation.copying import INBOUND, Copying
from machinami.federation.sources import Sources
from machinami.linkage.contexts import Contexts
from machinami.settings import Settings
from sqlalchemy import Engine

G1, G2 = (f"urn:ngsi-ld:FloodMonitoring:river:{number}" for number in (1, 2))
GAUGES = {"entities": [{"type": "FloodMonitoring"}]}
Broker = tuple[httpx.Client, Engine]


class World:
    """Three brokers, of which each tells its sources and its subscribers what it has to when asked to."""

    def __init__(self, brokers: list[Broker]) -> None:
        self.brokers = brokers
        self.here, self.north, self.south = (client for client, _ in brokers)
        self.subscribers = Receivers()
        self.refused: set[str] = set()

    def register(self, at: httpx.Client, source: httpx.Client, **more: Any) -> str:
        """Register one broker as a source of another; the path of the registration."""
        document = {
            "type": "ContextSourceRegistration",
            "information": [GAUGES],
            "endpoint": _base(source),
            **more,
        }
        created = at.post("/csourceRegistrations", json=document)
        assert created.status_code == 201, created.text
        return created.headers["Location"].removeprefix("/ngsi-ld/v1")

    def settle(self) -> None:
        """Everything that is to be told is told, over as many brokers as there are."""
        for _ in self.brokers:
            for client, engine in self.brokers:
                asyncio.run(_copy(engine, _base(client)))
        for _ in self.brokers:
            for _, engine in self.brokers:
                deliver(engine, self._deliver)

    @property
    def levels(self) -> list[Any]:
        """What the subscriber was told, in order."""
        return self.subscribers.levels("a")

    def _deliver(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "a":
            return self.subscribers(request)
        answer = httpx.post(request.url, content=request.content, headers=request.headers)
        assert answer.status_code in (204, 404), answer.text
        return httpx.Response(answer.status_code)


async def _copy(engine: Engine, url: str) -> None:
    settings = Settings(context_fetch=False, source_private=True, source_timeout=5)
    sources = Sources(engine, settings)
    async with sources.opened():
        await Copying(engine, Contexts(engine, settings), sources, base_url=url).round()


def _base(client: httpx.Client) -> str:
    return str(client.base_url).removesuffix("/ngsi-ld/v1/")


def _copies(client: httpx.Client) -> list[dict[str, Any]]:
    return [each for each in client.get("/subscriptions").json() if "distsub" in each["id"]]


@pytest.fixture
def world(brokers: list[Broker]) -> World:
    return World(brokers)


def test_a_source_tells_of_its_changes(world: World) -> None:
    """The reduced copy, and what it leads to: the subscriber hears from its own broker only."""
    information = [{**GAUGES, "propertyNames": ["currentLevel"]}]
    world.register(world.here, world.north, information=information)
    path = subscribe(world.here, q="currentLevel>2")
    world.settle()
    [copy] = _copies(world.north)
    assert (copy["watchedAttributes"], copy["q"]) == (["currentLevel"], "currentLevel>2")
    assert copy["notification"]["endpoint"]["uri"].startswith(f"{_base(world.here)}{INBOUND}/")
    for level in (5, 1, 7):
        world.north.post("/entityOperations/upsert", json=[gauge(G1, level=level, name="北")])
        world.settle()
    assert world.levels == [5, 7]
    [first, _] = world.subscribers.got["a"]
    assert first["subscriptionId"] == path.removeprefix("/subscriptions/")
    assert first["data"][0].keys() == {"id", "type", "currentLevel"}  # of the name it is no source
    assert world.here.get(path).json()["notification"]["timesSent"] == 2


def test_a_changed_subscription_changes_its_copies(world: World) -> None:
    """Clause 5.8.2.4; a member that is gone is removed there too."""
    world.register(world.here, world.north)
    path = subscribe(world.here, q="currentLevel>2")
    world.settle()
    world.here.patch(path, json={"q": "urn:ngsi-ld:null", "isActive": False})
    world.settle()
    [copy] = _copies(world.north)
    assert ("q" in copy, copy["isActive"]) == (False, False)
    world.here.patch(path, json={"isActive": True})
    world.settle()
    world.north.post("/entities", json=gauge(G1, level=1))
    world.settle()
    assert world.levels == [1]
    world.here.delete(path)
    world.settle()
    assert _copies(world.north) == []


def test_copies_follow_registrations(world: World) -> None:
    """One that comes later, one that moves to another broker, one that goes."""
    subscribe(world.here)
    world.settle()
    path = world.register(world.here, world.north)
    world.settle()
    assert len(_copies(world.north)) == 1
    world.here.patch(path, json={"endpoint": _base(world.south)})
    world.settle()
    assert (len(_copies(world.north)), len(_copies(world.south))) == (0, 1)
    world.here.delete(path)
    world.settle()
    assert _copies(world.south) == []


@pytest.mark.parametrize(
    ("registration", "subscription"),
    [
        ({"mode": "auxiliary", "operations": ["retrieveOps"]}, {}),
        ({"operations": ["redirectionOps"]}, {}),
        ({"information": [{"entities": [{"type": "Vehicle"}]}]}, {}),
        ({"operator": "road office"}, {"csf": 'operator=="river office"'}),
        ({}, {"localOnly": True}),
    ],
)
def test_who_gets_no_copy(world: World, registration: dict[str, Any], subscription: dict[str, Any]) -> None:
    world.register(world.here, world.north, **registration)
    subscribe(world.here, **subscription)
    world.settle()
    assert _copies(world.north) == []


def test_a_deletion_at_a_source(world: World) -> None:
    world.register(world.here, world.north)
    subscribe(world.here, notificationTrigger=["entityDeleted"], q="currentLevel>1")
    world.north.post("/entities", json=gauge(G1, level=3))
    world.settle()
    world.north.delete(f"/entities/{G1}")
    world.settle()
    [body] = world.subscribers.got["a"]
    assert body["data"][0].keys() == {"id", "type", "deletedAt"}


def test_parts_of_several_places_are_put_together(world: World) -> None:
    """Clause 5.8.6: with splitEntities the query is asked of the whole, here."""
    world.register(world.here, world.north)
    world.register(world.here, world.south)
    subscribe(world.here, splitEntities=True, q='currentLevel>2;name=="並木"')
    world.settle()
    assert "q" not in _copies(world.north)[0]
    for city, parts in ((world.south, {"name": "並木"}), (world.here, {"alertLevel": "watch"})):
        entity = {"id": G1, "type": "FloodMonitoring"}
        members = {name: {"type": "Property", "value": value} for name, value in parts.items()}
        assert city.post("/entities", params={"local": "true"}, json={**entity, **members}).status_code == 201
    for level in (1, 5):
        world.north.post("/entityOperations/upsert", json=[gauge(G1, level=level)])
        world.settle()
    [body] = world.subscribers.got["a"]
    assert {"name", "alertLevel", "currentLevel"} <= body["data"][0].keys()


def test_a_ring_of_brokers_ends(world: World) -> None:
    """A copy is not copied to where it came from (clause 4.3.6.4)."""
    world.register(world.here, world.north)
    world.register(world.north, world.south)
    world.register(world.south, world.here)
    subscribe(world.here)
    world.settle()
    assert [len(_copies(city)) for city in (world.here, world.north, world.south)] == [0, 1, 1]
    world.south.post("/entities", json=gauge(G2, level=4))
    world.settle()
    assert world.levels == [4]


def test_whoever_does_not_know_the_address_tells_nothing(world: World) -> None:
    world.register(world.here, world.north)
    subscribe(world.here)
    world.settle()
    [copy] = _copies(world.north)
    told = {"type": "Notification", "subscriptionId": copy["id"], "data": [gauge(G1, level=9)]}
    address = copy["notification"]["endpoint"]["uri"]
    assert httpx.post(f"{_base(world.here)}{INBOUND}/guessed", json=told).status_code == 404
    assert httpx.post(address, json={**told, "subscriptionId": "urn:x:other"}).status_code == 404
    assert httpx.post(address, json={**told, "data": {}}).status_code == 400
    assert httpx.post(address, json={**told, "data": [{"id": G1, "type": "Vehicle"}]}).status_code == 204
    world.settle()
    assert world.levels == []
    assert httpx.post(address, json=told).status_code == 204
    world.settle()
    assert world.levels == [9]
