"""How long history is kept, and when TimescaleDB turns it into columns: read, changed, carried out."""

import re
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, delete, select, text, update

from machinami.errors import InvalidRequest
from machinami.store.partitions import drop_partitions, has_months
from machinami.store.rollups import LEVELS, bucket_start
from machinami.store.tables import departed, storage

FOREVER = "forever"
_NO_AGE = (FOREVER, "never")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_DAY = timedelta(days=1)
_LONGEST = timedelta(days=365 * 1000)

_OLD_CHUNKS = text(
    # Status bits: 1 compressed, 2 unordered, 4 frozen, 8 partial (rows came later).
    "SELECT format('%I.%I', c.schema_name, c.table_name) AS chunk"
    " FROM show_chunks('observation', older_than => CAST(:before AS timestamptz)) AS shown"
    " JOIN _timescaledb_catalog.chunk c ON format('%I.%I', c.schema_name, c.table_name)::regclass = shown"
    " WHERE c.status & 4 = 0 AND (c.status & 1 = 0 OR c.status & 10 <> 0) ORDER BY c.id"
)
_KEEP_FROM = text("UPDATE storage SET kept_from = greatest(kept_from, :before)")
_COMPRESS = text("SELECT compress_chunk(CAST(:chunk AS regclass), if_not_compressed => true)")
_DROP_CHUNKS = text(
    "SELECT drop_chunks(CAST(:relation AS regclass), older_than => CAST(:before AS timestamptz))"
)


class Policies(msgspec.Struct, frozen=True, kw_only=True):
    """What maintenance follows.

    Attributes:
        retention: history and rollups of minutes older than this go; None keeps them for ever.
        compress_after: age at which TimescaleDB turns a chunk into columns; None leaves all as rows.
    """

    retention: timedelta | None
    compress_after: timedelta | None


def parse_age(written: str, option: str) -> timedelta | None:
    """``365d``, ``12h`` or ``2w`` as a time; None for ``forever`` and ``never``.

    Raises:
        InvalidRequest: it is none of these.
    """
    if written in _NO_AGE:
        return None
    found = re.fullmatch(r"([1-9]\d{0,6})([hdw])", written, re.ASCII)
    age = int(found[1]) * _UNITS[found[2]] if found else None
    if age is None or age > _LONGEST:
        raise InvalidRequest(
            f"{written!r} is no age",
            field=option,
            value=written,
            cure=f"Write hours, days or weeks: 12h, 365d, 4w; or {' or '.join(_NO_AGE)}",
        )
    return age


def read_policies(connection: Connection) -> Policies:
    """The policies in force."""
    return Policies(
        **connection.execute(select(storage.c.retention, storage.c.compress_after)).mappings().one()
    )


def set_policies(connection: Connection, policies: Policies) -> None:
    """Change them; the next round of maintenance follows.

    Raises:
        InvalidRequest: history is to go within a day, which would take rows that are only late.
    """
    if policies.retention is not None and policies.retention < _DAY:
        raise InvalidRequest(
            "retention is shorter than a day",
            field="--retention",
            value=str(policies.retention),
            cure="Write 1d or more",
        )
    connection.execute(update(storage).values(**msgspec.structs.asdict(policies)))


def drop_old(connection: Connection, policies: Policies, now: datetime) -> list[str]:
    """Drop what retention does not keep, in whole partitions or chunks; their names.

    The rollups must be fresh: those of hours and days stay, and are never made anew from what is left.
    """
    if policies.retention is None:
        return []
    before = bucket_start(now - policies.retention, _DAY)
    connection.execute(_KEEP_FROM, {"before": before})
    connection.execute(delete(departed).where(departed.c.deleted_at < before))
    dropped: list[str] = []
    for relation in ("observation", *(level.relation for level in LEVELS if not level.kept)):
        drop = drop_partitions if has_months(connection, relation) else _drop_chunks
        dropped += drop(connection, relation, before)
    return dropped


def _drop_chunks(connection: Connection, relation: str, before: datetime) -> list[str]:
    return list(connection.execute(_DROP_CHUNKS, {"relation": relation, "before": before}).scalars())


def compress_old(connection: Connection, policies: Policies, now: datetime) -> list[str]:
    """Turn old chunks into columns, and again those that got rows since; their names.

    The connection is in autocommit mode, so that each chunk is locked only while it is its turn.
    """
    if policies.compress_after is None:
        return []
    chunks = list(connection.execute(_OLD_CHUNKS, {"before": now - policies.compress_after}).scalars())
    for chunk in chunks:
        connection.execute(_COMPRESS, {"chunk": chunk})
    return chunks
