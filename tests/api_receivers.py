"""Receivers of notifications for tests: what they got, and one round of a notifier that sends it to them."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
from machinami.linkage.contexts import Contexts
from machinami.linkage.outbox import Outbox
from machinami.notify.delivery import Notifier
from machinami.settings import Settings
from sqlalchemy import Engine

Receiver = Callable[[httpx.Request], httpx.Response]


class Receivers:
    """Endpoints by host: what each got, and how it answers."""

    def __init__(self) -> None:
        self.got: dict[str, list[Any]] = {}
        self.down: set[str] = set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.host in self.down:
            raise httpx.ConnectError("refused")
        self.got.setdefault(request.url.host, []).append(json.loads(request.content))
        return httpx.Response(200)

    def levels(self, host: str) -> list[Any]:
        """Levels that arrived, in order."""
        bodies = self.got.get(host, [])
        return [entity["currentLevel"]["value"] for body in bodies for entity in body["data"]]


def deliver(engine: Engine, receivers: Receiver, *, attempts: int = 10, pause: float = 0.0) -> None:
    """One round of the notifier."""

    async def run() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(receivers)) as client:
            contexts = Contexts(engine, Settings(context_fetch=False))
            notifier = Notifier(Outbox(engine), contexts, client, pause=lambda _: pause, attempts=attempts)
            await notifier.start_due()
            await notifier.settle()

    asyncio.run(run())


def subscribe(client: httpx.Client, host: str = "a", **more: Any) -> str:
    """A subscription to gauges; its path."""
    document = {
        "type": "Subscription",
        "entities": [{"type": "FloodMonitoring"}],
        "notification": {"endpoint": {"uri": f"http://{host}/notify"}},
        **more,
    }
    created = client.post("/subscriptions", json=document)
    assert created.status_code == 201, created.text
    return created.headers["Location"].removeprefix("/ngsi-ld/v1")
