"""Requests to sources: side by side, each with its timeout; pauses after failures, answers kept a while."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeAlias

import httpx
import msgspec

from machinami.federation.exchange import Forward, Reply
from machinami.federation.registration import Registration
from machinami.model import format_time
from machinami.ngsild.durations import parse_duration

MAX_BYTES = 64 * 2**20
"""Bytes that one answer may have."""

_KEPT = 1_000  # answers kept at a time

_FAILURES = frozenset({0, 500, 502, 503, 504})
"""Answers, 0 for none, after which a source is left alone for its cooldown (Table 5.2.34-1)."""

Key: TypeAlias = tuple[int, str]
"""Tenant and id of a registration."""


class Activity(msgspec.Struct, kw_only=True):
    """What became of requests to one source since it was last written down (Table 5.2.9-2)."""

    counters: Counter[str] = msgspec.field(default_factory=Counter[str])
    members: dict[str, str] = msgspec.field(default_factory=dict[str, str])

    def note(self, *, succeeded: bool) -> None:
        """Count one request."""
        now = format_time(datetime.now(UTC))
        self.counters["timesSent"] += 1
        if not succeeded:
            self.counters["timesFailed"] += 1
        self.members |= {
            "status": "ok" if succeeded else "failed",
            "lastSuccess" if succeeded else "lastFailure": now,
        }


class SourceClient:
    """Sends requests to sources.

    Args:
        timeout: seconds that a source may take whose registration does not say.
    """

    def __init__(self, client: httpx.AsyncClient, timeout: float) -> None:
        self._client = client
        self._timeout = timeout
        self._resting: dict[Key, float] = {}
        self._kept: dict[tuple[object, ...], tuple[float, Reply]] = {}
        self._activity: dict[Key, Activity] = {}

    async def send_all(self, forwards: Sequence[Forward]) -> list[Reply]:
        """Send requests side by side; an answer for each, in their order."""
        return list(await asyncio.gather(*(self._send(forward) for forward in forwards)))

    def take_activity(self) -> dict[Key, Activity]:
        """What happened since this was last asked."""
        taken, self._activity = self._activity, {}
        return taken

    async def _send(self, forward: Forward) -> Reply:
        registration = forward.registration
        now = time.monotonic()
        key = (
            registration.tenant,
            registration.id,
            forward.url,
            forward.parameters,
            *sorted(forward.headers.items()),
        )
        if forward.method == "GET" and key in self._kept and self._kept[key][0] > now:
            return msgspec.structs.replace(self._kept[key][1], stale=True)
        if self._resting.get((registration.tenant, registration.id), 0.0) > now:
            return Reply(forward=forward, problem="is left alone for a while after a failure")
        reply = await self._request(forward)
        self._note(registration, reply)
        if registration.cache_duration and forward.method == "GET" and reply.is_success:
            self._keep(key, reply)
        return reply

    async def _request(self, forward: Forward) -> Reply:
        timeout = forward.registration.timeout or self._timeout
        try:
            async with (
                asyncio.timeout(timeout),
                self._client.stream(
                    forward.method,
                    forward.target,
                    headers=dict(forward.headers),
                    content=forward.body or None,
                    timeout=timeout,
                ) as response,
            ):
                body = await _bounded(response)
        except TimeoutError:
            return Reply(forward=forward, problem=f"did not answer within {timeout:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return Reply(forward=forward, problem=f"cannot be reached: {error or type(error).__name__}")
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(forward=forward, status=response.status_code, headers=headers, body=body)

    def _note(self, registration: Registration, reply: Reply) -> None:
        activity = self._activity.setdefault((registration.tenant, registration.id), Activity())
        activity.note(succeeded=200 <= reply.status < 300)
        if reply.status in _FAILURES and registration.cooldown:
            self._resting[registration.tenant, registration.id] = time.monotonic() + registration.cooldown

    def _keep(self, key: tuple[object, ...], reply: Reply) -> None:
        if len(self._kept) >= _KEPT:
            self._kept.pop(next(iter(self._kept)))
        seconds = parse_duration(reply.forward.registration.cache_duration, "cacheDuration").total_seconds()
        self._kept[key] = (time.monotonic() + seconds, reply)


async def _bounded(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_BYTES:
            raise ValueError(f"its answer has more than {MAX_BYTES} bytes")
    return bytes(body)
