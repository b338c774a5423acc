"""The temporal evolution of entities as a resource of its own: what was recorded is changed or taken away.

The current state of an entity is another resource: taking history away does not touch it, while instances
that are added become current when they are the newest.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, Engine

from machinami.errors import NotFound, TenantNotFound
from machinami.linkage.patching import patched
from machinami.linkage.read import entity_not_found, tenant_of
from machinami.model import Instance, format_time
from machinami.ngsild.times import parse_time
from machinami.store import evolution
from machinami.store.engine import transaction
from machinami.store.reading import reading


def is_recorded(engine: Engine, tenant: str, entity_id: str) -> bool:
    """Whether there is a temporal evolution of this entity."""
    try:
        number = tenant_of(engine, tenant)
    except TenantNotFound:
        return False
    with reading(engine) as connection:
        return evolution.has_history(connection, number, entity_id)


def delete(engine: Engine, tenant: str, entity_id: str) -> None:
    """Delete Temporal Evolution of an Entity, clause 5.6.16.

    Raises:
        NotFound: nothing of it is recorded.
    """
    number = tenant_of(engine, tenant)
    with transaction(engine) as connection:
        if not evolution.take_away(connection, number, entity_id):
            raise entity_not_found(entity_id, tenant)
        evolution.forget(connection, number, entity_id)


def delete_attribute(
    engine: Engine, tenant: str, entity_id: str, attribute: str, datasets: Collection[str] | None
) -> None:
    """Delete Attribute from Temporal Evolution of an Entity, clause 5.6.13.

    Args:
        datasets: dataset ids, '' for the default instance; None means all.

    Raises:
        NotFound: nothing of the entity, or of this attribute, is recorded.
    """
    number = tenant_of(engine, tenant)
    with transaction(engine) as connection:
        _check_known(connection, number, tenant, entity_id)
        if not evolution.take_away(connection, number, entity_id, attribute, datasets):
            raise _no_such("attribute", "attrId", attribute, entity_id)


def delete_instance(engine: Engine, tenant: str, entity_id: str, attribute: str, identifier: str) -> None:
    """Delete Attribute instance from Temporal Evolution of an Entity, clause 5.6.15.

    Raises:
        NotFound: there is no such instance.
    """
    number = tenant_of(engine, tenant)
    with transaction(engine) as connection:
        series, moment, _ = _find(connection, number, tenant, entity_id, attribute, identifier)
        evolution.take_away_instance(connection, series, moment)


def modify_instance(
    engine: Engine, tenant: str, entity_id: str, attribute: str, identifier: str, fragment: Instance
) -> None:
    """Modify Attribute instance in Temporal Evolution of an Entity, clause 5.6.14.

    Raises:
        NotFound: there is no such instance.
        BadRequestData: the fragment does not fit it.
    """
    number = tenant_of(engine, tenant)
    with transaction(engine) as connection:
        series, moment, old = _find(connection, number, tenant, entity_id, attribute, identifier)
        new = patched(old, fragment, attribute)
        after = parse_time(new["observedAt"], "observedAt") if "observedAt" in new else moment
        evolution.rewrite(connection, series, moment, after, new)


def _find(
    connection: Connection, number: int, tenant: str, entity_id: str, attribute: str, identifier: str
) -> tuple[int, datetime, Instance]:
    found = evolution.find_instance(connection, number, entity_id, attribute, identifier)
    if found is None:
        _check_known(connection, number, tenant, entity_id)
        raise _no_such("instance", "instanceId", identifier, entity_id)
    series, moment, value, unit, dataset = found
    return series, moment, value if isinstance(value, dict) else _spelled_out(value, moment, unit, dataset)


def _spelled_out(value: float, moment: datetime, unit: str, dataset: str) -> Instance:
    """A number that is stored bare, as the instance that it stands for."""
    instance: Instance = {
        "type": "Property",
        "value": value,
        "observedAt": format_time(moment),
    }
    members = {"unitCode": unit, "datasetId": dataset}
    return instance | {name: text for name, text in members.items() if text}


def _check_known(connection: Connection, number: int, tenant: str, entity_id: str) -> None:
    if not evolution.has_history(connection, number, entity_id):
        raise entity_not_found(entity_id, tenant)


def _no_such(what: str, field: str, value: str, entity_id: str) -> NotFound:
    return NotFound(f"nothing is recorded of this {what} of {entity_id}", field=field, value=value)
