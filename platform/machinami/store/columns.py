"""Numbers of a batch in columns: from lists to PostgreSQL's binary COPY format without a step a row."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain
from operator import lt
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from machinami.model import Measurement

Row: TypeAlias = tuple[int, datetime, float | None, Any]
"""(series, observed_at, number, document)."""

HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TAIL: Final = b"\xff\xff"

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIELDS: Final = ("count", "a", "series", "b", "moment", "c", "number")
_ROW: Final = np.dtype(list(zip(_FIELDS, (">i2", ">i4", ">i4", ">i4", ">i8", ">i4", ">f8"), strict=True)))
_BLANK: Final = np.array((3, 4, 0, 8, 0, 8, 0.0), _ROW)
"""(series int4, observed_at timestamptz, number float8): how many columns, then each behind its length."""


class Series(msgspec.Struct, kw_only=True):
    """What a writer remembers of a series; `newest` tells which rows may be there already."""

    number: int
    unit_code: str
    newest: datetime


class Block(msgspec.Struct, frozen=True):
    """Measurements of one entity, each newer than the one before and than all that is known."""

    homes: Sequence[Series]
    measured: Sequence[Measurement]

    def __len__(self) -> int:
        return len(self.homes) * len(self.measured)

    def rows(self) -> Iterator[Row]:
        """One by one."""
        for item in self.measured:
            for home, value in zip(self.homes, item.values, strict=True):
                yield home.number, item.observed_at, value, None


def block_of(homes: Sequence[Series], measured: Sequence[Measurement]) -> Block | None:
    """These measurements as a block, where they are one; then they are the newest of their series."""
    moments = [item.observed_at for item in measured]
    if moments[0] <= max(home.newest for home in homes) or not all(map(lt, moments, moments[1:])):
        return None
    for home in homes:
        home.newest = moments[-1]
    return Block(homes, measured)


def copy_data(blocks: Sequence[Block]) -> bytes:
    """All rows in binary COPY format."""
    widths = {len(block.homes) for block in blocks}
    parts = [_table([block for block in blocks if len(block.homes) == width], width) for width in widths]
    rows = np.concatenate(parts, dtype=_ROW)  # it would turn the bytes of numbers around
    return HEAD + rows.tobytes() + TAIL


def _table(blocks: Sequence[Block], width: int) -> NDArray[Any]:
    """The rows of blocks of so many series each."""
    counts = [len(block.measured) for block in blocks]
    items = [item for block in blocks for item in block.measured]
    table = np.full((len(items), width), _BLANK, _ROW)
    homes = np.array([[home.number for home in block.homes] for block in blocks])
    table["series"] = np.repeat(homes, counts, axis=0)
    table["moment"] = np.fromiter(_microseconds(items), np.int64, len(items))[:, np.newaxis]
    values = chain.from_iterable([item.values for item in items])
    table["number"] = np.fromiter(values, np.float64, len(items) * width).reshape(-1, width)
    return table.ravel()


def _microseconds(items: Iterable[Measurement]) -> Iterator[int]:
    return (_since_epoch(item.observed_at) for item in items)


@lru_cache(maxsize=65_536)
def _since_epoch(moment: datetime) -> int:
    """As PostgreSQL keeps it. Many devices report at the same second."""
    return (moment - _EPOCH) // _MICROSECOND
