"""What ngsildclient, a published client, makes of a broker: `ngsildclient_session.py PORT` tells it as JSON.

It runs in an environment of its own: the client wants libraries older than ours. Only the methods that it
documents are called, as its users call them.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

from ngsildclient import Client, Entity, SubscriptionBuilder
from ngsildclient.api.helper.temporal import TemporalQuery

AT = "2026-11-21T00:00:00Z"
NEVER = "http://127.0.0.1:1/notify"
TERMS = {"@context": {"level": "https://example.org/level"}}


def gauge(number: int, level: float) -> Entity:
    """A river gauge as its users build one."""
    entity = Entity("RiverGauge", f"Namiki:{number}")
    entity.prop("level", level, unitcode="MTR", observedat=AT)
    entity.tprop("seen", AT)
    entity.loc(36.05, 136.2)
    entity.rel("river", "River:Asuwa")
    return entity


def members(entity: Entity) -> dict[str, Any]:
    """All of an entity but its @context, whose address the broker chooses."""
    return {name: value for name, value in entity.to_dict().items() if name != "@context"}


def one(client: Client) -> dict[str, Any]:
    """One entity from its creation to its deletion."""
    sent = gauge(1, 1.5)
    answer = {
        "created": client.create(sent),
        "same": members(client.get(sent)) == members(sent),
        "exists": client.exists(sent),
    }
    try:
        client.create(sent)
    except Exception as error:  # noqa: BLE001 # its class is what is looked at
        answer["again"] = type(error).__name__
    sent["level.value"] = 2.5
    answer |= {"updated": client.update(sent), "level": client.get(sent)["level.value"]}
    answer |= {"upserted": client.upsert(gauge(1, 3.5)), "upsert": client.get(sent)["level.value"]}
    return answer | {"deleted": client.delete(sent), "left": client.exists(sent)}


def many(client: Client) -> dict[str, Any]:
    """Batches, queries, counts and deletions by query."""
    gauges = [gauge(number, number) for number in range(25)]
    answer = {
        "created": client.create(gauges).n_ok,
        "upserted": client.upsert(gauges).ok,
        "updated": client.batch.update(gauges[:5]).n_ok,
        "count": client.count(type="RiverGauge"),
        "all": len(client.query(type="RiverGauge", limit=10)),
        "q": [found.id for found in client.query(q="level>22")],
        "head": len(client.query_head(type="RiverGauge", n=3)),
        "posted": client.alt.count({"type": "Query", "entities": [{"type": "RiverGauge"}], "q": "level<3"}),
        "types": client.types.list(),
        "removed": client.delete(gauges[:5]).n_ok,
    }
    client.delete_where(type="RiverGauge", q="level>=20")
    answer["where"] = client.count(type="RiverGauge")
    client.purge()
    return answer | {"purged": client.count(type="RiverGauge")}


def history(client: Client) -> dict[str, Any]:
    """The temporal evolution of one entity."""
    for level, minute in ((1, "00"), (2, "10"), (3, "20")):
        entity = Entity("RiverGauge", "Namiki:history").prop(
            "level", level, observedat=f"2026-11-21T00:{minute}:00Z"
        )
        client.upsert([entity], update=True)
    evolution = client.temporal.get("urn:ngsi-ld:RiverGauge:Namiki:history", attrs=["level"])
    found = client.temporal._query(
        type="RiverGauge", attrs=["level"], tq=TemporalQuery().after(AT), count=False
    ).result
    return {"values": evolution["level"]["values"], "after": found[0]["level"]["values"]}


def subscriptions(client: Client) -> dict[str, Any]:
    """A subscription from its creation to its deletion.

    The client's `name` is an old name of subscriptionName, and its `query` percent-encodes q, which clause
    4.9 wants in URIs only: both are left out.
    """
    wish = SubscriptionBuilder(NEVER).description("levels").select_type("RiverGauge").watch(["level"])
    identifier = client.subscriptions.create(wish.notif(["level"]).build())
    stored = client.subscriptions.get(identifier)
    return {
        "description": stored["description"],
        "watched": stored["watchedAttributes"],
        "listed": len(client.subscriptions.list("levels")),
        "exists": client.subscriptions.exists(identifier),
        "deleted": client.subscriptions.delete("levels"),
        "left": len(client.subscriptions.list()),
    }


def contexts(client: Client) -> dict[str, Any]:
    """A hosted @context from its addition to its deletion."""
    client.contexts.add(TERMS)
    (address,) = client.contexts.list("urn:ngsi-ld:Context")
    identifier = address.rpartition("/")[2]
    return {
        "content": client.contexts.get(identifier),
        "exists": client.contexts.exists(identifier),
        "deleted": client.contexts.delete(identifier),
        "left": client.contexts.exists(identifier),
    }


def tenants(client: Client) -> dict[str, Any]:
    """A tenant, which is there with its first entity."""
    client.create(gauge(9, 1))
    with Client(hostname=client.hostname, port=client.port, tenant="kure") as other:
        other.create(gauge(1, 1))
        other.create(gauge(2, 1))
        return {"theirs": other.count(type="RiverGauge"), "ours": client.count(type="RiverGauge")}


PARTS: tuple[Callable[[Client], dict[str, Any]], ...] = (
    one, many, history, subscriptions, contexts, tenants,
)  # fmt: skip


def main(port: int) -> None:
    """Tell what each part saw."""
    with Client(hostname="127.0.0.1", port=port, verbose=False) as client:
        print("\n" + json.dumps({part.__name__: part(client) for part in PARTS}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
