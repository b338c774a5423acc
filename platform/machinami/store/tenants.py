"""Tenants: names outside, small numbers in every key."""

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from machinami.errors import TenantNotFound
from machinami.model import DEFAULT_TENANT
from machinami.store.tables import tenant


def tenant_number(connection: Connection, name: str, *, create: bool = False) -> int:
    """Number of a tenant. The default tenant always exists.

    Args:
        create: make it if it is not there; every write does.

    Raises:
        TenantNotFound: nobody has written to this tenant.
    """
    query = select(tenant.c.tenant).where(tenant.c.name == name)
    found = connection.execute(query).scalar_one_or_none()
    if found is not None:
        return found
    if not create and name != DEFAULT_TENANT:
        raise TenantNotFound(
            f"no tenant is named {name}",
            field="NGSILD-Tenant",
            value=name,
            cure="Check the NGSILD-Tenant or Fiware-Service header; the first write creates a tenant",
        )
    connection.execute(insert(tenant).values(name=name).on_conflict_do_nothing())
    return connection.execute(query).scalar_one()
