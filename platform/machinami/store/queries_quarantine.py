"""What could not be read, newest first."""

from typing import Any

from sqlalchemy import Connection, select

from machinami.store.tables import quarantine


def fetch_quarantine(connection: Connection, tenant: int, *, limit: int, offset: int) -> list[dict[str, Any]]:
    """Rejections of a tenant with the original bytes, newest first."""
    query = select(quarantine).where(quarantine.c.tenant == tenant).order_by(quarantine.c.id.desc())
    return [dict(row) for row in connection.execute(query.limit(limit).offset(offset)).mappings()]
