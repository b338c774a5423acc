"""History: series numbers and observations, stored once whatever is sent twice. Inside a transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import LiteralString, TypeAlias

import msgspec
import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import Connection, text

from machinami.model import Measurement
from machinami.store.columns import Block, Row, Series, block_of, copy_data
from machinami.store.engine import driver_connection
from machinami.store.entities import EntityKey, dumps

Slot: TypeAlias = tuple[str, str]
"""(attribute, dataset id)."""

_NEVER = datetime.min.replace(tzinfo=UTC)
_TYPES = ["int4", "timestamptz", "float8", "jsonb"]
_WANTED = (  # one text instead of five arrays, which the driver is slow to write
    "(SELECT CAST(w ->> 0 AS smallint) AS tenant, w ->> 1 AS entity_id, w ->> 2 AS attribute,"
    " w ->> 3 AS dataset_id, w ->> 4 AS unit_code FROM json_array_elements(CAST(:wanted AS json)) w) k"
)
_ADD_SERIES = text(
    "INSERT INTO series (tenant, entity_id, attribute, dataset_id, unit_code)"
    f" SELECT * FROM {_WANTED} ON CONFLICT DO NOTHING"
)
_FIND_SERIES = text(
    "SELECT s.series, s.tenant, s.entity_id, s.attribute, s.dataset_id, s.unit_code, newest.observed_at"
    f" FROM {_WANTED} JOIN series s USING (tenant, entity_id, attribute, dataset_id)"
    " LEFT JOIN LATERAL (SELECT observed_at FROM observation o WHERE o.series = s.series"
    " ORDER BY observed_at DESC LIMIT 1) AS newest ON true"
)
_COPY_NUMBERS = "COPY observation (series, observed_at, number) FROM STDIN (FORMAT BINARY)"
_INCOMING = (
    "CREATE TEMP TABLE IF NOT EXISTS incoming (series integer, observed_at timestamptz,"
    " number double precision, document jsonb) ON COMMIT DELETE ROWS"
)
_FEW = 20  # rows up to which one statement is cheaper than a savepoint and COPY
_KNOWN: LiteralString = "SELECT count(*) FROM incoming JOIN observation USING (series, observed_at)"
_INSERT = "INSERT INTO observation AS o (series, observed_at, number, document) SELECT * FROM"
_LATER_WINS = (
    " ON CONFLICT (series, observed_at) DO UPDATE"
    " SET number = excluded.number, document = excluded.document, recorded_at = excluded.recorded_at"
    " WHERE (o.number, o.document) IS DISTINCT FROM (excluded.number, excluded.document)"
)
_UPSERT: LiteralString = f"{_INSERT} incoming{_LATER_WINS}"
_UPSERT_FEW: LiteralString = (
    "WITH incoming AS (SELECT * FROM"
    " unnest(%s::int4[], %s::timestamptz[], %s::float8[], %s::jsonb[])"
    " AS i (series, observed_at, number, document)"
    f"), known AS ({_KNOWN}), written AS ({_UPSERT} RETURNING 1)"
    " SELECT (SELECT * FROM known), (SELECT count(*) FROM written)"
)


Wanted: TypeAlias = Mapping[EntityKey, Mapping[Slot, str]]
"""Series to find: entity → slot → unit code that a new one is to have."""

Found: TypeAlias = dict[EntityKey, dict[Slot, Series]]


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
    """What this process knows of series. New ones count only once they are confirmed, after the commit."""

    def __init__(self) -> None:
        self._known: dict[EntityKey, dict[Slot, Series]] = {}

    def of(self, key: EntityKey) -> Mapping[Slot, Series]:
        """The series known of an entity."""
        return self._known.get(key, {})

    def find(self, connection: Connection, wanted: Wanted) -> Found:
        """Series that are not known here, created where nobody has created them yet."""
        if not wanted:
            return {}
        # In order, so that two writers of new series cannot wait for each other.
        rows = sorted((*key, *slot, unit) for key, slots in wanted.items() for slot, unit in slots.items())
        parameters = {"wanted": dumps(rows).decode()}
        connection.execute(_ADD_SERIES, parameters)
        found: Found = {}
        for row in connection.execute(_FIND_SERIES, parameters):
            series = Series(number=row.series, unit_code=row.unit_code, newest=row.observed_at or _NEVER)
            found.setdefault((row.tenant, row.entity_id), {})[row.attribute, row.dataset_id] = series
        return found

    def confirm(self, found: Found) -> None:
        """The transaction that found or created these is committed."""
        for key, series in found.items():
            self._known.setdefault(key, {}).update(series)


class Rows:
    """Rows of history, each (series, time) once: those that are surely new, and those that may be there.

    A row newer than its series' newest is surely new, as far as this process knows. `newest` may move before
    the commit: where it is too late, a row takes the slower way; where it is too early, the database refuses
    what is there already, and all take that way.
    """

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.fresh: list[Row] = []
        self.suspect: dict[tuple[int, datetime], Row] = {}
        self.replaced = 0

    def add(self, series: Series, moment: datetime, number: float | None, document: object) -> None:
        """Take in one row; a later one of the same series and time takes its place."""
        row = (series.number, moment, number, document)
        if moment > series.newest:
            series.newest = moment
            self.fresh.append(row)
        else:
            self._suspect(row)

    def _suspect(self, row: Row) -> None:
        key = (row[0], row[1])
        self.replaced += key in self.suspect
        self.suspect[key] = row

    def add_measured(self, homes: Sequence[Series], measured: Sequence[Measurement]) -> None:
        """Take in measurements of one entity, the numbers of which belong to these series."""
        block = block_of(homes, measured)
        if block is not None:
            self.blocks.append(block)
            return
        for item in measured:
            for home, value in zip(homes, item.values, strict=True):
                self.add(home, item.observed_at, value, None)

    def surely_new(self) -> list[Row]:
        """Those that are not there yet, as far as this process knows."""
        return [*self.fresh, *(row for block in self.blocks for row in block.rows())]

    def all(self) -> Collection[Row]:
        """Everything, each (series, time) once, the later of two kept."""
        return {**{(row[0], row[1]): row for row in self.surely_new()}, **self.suspect}.values()


def write_observations(connection: Connection, rows: Rows) -> Stored:
    """Write rows of history. Fresh ones go straight in by COPY; the few others, and all of them if another
    writer was there first, take the slower way that tells repeated from corrected.
    """
    fresh = len(rows.fresh) + sum(len(block) for block in rows.blocks)
    if fresh + len(rows.suspect) <= _FEW:
        unique = rows.all()
        replaced = rows.replaced + fresh + len(rows.suspect) - len(unique)
        stored = _upsert_few(connection, unique)
        return msgspec.structs.replace(stored, repeated=stored.repeated + replaced)
    if not _copy_fresh(connection, rows):
        unique = rows.all()
        replaced = rows.replaced + fresh + len(rows.suspect) - len(unique)
        stored, added = _upsert(connection, unique), 0
    else:
        stored = _upsert(connection, rows.suspect.values()) if rows.suspect else Stored()
        replaced, added = rows.replaced, fresh
    return msgspec.structs.replace(stored, added=stored.added + added, repeated=stored.repeated + replaced)


def _copy_fresh(connection: Connection, rows: Rows) -> bool:
    try:
        with connection.begin_nested():
            if rows.blocks:
                _copy_blocks(connection, rows.blocks)
            if rows.fresh:
                _copy(connection, "observation (series, observed_at, number, document)", rows.fresh)
    except psycopg.errors.UniqueViolation:
        return False
    return True


def _copy_blocks(connection: Connection, blocks: Sequence[Block]) -> None:
    driver = driver_connection(connection)
    with driver.cursor() as cursor, cursor.copy(_COPY_NUMBERS) as copy:
        copy.write(copy_data(blocks))


def _upsert(connection: Connection, rows: Collection[Row]) -> Stored:
    cursor = driver_connection(connection).cursor()
    cursor.execute(_INCOMING)
    _copy(connection, "incoming", rows)
    known = cursor.execute(_KNOWN).fetchone()
    touched = cursor.execute(_UPSERT).rowcount
    cursor.execute("TRUNCATE incoming")
    return _stored(len(rows), known[0] if known else 0, touched)


def _upsert_few(connection: Connection, rows: Collection[Row]) -> Stored:
    if not rows:
        return Stored()
    series, moments, numbers, documents = zip(*rows, strict=True)
    wrapped = [None if document is None else Jsonb(document, dumps=dumps) for document in documents]
    cursor = driver_connection(connection).cursor()
    floats = [None if number is None else float(number) for number in numbers]  # an array has one type
    cursor.execute(_UPSERT_FEW, (list(series), list(moments), floats, wrapped))
    old, touched = cursor.fetchone() or (0, 0)
    return _stored(len(rows), old, touched)


def _stored(rows: int, old: int, touched: int) -> Stored:
    """What became of so many rows, of which so many were there, and so many were written."""
    added = rows - old
    return Stored(added=added, corrected=touched - added, repeated=old - (touched - added))


def _copy(connection: Connection, target: LiteralString, rows: Iterable[Row]) -> None:
    driver = driver_connection(connection)
    with driver.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(_TYPES)
        for row in rows:
            copy.write_row(row if row[3] is None else (*row[:3], Jsonb(row[3], dumps=dumps)))
