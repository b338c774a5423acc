"""History: series numbers and observations, stored once whatever is sent twice. Inside a transaction."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, LiteralString, TypeAlias

import msgspec
import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import Connection, text

from machinami.store.engine import driver_connection
from machinami.store.entities import dumps

SeriesKey: TypeAlias = tuple[int, str, str, str]
"""(tenant, entity id, attribute, dataset id)."""

Rows: TypeAlias = dict[tuple[int, datetime], tuple[float | None, Any]]
"""(series, observed_at) → (number, document), so that a batch holds each time of a series once."""

_NEVER = datetime.min.replace(tzinfo=UTC)
_TYPES = ["int4", "timestamptz", "float8", "jsonb"]
_UNNEST = (
    "unnest(CAST(:tenants AS smallint[]), CAST(:ids AS text[]), CAST(:attributes AS text[]),"
    " CAST(:datasets AS text[]), CAST(:units AS text[]))"
    " AS k(tenant, entity_id, attribute, dataset_id, unit_code)"
)
_ADD_SERIES = text(
    "INSERT INTO series (tenant, entity_id, attribute, dataset_id, unit_code)"
    f" SELECT * FROM {_UNNEST} ON CONFLICT DO NOTHING"
)
_FIND_SERIES = text(
    "SELECT s.series, s.tenant, s.entity_id, s.attribute, s.dataset_id, s.unit_code, newest.observed_at"
    f" FROM {_UNNEST} JOIN series s USING (tenant, entity_id, attribute, dataset_id)"
    " LEFT JOIN LATERAL (SELECT observed_at FROM observation o WHERE o.series = s.series"
    " ORDER BY observed_at DESC LIMIT 1) AS newest ON true"
)
_INCOMING = (
    "CREATE TEMP TABLE IF NOT EXISTS incoming (series integer, observed_at timestamptz,"
    " number double precision, document jsonb) ON COMMIT DELETE ROWS"
)
_KNOWN = "SELECT count(*) FROM incoming JOIN observation USING (series, observed_at)"
_UPSERT = (
    "INSERT INTO observation AS o (series, observed_at, number, document) SELECT * FROM incoming"
    " ON CONFLICT (series, observed_at) DO UPDATE"
    " SET number = excluded.number, document = excluded.document, recorded_at = excluded.recorded_at"
    " WHERE (o.number, o.document) IS DISTINCT FROM (excluded.number, excluded.document)"
)


class Series(msgspec.Struct, kw_only=True):
    """What a writer remembers of a series; `newest` tells which rows may be there already."""

    number: int
    unit_code: str
    newest: datetime


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch of rows.

    Attributes:
        added: rows that were not there.
        corrected: rows of a known time whose value differed; the later message wins.
        repeated: rows that were there to the letter.
    """

    added: int = 0
    corrected: int = 0
    repeated: int = 0


class SeriesCatalog:
    """Numbers of series. What a transaction learns counts only once it is confirmed, after its commit."""

    def __init__(self) -> None:
        self._known: dict[SeriesKey, Series] = {}

    def resolve(self, connection: Connection, wanted: Mapping[SeriesKey, str]) -> dict[SeriesKey, Series]:
        """The series of these keys, created where they are new.

        Args:
            wanted: key → unit code that a new series is to have.
        """
        found = {key: self._known[key] for key in wanted if key in self._known}
        missing = sorted(key for key in wanted if key not in found)
        if missing:
            parameters = _columns(missing, wanted)
            connection.execute(_ADD_SERIES, parameters)
            for row in connection.execute(_FIND_SERIES, parameters):
                key = (row.tenant, row.entity_id, row.attribute, row.dataset_id)
                newest = row.observed_at or _NEVER
                found[key] = Series(number=row.series, unit_code=row.unit_code, newest=newest)
        return found

    def confirm(self, series: Mapping[SeriesKey, Series], rows: Iterable[tuple[int, datetime]]) -> None:
        """The transaction is committed: remember its series, and how far each reaches."""
        newest: dict[int, datetime] = {}
        for number, moment in rows:
            newest[number] = max(moment, newest.get(number, _NEVER))
        for item in series.values():
            item.newest = max(item.newest, newest.get(item.number, _NEVER))
        self._known.update(series)


def _columns(keys: list[SeriesKey], units: Mapping[SeriesKey, str]) -> dict[str, list[Any]]:
    tenants, ids, attributes, datasets = (list(column) for column in zip(*keys, strict=True))
    unit_codes = [units[key] for key in keys]
    return {
        "tenants": tenants,
        "ids": ids,
        "attributes": attributes,
        "datasets": datasets,
        "units": unit_codes,
    }


def write_observations(connection: Connection, rows: Rows, series: Iterable[Series]) -> Stored:
    """Write rows of history, each (series, time) once.

    Rows newer than their series' newest go straight in by COPY; the few others, and all of them if another
    writer was there first, take the slower way that tells repeated from corrected.
    """
    newest = {item.number: item.newest for item in series}
    fresh = {key: value for key, value in rows.items() if key[1] > newest[key[0]]}
    if not _copy_fresh(connection, fresh):
        return _upsert(connection, rows)
    suspect = {key: value for key, value in rows.items() if key not in fresh}
    stored = _upsert(connection, suspect) if suspect else Stored()
    return msgspec.structs.replace(stored, added=stored.added + len(fresh))


def _copy_fresh(connection: Connection, rows: Rows) -> bool:
    try:
        with connection.begin_nested():
            _copy(connection, "observation (series, observed_at, number, document)", rows)
    except psycopg.errors.UniqueViolation:
        return False
    return True


def _upsert(connection: Connection, rows: Rows) -> Stored:
    cursor = driver_connection(connection).cursor()
    cursor.execute(_INCOMING)
    _copy(connection, "incoming", rows)
    known = cursor.execute(_KNOWN).fetchone()
    touched = cursor.execute(_UPSERT).rowcount
    cursor.execute("TRUNCATE incoming")
    old = known[0] if known else 0
    added = len(rows) - old
    return Stored(added=added, corrected=touched - added, repeated=old - (touched - added))


def _copy(connection: Connection, target: LiteralString, rows: Rows) -> None:
    if not rows:
        return
    driver = driver_connection(connection)
    with driver.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(_TYPES)
        for (number, moment), (value, document) in rows.items():
            json = None if document is None else Jsonb(document, dumps=dumps)
            copy.write_row((number, moment, value, json))
