"""Whether the API's memory stays what it is: the same load, minute after minute."""

import asyncio
import time
from collections.abc import Callable, Iterator

from machinami_loadtests.http.asked import BATCH, patches, query, retrievals, upserts
from machinami_loadtests.http.hammer import encode, hammer

_ROUND = 5.0
"""Seconds from one round of requests to the next."""
_RETRIEVALS, _PATCHES, _QUERIES = 300, 100, 20  # of a round, which has a batch as well
_PARTS = 6
_CONNECTIONS = 4


def hold(
    url: str, entities: int, minutes: int, memory: Callable[[], int], say: Callable[[str], None]
) -> list[int]:
    """The memory in bytes before, and at each sixth of so many minutes of load."""
    sizes = [memory()]
    if minutes:
        say(f"{minutes} minutes of all of them")
    began = time.monotonic()
    for nth in range(round(minutes * 60 / _ROUND)):
        asyncio.run(hammer(url, [*_round(url, nth, entities)], _CONNECTIONS))
        time.sleep(max(0.0, began + (nth + 1) * _ROUND - time.monotonic()))
        if time.monotonic() - began >= len(sizes) * minutes * 60 / _PARTS:
            sizes.append(memory())
            say(f"{(time.monotonic() - began) / 60:.0f} min: {sizes[-1] / 2**20:.0f} MiB")
    return sizes


def _round(url: str, nth: int, entities: int) -> Iterator[bytes]:
    yield from retrievals(url, _RETRIEVALS, entities)
    yield from patches(url, _PATCHES, entities)
    yield from (encode("GET", query(url, nth * _QUERIES + seed)) for seed in range(_QUERIES))
    start = nth * BATCH % max(1, entities - BATCH + 1)
    moment = f"2026-01-{4 + nth // 1440:02d}T{nth // 60 % 24:02d}:{nth % 60:02d}:00Z"
    yield from upserts(url, range(start, start + BATCH), entities, moment)
