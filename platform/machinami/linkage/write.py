"""The one write path: changes in; current state, history, matched notifications and stream position out.

Everything a batch does happens in one transaction, so that after any crash either all of it is there or none.
"""

import random
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

import msgspec
import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from machinami.errors import MachinamiError, Unavailable
from machinami.linkage.draft import Draft
from machinami.linkage.operations import apply
from machinami.linkage.subscriptions import Index, Written, match
from machinami.model import DEFAULT_TENANT, Change, Entity, Measurement, Message, Outcome, Rejection
from machinami.store.engine import translate
from machinami.store.entities import (
    EntityKey,
    delete_entities,
    insert_entities,
    lock_entities,
    notify,
    reschedule_entities,
    update_entities,
)
from machinami.store.history import (
    Found,
    Rows,
    Series,
    SeriesCatalog,
    Slot,
    Stored,
    Wanted,
    write_observations,
)
from machinami.store.intake import Counters, Progress, advance, read_counters, write_quarantine
from machinami.store.partitions import Month, Partitions, month_of
from machinami.store.share import Share
from machinami.store.tenants import tenant_number

_TRIES = 12  # many who make and remove one entity at once need several turns each
_LONGEST_PAUSE = 0.16  # seconds
_AGAIN = (
    psycopg.errors.UniqueViolation,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)


Drafts: TypeAlias = dict[EntityKey, Draft]


class _MonthsMissing(Exception):
    """History reaches into months without a partition: roll back, make them, begin again."""

    def __init__(self, months: set[Month]) -> None:
        self.months = months


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What one transaction is to store.

    Attributes:
        changes: applied in order.
        rejected: messages that could not be read, wholly or in part, with the reasons.
        progress: where this brings the stream; None for changes that come from no stream.
    """

    changes: Sequence[Change | Measurement]
    rejected: Sequence[tuple[Message, Sequence[Rejection]]] = ()
    progress: Progress | None = None


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch left behind: an outcome for each change in order, and what history took in."""

    outcomes: Sequence[Outcome | MachinamiError]
    stored: Stored


class Linkage:
    """The write path on one database. One for each process; safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._catalog = SeriesCatalog()
        self._partitions = Partitions()
        self._tenants: dict[str, int] = {}
        self._index = Index()

    def apply(self, changes: Sequence[Change | Measurement]) -> Sequence[Outcome | MachinamiError]:
        """Apply changes of an API request. See `commit`."""
        return self.commit(Batch(changes=changes)).outcomes

    def counters(self, stream: str) -> Counters:
        """How far a stream has been committed, and what was counted on the way."""
        return read_counters(self._engine, stream)

    def share(self, stream: str, partitions: int) -> Share:
        """This process's part of a stream, which is to have so many partitions."""
        return Share(self._engine, stream, partitions)

    def commit(self, batch: Batch) -> Committed:
        """Store a batch in one transaction. A change that cannot be applied is answered, not raised.

        Raises:
            Unavailable: the database does not answer, or other writers were in the way too often.
            PositionLost: another worker has taken a partition over.
        """
        for attempt in range(_TRIES):
            try:
                return self._commit_once(batch)
            except _MonthsMissing as missing:
                self._partitions.make(self._engine, missing.months)
                continue
            except (DBAPIError, psycopg.Error) as error:
                if not isinstance(getattr(error, "orig", error), _AGAIN):
                    raise translate(error) from error
            pause = min(0.01 * 2**attempt, _LONGEST_PAUSE)
            time.sleep(random.uniform(0, pause))  # noqa: S311 # spreads writers, hides nothing
        raise Unavailable("other writers were in the way", cure="Try again")

    def _commit_once(self, batch: Batch) -> Committed:
        now = datetime.now(UTC)
        with self._engine.begin() as connection:
            tenants = self._find_tenants(connection, batch)
            drafts, outcomes = _draft(connection, batch.changes, tenants, now)
            self._check_months(drafts)
            found = self._catalog.find(connection, self._unknown(drafts))
            rows = self._rows(drafts, found)
            stored = write_observations(connection, rows)
            _write_state(connection, drafts, self._index)
            _finish(connection, batch, tenants, stored)
        self._catalog.confirm(found)
        self._tenants.update(tenants)  # only now: what this transaction made might have been taken back
        return Committed(outcomes=outcomes, stored=stored)

    def _find_tenants(self, connection: Connection, batch: Batch) -> dict[str, int]:
        """Numbers of the batch's tenants, which are never removed once they are there."""
        names = {change.tenant for change in batch.changes}
        if batch.rejected:
            names.add(DEFAULT_TENANT)
        return {
            name: self._tenants.get(name) or tenant_number(connection, name, create=True)
            for name in sorted(names)
        }

    def _check_months(self, drafts: Drafts) -> None:
        moments = {moment for draft in drafts.values() for moment in draft.moments}
        moments |= {item.observed_at for draft in drafts.values() for item in draft.measured}
        months = {month_of(moment) for moment in moments}
        if missing := self._partitions.missing(months):
            raise _MonthsMissing(missing)

    def _unknown(self, drafts: Drafts) -> Wanted:
        """Slots that write history and whose series this process does not know yet, with their units."""
        wanted: dict[EntityKey, dict[Slot, str]] = {}
        for key, draft in drafts.items():
            known = self._catalog.of(key)
            for slot, unit in draft.units():
                if slot not in known:
                    wanted.setdefault(key, {}).setdefault(slot, unit)
        return wanted

    def _rows(self, drafts: Drafts, found: Found) -> Rows:
        rows = Rows()
        for key, draft in drafts.items():
            known = self._catalog.of(key)
            series = {**known, **found[key]} if key in found else known
            if draft.measured:
                _measured_rows(rows, draft.measured, series)
            for slot, moment, number, instance in draft.history:
                home = series[slot]
                # A number stands bare only in its series' own unit; in another the whole instance says which.
                bare = number is not None and instance.get("unitCode", "") == home.unit_code
                rows.add(home, moment, number if bare else None, None if bare else instance)
        return rows


def _measured_rows(rows: Rows, measured: Sequence[Measurement], series: Mapping[Slot, Series]) -> None:
    layout = measured[0].layout
    homes = [series[slot] for slot in layout.slots]
    if any(home.unit_code != unit for home, unit in zip(homes, layout.units, strict=True)):
        for item in measured:
            for place, home in enumerate(homes):
                bare = home.unit_code == layout.units[place]
                value = item.values[place] if bare else None
                rows.add(home, item.observed_at, value, None if bare else item.instance(place))
        return
    rows.add_measured(homes, measured)


def _draft(
    connection: Connection, changes: Sequence[Change | Measurement], tenants: Mapping[str, int], now: datetime
) -> tuple[Drafts, list[Outcome | MachinamiError]]:
    keys = [(tenants[change.tenant], change.entity_id) for change in changes]
    found = lock_entities(connection, keys) if keys else {}
    drafts = {key: Draft(key[1], found.get(key), now) for key in dict.fromkeys(keys)}
    outcomes = [apply(drafts[key], change) for key, change in zip(keys, changes, strict=True)]
    return drafts, outcomes


def _write_state(connection: Connection, drafts: Drafts, index: Index) -> None:
    left = {key: (draft, draft.finish()) for key, draft in sorted(drafts.items()) if draft.touched}
    old = [(key[0], after) for key, (draft, after) in left.items() if after and draft.continued]
    new = [(key[0], after) for key, (draft, after) in left.items() if after and not draft.continued]
    gone = [key for key, (draft, after) in left.items() if draft.before and not (after and draft.continued)]
    other = [(key[0], after) for key, (draft, after) in left.items() if after and draft.is_rescheduled(after)]
    delete_entities(connection, gone)
    update_entities(connection, old)
    insert_entities(connection, new)
    reschedule_entities(connection, other)
    match(connection, index, [_written(key[0], draft, after) for key, (draft, after) in left.items()])
    notify(connection, left)


def _written(tenant: int, draft: Draft, after: Entity | None) -> Written:
    return Written(tenant=tenant, before=draft.before, after=after, changed=draft.changed)


def _finish(connection: Connection, batch: Batch, tenants: Mapping[str, int], stored: Stored) -> None:
    if batch.progress is None:
        return
    if batch.rejected:
        write_quarantine(connection, tenants[DEFAULT_TENANT], batch.progress.stream, batch.rejected)
    advance(connection, batch.progress, stored)
