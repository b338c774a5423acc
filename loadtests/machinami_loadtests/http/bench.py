"""What API requests cost: retrieve and PATCH beside the bare handler, queries by value and area, batches."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx
import msgspec
from machinami.local.ports import LOOPBACK, free_port

from machinami_loadtests.http.asked import BATCH, patches, query, retrievals, upserts
from machinami_loadtests.http.hammer import Tally, encode, hammer
from machinami_loadtests.http.lasting import hold
from machinami_loadtests.standin import BenchCity, bench_city

Say = Callable[[str], None]

_CONNECTIONS = 16
_BARE_POOL = 16
_PATIENCE = 60.0
_ROUNDS = 2
_FIRST_DAY = "2026-01-01T00:00:00Z"


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How much: entities that are there, requests of each kind, minutes of all of them (`hold`)."""

    entities: int = 100_000
    retrievals: int = 10_000
    patches: int = 4_000
    queries: int = 400
    minutes: int = 0


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Answers a second, ours and the bare handler's; CPU in µs a request of the server's process."""

    ours: float
    bare: float
    ours_cpu: float
    bare_cpu: float
    p99_ms: float

    @property
    def ratio(self) -> float:
        """Ours to the bare one's."""
        return self.ours / self.bare


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured.

    Attributes:
        create_per_second, update_per_second: entities, in batches of `BATCH`, one batch at a time.
        query_p50_ms, query_p99_ms: type, value and area together, two clients at a time.
        found: entities that such a query finds on average.
        memory_mib: of the API's process: after the measurements, then at each sixth of the minutes of load.
    """

    entities: int
    create_per_second: float
    update_per_second: float
    retrieve: Pair
    patch: Pair
    query_p50_ms: float
    query_p99_ms: float
    found: float
    memory_mib: Sequence[float]


def bench_api(folder: Path, size: Size, database_url: str | None, say: Say) -> Report:
    """Measure on this machine, in an empty folder."""
    with ExitStack() as stack:
        city = stack.enter_context(bench_city(folder, database_url))
        api = stack.enter_context(_Server(city, "api", "-m", "machinami", "api", "--data-dir", str(folder)))
        say(f"batch upsert of {size.entities:,} entities, {BATCH:,} at a time")
        created, updated = _measure_batches(api.url, size.entities)
        module = "machinami_loadtests.http.bare"
        bare = stack.enter_context(_Server(city, "bare", "-m", module, str(folder), pool=str(_BARE_POOL)))
        say("retrieve by id")
        retrieve = _measure_pair(api, bare, lambda url: retrievals(url, size.retrievals, size.entities))
        say("PATCH of an attribute")
        patch = _measure_pair(api, bare, lambda url: patches(url, size.patches, size.entities))
        say("query by type, value and area")
        found, answers = _measure_queries(api.url, size.queries)
        memory = hold(api.url, size.entities, size.minutes, api.memory, say)
        return Report(
            entities=size.entities,
            create_per_second=created,
            update_per_second=updated,
            retrieve=retrieve,
            patch=patch,
            query_p50_ms=answers.percentile(50),
            query_p99_ms=answers.percentile(99),
            found=found,
            memory_mib=[each / 2**20 for each in memory],
        )


class _Server(ExitStack):
    """A server's process on a free port, as a role of the city; left as a context manager."""

    def __init__(self, city: BenchCity, name: str, *command: str, pool: str = "") -> None:
        super().__init__()
        self._city, self._name, self._command, self._pool = city, name, command, pool
        self._port = free_port()
        self.url = f"http://{LOOPBACK}:{self._port}" + ("/ngsi-ld/v1" if not pool else "")

    def __enter__(self) -> "_Server":
        port = [str(self._port), self._pool] if self._pool else ["--port", str(self._port)]
        self.enter_context(self._city.worker(*self._command, *port, name=self._name))
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            try:
                httpx.get(self.url)
            except httpx.HTTPError:
                time.sleep(0.1)
            else:
                return self
        raise RuntimeError(f"{self._name} did not start in {_PATIENCE:.0f} s")

    def cpu(self) -> float:
        """Seconds used so far."""
        return self._city.cpu()[self._name]

    def memory(self) -> int:
        """Resident bytes."""
        return int(self._city.roles[self._name].memory_info().rss)


def _measure_batches(url: str, entities: int) -> tuple[float, float]:
    """Entities a second when all are new, and when a tenth of them come again with new values."""
    rates: list[float] = []
    for count, moment in ((entities, _FIRST_DAY), (max(BATCH, entities // 10), "2026-01-02T00:00:00Z")):
        requests = upserts(url, range(count), entities, moment)
        rates.append(count / asyncio.run(hammer(url, requests, 1)).seconds)
    return rates[0], rates[1]


def _measure_pair(ours: _Server, bare: _Server, requests: Callable[[str], Iterator[bytes]]) -> Pair:
    """In turns, so that a neighbour on the machine troubles both alike."""
    tallies: dict[_Server, list[tuple[Tally, float]]] = {ours: [], bare: []}
    for _ in range(_ROUNDS):
        for server in (bare, ours):
            encoded, before = list(requests(server.url)), server.cpu()
            tally = asyncio.run(hammer(server.url, encoded, _CONNECTIONS))
            tallies[server].append((tally, (server.cpu() - before) / tally.requests * 1e6))
    return Pair(
        ours=max(tally.per_second for tally, _ in tallies[ours]),
        bare=max(tally.per_second for tally, _ in tallies[bare]),
        ours_cpu=min(cpu for _, cpu in tallies[ours]),
        bare_cpu=min(cpu for _, cpu in tallies[bare]),
        p99_ms=min(tally.percentile(99) for tally, _ in tallies[ours]),
    )


def _measure_queries(url: str, count: int) -> tuple[float, Tally]:
    urls = [query(url, seed) for seed in range(count)]
    found = sum(len(httpx.get(each).raise_for_status().json()) for each in urls[:20]) / 20
    return found, asyncio.run(hammer(url, [encode("GET", each) for each in urls], 2))
