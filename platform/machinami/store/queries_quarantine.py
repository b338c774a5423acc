"""What is in quarantine: a row for each rejection of a message, found, counted, deleted."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, LargeBinary, and_, case, delete, func, null, select, tuple_

from machinami.store.tables import quarantine

SHOWN_BYTES = 4096
"""A list holds payloads up to this length; one that is longer is read with its rejection alone."""


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """One rejection of one message, with the original bytes (in JSON: base64).

    Attributes:
        id: counts up; the newest rejection has the largest.
        device: as the connector's topic names it; empty where no connector declares the topic.
        partial: the rest of the message was sound and is stored.
        size: bytes of the payload.
        payload: None in a list where it is longer than `SHOWN_BYTES`.
    """

    id: int
    received_at: datetime
    connector: str
    topic: str
    device: str = ""
    field: str
    value: str
    reason: str
    cure: str
    partial: bool
    size: int
    payload: bytes | None


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which rejections are meant; a member that is None asks for nothing.

    Attributes:
        topic: a topic, or an MQTT topic filter with ``+`` and ``#``.
    """

    id: int | None = None
    connector: str | None = None
    topic: str | None = None


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it came in, and one of its rejections."""

    id: int
    stream: str
    sequence: int
    topic: str
    payload: bytes
    received_at: datetime


_OF_MESSAGE = (quarantine.c.stream, quarantine.c.sequence)
_SIZE = func.octet_length(quarantine.c.payload)
_SHORT_PAYLOAD = case((_SIZE <= SHOWN_BYTES, quarantine.c.payload), else_=null())
_HELD = [quarantine.c[name] for name in Held.__struct_fields__]


def count_quarantine(connection: Connection, tenant: int, choice: Choice) -> int:
    """How many rejections there are."""
    query = select(func.count()).select_from(quarantine).where(_chosen(tenant, choice))
    return connection.execute(query).scalar_one()


def fetch_quarantine(
    connection: Connection, tenant: int, choice: Choice, *, limit: int, offset: int = 0
) -> list[Quarantined]:
    """Rejections, newest first, without the long payloads."""
    query = _query(tenant, choice, _SHORT_PAYLOAD).order_by(quarantine.c.id.desc())
    rows = connection.execute(query.limit(limit).offset(offset)).mappings()
    return [Quarantined(**row) for row in rows]


def fetch_quarantined(connection: Connection, tenant: int, number: int) -> Quarantined | None:
    """One rejection, whole."""
    query = _query(tenant, Choice(id=number), quarantine.c.payload)
    row = connection.execute(query).mappings().one_or_none()
    return Quarantined(**row) if row else None


def newest_rejection(connection: Connection, tenant: int) -> int:
    """Id of the newest rejection; 0 where there is none."""
    query = select(func.coalesce(func.max(quarantine.c.id), 0)).where(quarantine.c.tenant == tenant)
    return connection.execute(query).scalar_one()


def fetch_held(
    connection: Connection, tenant: int, choice: Choice, *, after: int, through: int, limit: int
) -> list[Held]:
    """Messages of the chosen rejections, oldest first, each once.

    Args:
        after: only rejections with a larger id, for going on.
        through: only rejections up to this id, so that those to come are left alone.
        limit: rejections that are looked at, at most.
    """
    between = and_(quarantine.c.id > after, quarantine.c.id <= through)
    query = select(*_HELD).where(_chosen(tenant, choice), between).order_by(quarantine.c.id).limit(limit)
    rows = connection.execute(query).mappings()
    return list({(row["stream"], row["sequence"]): Held(**row) for row in rows}.values())


def delete_held(connection: Connection, tenant: int, messages: Iterable[Held]) -> None:
    """Delete every rejection of these messages."""
    keys = [(message.stream, message.sequence) for message in messages]
    if keys:
        chosen = and_(quarantine.c.tenant == tenant, tuple_(*_OF_MESSAGE).in_(keys))
        connection.execute(delete(quarantine).where(chosen))


def delete_chosen(connection: Connection, tenant: int, choice: Choice) -> int:
    """Delete every rejection of the messages that the choice has a rejection of; how many messages."""
    messages = select(*_OF_MESSAGE).where(_chosen(tenant, choice))
    chosen = and_(quarantine.c.tenant == tenant, tuple_(*_OF_MESSAGE).in_(messages))
    rows = connection.execute(delete(quarantine).where(chosen).returning(*_OF_MESSAGE))
    return len({tuple(row) for row in rows})


def _query(tenant: int, choice: Choice, payload: ColumnElement[Any]) -> Any:
    computed = {"size": _SIZE.label("size"), "payload": payload.cast(LargeBinary).label("payload")}
    names = [name for name in Quarantined.__struct_fields__ if name != "device"]
    columns = [computed[name] if name in computed else quarantine.c[name] for name in names]
    return select(*columns).where(_chosen(tenant, choice))


def _chosen(tenant: int, choice: Choice) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [quarantine.c.tenant == tenant]
    if choice.id is not None:
        conditions.append(quarantine.c.id == choice.id)
    if choice.connector is not None:
        conditions.append(quarantine.c.connector == choice.connector)
    if choice.topic is not None:
        conditions.append(quarantine.c.topic.regexp_match(topic_pattern(choice.topic)))
    return and_(*conditions)


def topic_pattern(topic: str) -> str:
    """An MQTT topic filter as a regular expression: ``+`` is a level, ``/#`` at the end the rest or none."""
    if topic == "#":
        return "^"
    head, rest = (topic[:-2], "(/|$)") if topic.endswith("/#") else (topic, "$")
    levels = ("[^/]*" if level == "+" else re.escape(level) for level in head.split("/"))
    return f"^{'/'.join(levels)}{rest}"
