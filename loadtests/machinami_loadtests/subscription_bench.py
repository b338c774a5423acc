"""What subscriptions cost a batch of ingestion: the same batches with 0, 100 and 10,000 of them.

Ten of them ask for a whole type and a threshold, as dashboards do; all others for one device and a threshold,
as an application does for what it shows. None is ever met: what is measured is the search, not the
notifications, which cost whoever wants them.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import msgspec
from machinami.linkage.subscribing import create_subscription
from machinami.linkage.write import Linkage
from machinami.model import DEFAULT_TENANT, Change
from machinami.ngsild.context import CORE_URL
from sqlalchemy import Engine, text

from machinami_loadtests.storage_bench import bench_database

Say = Callable[[str], None]

COUNTS = (0, 100, 10_000)
"""Subscriptions, in the order measured."""

_TYPE, _LEVEL = "urn:bench:Meter", "urn:bench:level"
_WIDE = 10  # that ask for the type


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Medians over the batches, in milliseconds.

    Attributes:
        batch: from the changes to the commit.
        cpu: processor time of this process in it; the database's own is not in it.
        first: the first batch after the subscriptions changed, which reads them.
    """

    subscriptions: int
    batch: float
    cpu: float
    first: float


def bench_subscriptions(server_url: str, *, changes: int, batches: int, say: Say) -> list[Cost]:
    """Commit the same batches again and again, with more subscriptions each time.

    Args:
        changes: in a batch, each of a device of its own.
        batches: for each number of subscriptions.
    """
    costs: list[Cost] = []
    with bench_database(server_url) as engine:
        linkage, clock, there = Linkage(engine), datetime.now(UTC), 0
        _commit(linkage, changes, clock)
        for count in COUNTS:
            say(f"{count:,} subscriptions")
            _subscribe(engine, range(there, count))
            there = count
            times: list[tuple[float, float]] = []
            for _ in range(batches + 1):
                clock += timedelta(seconds=1)
                times.append(_commit(linkage, changes, clock))
            costs.append(_cost(count, times))
    return costs


def _cost(count: int, times: Sequence[tuple[float, float]]) -> Cost:
    first, *others = times
    return Cost(
        subscriptions=count,
        batch=median(wall for wall, _ in others),
        cpu=median(cpu for _, cpu in others),
        first=first[0],
    )


def _commit(linkage: Linkage, changes: int, clock: datetime) -> tuple[float, float]:
    observed = clock.isoformat()
    batch = [_change(number, observed) for number in range(changes)]
    wall, cpu = time.perf_counter(), time.process_time()
    linkage.apply(batch)
    return (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000


def _change(number: int, observed: str) -> Change:
    level: dict[str, Any] = {"type": "Property", "value": number % 50, "observedAt": observed}
    return Change(entity_id=_device(number), types=(_TYPE,), attributes={_LEVEL: [level]}, only_newer=True)


def _subscribe(engine: Engine, numbers: range) -> None:
    for number in numbers:
        wide = number < _WIDE
        selector = {"types": [[_TYPE]], "ids": [] if wide else [_device(number)], "id_pattern": ""}
        document = {
            "entities": [selector],
            "q": "level>1000000",
            "terms": {"level": _LEVEL},
            "notification": {"endpoint": {"uri": "http://127.0.0.1:9/"}},
        }
        create_subscription(engine, DEFAULT_TENANT, f"urn:bench:Subscription:{number}", document, CORE_URL)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE subscription"))


def _device(number: int) -> str:
    return f"urn:bench:Meter:{number}"
