"""What is in quarantine."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, func, select

from machinami.model import DEFAULT_TENANT
from machinami.store.engine import transaction
from machinami.store.tables import quarantine, tenant


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """One rejection of one message, with the original bytes (in JSON: base64)."""

    id: int
    received_at: datetime
    connector: str
    topic: str
    field: str
    value: str
    reason: str
    cure: str
    partial: bool
    payload: bytes


_COLUMNS = [quarantine.c[name] for name in Quarantined.__struct_fields__]
_OF_TENANT = quarantine.join(tenant, tenant.c.tenant == quarantine.c.tenant)


def count_quarantine(engine: Engine, name: str = DEFAULT_TENANT) -> int:
    """How many rejections a tenant has in quarantine."""
    query = select(func.count()).select_from(_OF_TENANT).where(tenant.c.name == name)
    with transaction(engine) as connection:
        return connection.execute(query).scalar_one()


def read_quarantine(
    engine: Engine,
    *,
    limit: int,
    before: int | None = None,
    number: int | None = None,
    name: str = DEFAULT_TENANT,
) -> list[Quarantined]:
    """A tenant's rejections, newest first.

    Args:
        before: only those with a smaller id, for paging.
        number: only the one with this id.
    """
    query = select(*_COLUMNS).select_from(_OF_TENANT).where(tenant.c.name == name)
    if before is not None:
        query = query.where(quarantine.c.id < before)
    if number is not None:
        query = query.where(quarantine.c.id == number)
    with transaction(engine) as connection:
        rows = connection.execute(query.order_by(quarantine.c.id.desc()).limit(limit)).mappings()
        return [Quarantined(**row) for row in rows]


def fetch_quarantine(connection: Connection, tenant: int, *, limit: int, offset: int) -> list[dict[str, Any]]:
    """Rejections of a tenant with the original bytes, newest first."""
    query = select(quarantine).where(quarantine.c.tenant == tenant).order_by(quarantine.c.id.desc())
    rows = connection.execute(query.limit(limit).offset(offset)).mappings()
    return [{str(name): value for name, value in row.items()} for row in rows]
