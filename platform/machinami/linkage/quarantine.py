"""Quarantine: looked at, replayed once its connector is mended, discarded.

A message may have several rejections, one for each attribute that could not be read; replay and discard act
on the whole message. A replayed message goes into the stream again as its device sent it, with the time at
which it was first received: ingest reads it with the connectors of now, and what is rejected again comes back
as a new rejection. It leaves quarantine only when the stream has stored it, so whoever dies in between leaves
it in both; replaying it once more changes nothing, because history is unique by series and time.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
from sqlalchemy import Engine

from machinami.errors import InvalidRequest, NotFound
from machinami.linkage.read import Page, tenant_of
from machinami.store import queries_quarantine as queries
from machinami.store.engine import transaction
from machinami.store.queries_quarantine import Choice, Held, Quarantined
from machinami.store.reading import reading

__all__ = ["Choice", "FoundQuarantine", "Quarantined", "Replayed"]

_AT_ONCE = 50
"""Messages in memory; each may have a megabyte."""


class Publisher(Protocol):
    """Where replayed messages go; `machinami.stream.client.MessageStream` is one."""

    async def publish(self, topic: str, payload: bytes, received_at: datetime | None = None) -> None:
        """Returns when it is stored; raises InvalidRequest where it never can be."""
        ...


class FoundQuarantine(msgspec.Struct, frozen=True, kw_only=True):
    """One page of rejections, newest first; see `machinami.linkage.read.Found`."""

    rejections: list[Quarantined]
    more: bool = False
    total: int | None = None


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a replay.

    Attributes:
        replayed: messages that are in the stream again, and no more in quarantine.
        left: messages that the broker takes from nobody, because they are too large; they stay.
    """

    replayed: int = 0
    left: int = 0


def query_quarantine(
    engine: Engine, tenant: str, choice: Choice, page: Page, device: Callable[[str], str]
) -> FoundQuarantine:
    """Rejections, newest first.

    Args:
        device: names the device of a topic.
    """
    number = tenant_of(engine, tenant)
    with reading(engine) as connection:
        total = queries.count_quarantine(connection, number, choice) if page.count else None
        wanted = page.limit + 1 if page.limit else 0
        found = queries.fetch_quarantine(connection, number, choice, limit=wanted, offset=page.offset)
    named = [_with_device(item, device) for item in found[: page.limit]]
    return FoundQuarantine(rejections=named, more=len(found) > page.limit, total=total)


def retrieve_quarantined(
    engine: Engine, tenant: str, number: int, device: Callable[[str], str]
) -> Quarantined:
    """One rejection, whole.

    Raises:
        NotFound: none has this id.
    """
    tenant_number = tenant_of(engine, tenant)
    with reading(engine) as connection:
        found = queries.fetch_quarantined(connection, tenant_number, number)
    if found is None:
        raise _not_found(number)
    return _with_device(found, device)


async def replay(engine: Engine, tenant: str, choice: Choice, stream: Publisher) -> Replayed:
    """Put the messages of the chosen rejections into the stream again, oldest first.

    Needs an event loop of its own: the database is waited for in it.

    Raises:
        NotFound: the choice names an id that nothing has.
        Unavailable: broker or database do not answer; what was stored by then has left quarantine.
    """
    number, after, result = tenant_of(engine, tenant), 0, Replayed()
    with reading(engine) as connection:
        through = queries.newest_rejection(connection, number)
    while held := _next(engine, number, choice, after, through):
        after = max(message.id for message in held)
        replayed = await _replay(engine, number, held, stream)
        left = result.left + len(held) - replayed
        result = Replayed(replayed=result.replayed + replayed, left=left)
    if choice.id is not None and not after:
        raise _not_found(choice.id)
    return result


def discard(engine: Engine, tenant: str, choice: Choice) -> int:
    """Delete the messages of the chosen rejections for good; how many there were.

    Raises:
        NotFound: the choice names an id that nothing has.
    """
    number = tenant_of(engine, tenant)
    with transaction(engine) as connection:
        discarded = queries.delete_chosen(connection, number, choice)
    if choice.id is not None and not discarded:
        raise _not_found(choice.id)
    return discarded


def chosen(connector: str | None, topic: str | None) -> Choice:
    """A choice of many, which must name something: nobody replays or discards all by leaving a word out.

    Raises:
        InvalidRequest: neither is given.
    """
    if connector is None and topic is None:
        raise InvalidRequest(
            "which messages is not said", field="topic", cure="Name a connector or a topic; topic # is all"
        )
    return Choice(connector=connector, topic=topic)


def _next(engine: Engine, tenant: int, choice: Choice, after: int, through: int) -> list[Held]:
    with reading(engine) as connection:
        return queries.fetch_held(connection, tenant, choice, after=after, through=through, limit=_AT_ONCE)


async def _replay(engine: Engine, tenant: int, held: Sequence[Held], stream: Publisher) -> int:
    stored: list[Held] = []
    try:
        for message in held:
            if await _publish(message, stream):
                stored.append(message)  # noqa: PERF401 # what is stored counts even where the next one fails
    finally:
        with transaction(engine) as connection:
            queries.delete_held(connection, tenant, stored)
    return len(stored)


async def _publish(message: Held, stream: Publisher) -> bool:
    try:
        await stream.publish(message.topic, message.payload, message.received_at)
    except InvalidRequest:
        return False
    return True


def _with_device(item: Quarantined, device: Callable[[str], str]) -> Quarantined:
    return msgspec.structs.replace(item, device=device(item.topic))


def _not_found(number: int) -> NotFound:
    return NotFound(f"nothing in quarantine has the id {number}", field="id", value=number)
