"""Requests to sources (clauses 5.2.34 and 6.3.17)."""

import asyncio
from collections.abc import Sequence

import httpx
import pytest
from machinami.federation.client import SourceClient
from machinami.federation.exchange import Forward, Reply
from machinami.federation.registration import Mode, Registration
from machinami.ngsild.context import CORE
from msgspec.structs import replace

URL = "http://127.0.0.1:9/ngsi-ld/v1/entities"


def forward(cooldown: float | None = 60) -> Forward:
    registration = Registration(
        tenant=1,
        id="urn:x:1",
        mode=Mode.INCLUSIVE,
        operations=frozenset(),
        endpoint="http://127.0.0.1:9",
        information=(),
        cooldown=cooldown,
    )
    return Forward(registration=registration, method="GET", url=URL, headers={}, context=CORE)


def answers(statuses: Sequence[int], *given: Forward) -> list[Reply]:
    """Of a source that gives these answers, to one request after another; the last comes again and again."""
    rest = iter(statuses)
    forwards = [*given, *[given[-1]] * (len(statuses) - len(given))]

    async def ask() -> list[Reply]:
        transport = httpx.MockTransport(lambda _: httpx.Response(next(rest)))
        async with httpx.AsyncClient(transport=transport) as client:
            sources = SourceClient(client, 5.0)
            return [reply for each in forwards for reply in await sources.send_all([each])]

    return asyncio.run(ask())


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_source_that_fails_is_left_alone_for_its_cooldown(status: int) -> None:
    first, second = answers([status, 200], forward())
    assert (first.status, second.status) == (status, 0)
    assert "left alone" in second.problem


@pytest.mark.parametrize("status", [200, 404, 403, 508])
def test_a_source_that_answers_is_asked_again(status: int) -> None:
    assert [reply.status for reply in answers([status, 200], forward())] == [status, 200]


def test_a_cooldown_is_that_of_one_registration() -> None:
    tired = forward()
    other = replace(tired, registration=replace(tired.registration, id="urn:x:2"))
    assert [reply.status for reply in answers([500, 200], tired, other)] == [500, 200]


def test_without_a_cooldown_a_source_is_asked_again() -> None:
    assert [reply.status for reply in answers([500, 200], forward(cooldown=None))] == [500, 200]
