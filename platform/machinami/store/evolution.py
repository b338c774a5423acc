"""Single instances of the history, changed and taken away (clauses 5.6.13 to 5.6.16). Inside a transaction.

A row is never removed: rollups and the writers' memory of a series rest on it. What is taken away leaves
`TAKEN_AWAY` in its place, which is a correction like any other.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from machinami.model import Entity, Instance
from machinami.store.queries_temporal import instance_id, read_instance_id
from machinami.store.queries_window import TAKEN_AWAY, is_there
from machinami.store.tables import departed, observation, series


def has_history(connection: Connection, tenant: int, entity_id: str, attributes: Sequence[str] = ()) -> bool:
    """Whether there is any instance of the entity's attributes; of these, where some are named."""
    rows = select(1).where(observation.c.series == series.c.series, is_there()).exists()
    named = [series.c.attribute.in_(attributes)] if attributes else []
    query = select(1).where(*_of(tenant, entity_id), *named, rows).limit(1)
    return connection.execute(query).first() is not None


def take_away(
    connection: Connection,
    tenant: int,
    entity_id: str,
    attribute: str | None = None,
    datasets: Collection[str] | None = None,
) -> int:
    """Take away all instances of an entity, of one attribute, or of some datasets of it.

    Args:
        datasets: dataset ids, '' for the default instance; None means all.

    Returns:
        How many there were.
    """
    wanted = _of(tenant, entity_id)
    if attribute is not None:
        wanted.append(series.c.attribute == attribute)
    if datasets is not None:
        wanted.append(series.c.dataset_id.in_(datasets))
    those = select(series.c.series).where(*wanted)
    return _write(connection, [observation.c.series.in_(those)], TAKEN_AWAY)


def forget(connection: Connection, tenant: int, entity_id: str) -> None:
    """Forget an entity that was deleted."""
    connection.execute(delete(departed).where(departed.c.tenant == tenant, departed.c.id == entity_id))


def fetch_departed(connection: Connection, tenant: int, entity_id: str) -> tuple[Entity, datetime] | None:
    """An entity that was deleted, without attributes, and when; it may be there again."""
    query = select(departed).where(departed.c.tenant == tenant, departed.c.id == entity_id)
    row: Any = connection.execute(query).one_or_none()
    if row is None:
        return None
    entity = Entity(id=row.id, types=tuple(row.types), attributes={}, created_at=row.created_at)
    return entity, row.deleted_at


def find_instance(
    connection: Connection, tenant: int, entity_id: str, attribute: str, identifier: str
) -> tuple[int, datetime, Instance | float, str, str] | None:
    """Where an instance is: series, time, its document or bare number, unit code and dataset id."""
    there = observation.join(series, observation.c.series == series.c.series)
    columns = (observation.c.series, observation.c.observed_at, observation.c.document, observation.c.number)
    query = (
        select(*columns, series.c.unit_code, series.c.dataset_id)
        .select_from(there)
        .where(*_of(tenant, entity_id), series.c.attribute == attribute, is_there(), _named(identifier))
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    value: Any = row.number if row.document is None else row.document
    return row.series, row.observed_at, value, row.unit_code, row.dataset_id


def rewrite(
    connection: Connection, number: int, before: datetime, after: datetime, instance: Instance
) -> None:
    """Put an instance in the place of another of its series, at its own time; it keeps its identifier."""
    kept = {"instanceId": instance_id(number, before), **instance}
    if before != after:
        take_away_instance(connection, number, before)
        row = {"series": number, "observed_at": after, "document": TAKEN_AWAY}
        connection.execute(_ADD, row)
    _write(connection, [observation.c.series == number, observation.c.observed_at == after], kept, gone=True)


def take_away_instance(connection: Connection, number: int, moment: datetime) -> None:
    """Take away one instance."""
    _write(connection, [observation.c.series == number, observation.c.observed_at == moment], TAKEN_AWAY)


_ADD = text(
    "INSERT INTO observation (series, observed_at, document) VALUES (:series, :observed_at, :document)"
    " ON CONFLICT (series, observed_at) DO NOTHING"
).bindparams(bindparam("document", type_=JSONB))


def _write(
    connection: Connection, wanted: list[ColumnElement[bool]], document: Instance, *, gone: bool = False
) -> int:
    there = [] if gone else [is_there()]
    change = update(observation).where(*wanted, *there)
    return connection.execute(change.values(number=None, document=document, recorded_at=func.now())).rowcount


def _of(tenant: int, entity_id: str) -> list[ColumnElement[bool]]:
    return [series.c.tenant == tenant, series.c.entity_id == entity_id]


def _named(identifier: str) -> ColumnElement[bool]:
    """A row of this identifier: by its place, or by the name it kept when its time was changed."""
    place = read_instance_id(identifier)
    kept = observation.c.document["instanceId"].astext == identifier
    if place is None:
        return kept
    number, moment = place
    renamed = func.coalesce(observation.c.document.has_key("instanceId"), False)
    own = and_(observation.c.observed_at == moment, ~renamed)
    return and_(observation.c.series == number, or_(own, kept))
