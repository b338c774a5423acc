"""The one write path: changes in; current state, history, matched notifications and stream position out.

Everything a batch does happens in one transaction, so that after any crash either all of it is there or none.
"""

import random
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec
import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from machinami.errors import MachinamiError, Unavailable
from machinami.linkage.merge import Draft, Observation
from machinami.linkage.subscriptions import Written, match
from machinami.model import DEFAULT_TENANT, Change, Message, Outcome, Rejection
from machinami.store.engine import translate
from machinami.store.entities import (
    EntityKey,
    delete_entities,
    insert_entities,
    lock_entities,
    notify,
    update_entities,
)
from machinami.store.history import Rows, Series, SeriesCatalog, SeriesKey, Stored, write_observations
from machinami.store.intake import Counters, Progress, advance, read_counters, write_quarantine
from machinami.store.partitions import Month, Partitions, month_of
from machinami.store.tenants import tenant_number

_TRIES = 5
_AGAIN = (
    psycopg.errors.UniqueViolation,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)


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

    changes: Sequence[Change]
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

    def apply(self, changes: Sequence[Change]) -> Sequence[Outcome | MachinamiError]:
        """Apply changes of an API request. See `commit`."""
        return self.commit(Batch(changes=changes)).outcomes

    def counters(self, stream: str) -> Counters:
        """How far a stream has been committed, and what was counted on the way."""
        return read_counters(self._engine, stream)

    def commit(self, batch: Batch) -> Committed:
        """Store a batch in one transaction. A change that cannot be applied is answered, not raised.

        Raises:
            Unavailable: the database does not answer, or other writers were in the way too often.
            PositionLost: another worker reads this stream.
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
            time.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 # spreads writers, hides nothing
        raise Unavailable("other writers were in the way", cure="Try again")

    def _commit_once(self, batch: Batch) -> Committed:
        now = datetime.now(UTC)
        with self._engine.begin() as connection:
            tenants = _tenants(connection, batch)
            drafts, outcomes = _draft(connection, batch.changes, tenants, now)
            series, rows = self._history(connection, drafts)
            stored = write_observations(connection, rows, series.values()) if rows else Stored()
            _write_state(connection, drafts)
            _finish(connection, batch, tenants, stored)
        self._catalog.confirm(series, rows)
        return Committed(outcomes=outcomes, stored=stored)

    def _history(
        self, connection: Connection, drafts: Mapping[EntityKey, Draft]
    ) -> tuple[dict[SeriesKey, Series], Rows]:
        observations = [(key[0], item) for key, draft in drafts.items() for item in draft.history]
        wanted: dict[SeriesKey, str] = {}
        for tenant, item in observations:
            wanted.setdefault(_series_key(tenant, item), item.unit_code)
        series = self._catalog.resolve(connection, wanted) if wanted else {}
        rows: Rows = {}
        for tenant, item in observations:
            home = series[_series_key(tenant, item)]
            rows[home.number, item.observed_at] = _value(item, home)
        if months := self._partitions.missing(month_of(moment) for _, moment in rows):
            raise _MonthsMissing(months)
        return series, rows


def _tenants(connection: Connection, batch: Batch) -> dict[str, int]:
    names = {change.tenant for change in batch.changes}
    if batch.rejected:
        names.add(DEFAULT_TENANT)
    return {name: tenant_number(connection, name, create=True) for name in sorted(names)}


def _draft(
    connection: Connection, changes: Sequence[Change], tenants: Mapping[str, int], now: datetime
) -> tuple[dict[EntityKey, Draft], list[Outcome | MachinamiError]]:
    keys = [(tenants[change.tenant], change.entity_id) for change in changes]
    found = lock_entities(connection, keys) if keys else {}
    drafts = {key: Draft(found.get(key), now) for key in keys}
    outcomes = [drafts[key].apply(change) for key, change in zip(keys, changes, strict=True)]
    return drafts, outcomes


def _series_key(tenant: int, item: Observation) -> SeriesKey:
    return tenant, item.entity_id, item.attribute, item.dataset_id


def _value(item: Observation, series: Series) -> tuple[float | None, object]:
    # A number stands bare only in its series' own unit; in another one the whole instance says which.
    if item.number is not None and item.unit_code != series.unit_code:
        return None, item.instance
    return item.number, None if item.number is not None else item.instance


def _write_state(connection: Connection, drafts: Mapping[EntityKey, Draft]) -> None:
    changed = {key: draft for key, draft in drafts.items() if draft.after is not draft.before}
    new = [
        (key[0], draft.after) for key, draft in sorted(changed.items()) if draft.after and not draft.before
    ]
    old = [(key[0], draft.after) for key, draft in changed.items() if draft.after and draft.before]
    insert_entities(connection, new)
    update_entities(connection, old)
    delete_entities(connection, [key for key, draft in changed.items() if not draft.after])
    match(connection, [_written(key[0], draft) for key, draft in changed.items()])
    notify(connection, changed)


def _written(tenant: int, draft: Draft) -> Written:
    return Written(tenant=tenant, before=draft.before, after=draft.after, changed=tuple(draft.changed))


def _finish(connection: Connection, batch: Batch, tenants: Mapping[str, int], stored: Stored) -> None:
    if batch.progress is None:
        return
    if batch.rejected:
        write_quarantine(connection, tenants[DEFAULT_TENANT], batch.progress.stream, batch.rejected)
    advance(connection, batch.progress, stored)
