"""Is it there? Looks for single messages' effects in history and quarantine, many at a time."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

from sqlalchemy import Engine, text

from machinami.store.engine import transaction

HistoryKey: TypeAlias = tuple[str, str, str, str, datetime]
"""(tenant name, entity id, attribute, dataset id, observed_at)."""

QuarantineKey: TypeAlias = tuple[str, bytes]
"""(topic, payload)."""

_HISTORY = text(
    "SELECT (SELECT count(*) FROM tenant t JOIN series s ON s.tenant = t.tenant AND s.entity_id = k.entity_id"
    "   AND s.attribute = k.attribute AND s.dataset_id = k.dataset_id"
    "   JOIN observation o ON o.series = s.series AND o.observed_at = k.observed_at WHERE t.name = k.tenant)"
    " FROM unnest(CAST(:tenants AS text[]), CAST(:ids AS text[]), CAST(:attributes AS text[]),"
    "   CAST(:datasets AS text[]), CAST(:moments AS timestamptz[])) WITH ORDINALITY"
    "   AS k(tenant, entity_id, attribute, dataset_id, observed_at, place) ORDER BY k.place"
)
_QUARANTINE = text(
    "SELECT q.topic, q.payload, count(*) FROM quarantine q"
    " JOIN (SELECT DISTINCT topic, payload FROM unnest(CAST(:topics AS text[]), CAST(:payloads AS bytea[]))"
    "   AS u(topic, payload)) AS k ON k.topic = q.topic AND k.payload = q.payload"
    " WHERE q.ordinal = 0 GROUP BY q.topic, q.payload"
)


def count_observations(engine: Engine, keys: Sequence[HistoryKey]) -> list[int]:
    """For each key in order how many rows of history there are: 1, or 0, or more where it was doubled."""
    if not keys:
        return []
    tenants, ids, attributes, datasets, moments = (list(column) for column in zip(*keys, strict=True))
    parameters = {
        "tenants": tenants,
        "ids": ids,
        "attributes": attributes,
        "datasets": datasets,
        "moments": moments,
    }
    with transaction(engine) as connection:
        return [row[0] for row in connection.execute(_HISTORY, parameters)]


def count_quarantined(engine: Engine, keys: Sequence[QuarantineKey]) -> dict[QuarantineKey, int]:
    """How many messages with this topic and payload are in quarantine; absent where there is none."""
    if not keys:
        return {}
    parameters = {"topics": [key[0] for key in keys], "payloads": [key[1] for key in keys]}
    with transaction(engine) as connection:
        return {(row[0], bytes(row[1])): row[2] for row in connection.execute(_QUARANTINE, parameters)}
