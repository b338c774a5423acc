"""An entity while a batch of changes is applied to it: pure, no database.

A draft collects all changes of a batch to one entity and becomes the new current state once, at its end: a
device that reports many times in a batch costs its history rows, and one document.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from machinami.linkage.slots import Observation, Slot, plain_number, slots_of
from machinami.model import (
    NEVER,
    Attributes,
    Change,
    Entity,
    Instance,
    Layout,
    Measurement,
    Outcome,
    format_time,
)
from machinami.ngsild.expiry import earliest, expires, is_over, pruned
from machinami.ngsild.terms import NGSI_NULL, SCOPE, null_content

NO_SCOPE = (NGSI_NULL,)
"""The scope of a change that takes the scope away."""

_STAMPS = frozenset({"createdAt", "modifiedAt"})


class Draft:
    """An entity while a batch of changes is applied to it, and the history that they make."""

    def __init__(self, entity_id: str, before: Entity | None, now: datetime) -> None:
        self.entity_id = entity_id
        self.before = before
        self.now = now
        self.exists = before is not None
        self.types = before.types if before else ()
        self.scope = before.scope if before else ()
        self.history: list[Observation] = []
        self.measured: list[Measurement] = []
        self.moments: list[datetime] = []
        self.written: dict[Slot, None] = {}
        self.removed: dict[str, None] = {}
        self._before = slots_of(before.attributes) if before else {}
        self._current = self._before.copy()
        self._newest: dict[Slot, datetime] = {}
        self._measures: Layout | None = None
        self._measuring = Outcome(entity_id=entity_id)
        self._untimed: dict[Slot, datetime] = {}  # several without observedAt are a microsecond apart
        self._before_now = now - timedelta.resolution
        self._text = ""
        self._moment = now
        self.created_at = before.created_at if before else None
        self.expires_at = before.expires_at if before else None
        self._may_expire = before is not None and before.due_at is not None
        if before and before.due_at and before.due_at <= now:
            self._expire()

    def _expire(self) -> None:
        """What is past its time goes before anything else is done (clause 4.22)."""
        if self.expires_at and self.expires_at <= self.now:
            self.vanish()
        for name, dataset in [slot for slot, each in self._current.items() if is_over(each, self.now)]:
            self.remove(name, [dataset])
        for (name, _), instance in list(self._current.items()):
            left = pruned(instance, self.now)
            if left is not instance:
                self.write({name: [left]})

    def vanish(self) -> None:
        """Delete the entity."""
        self.clear()
        self.place(())
        self.exists, self.types, self.created_at, self.expires_at = False, (), None, None

    def measure(self, item: Measurement) -> Outcome:
        """Numbers of a device are put aside while nothing but its like comes: see `Layout`."""
        if self._measures is None or item.layout is not self._measures:
            return self._begin_measuring(item)
        self.measured.append(item)
        return self._measuring

    def _begin_measuring(self, first: Measurement) -> Outcome:
        """Measurements of one layout are put aside: only the newest becomes current, once, at the end."""
        if self._measures is not None or self.history or self.removed:
            self.spell_out()
            return self.merge(first.change)
        updated = tuple(name for name, _ in first.layout.slots)
        created, self.exists = not self.exists, True
        self._measures = first.layout
        self._measuring = Outcome(entity_id=self.entity_id, updated=updated)
        self.measured.append(first)
        if first.types != self.types:
            self.describe(first.change)
        return Outcome(entity_id=self.entity_id, created=created, updated=updated)

    def spell_out(self) -> None:
        """Something else happens to this entity in the batch: order matters, so all goes one way."""
        measured, self.measured, self._measures = self.measured, [], None
        for item in measured:
            self.write(item.attributes, only_newer=True)

    def _settle(self) -> None:
        """Make the newest measurement current."""
        newest = None
        for item in self.measured:
            if newest is None or item.observed_at >= newest.observed_at:
                newest = item
        if newest is None:
            return
        for place, slot in enumerate(newest.layout.slots):
            if slot not in self._current or self._is_newer(slot, newest.observed_at):
                self._current[slot] = newest.instance(place)
                self.written[slot] = None

    def merge(self, change: Change) -> Outcome:
        """Upsert, instance by instance."""
        created = not self.exists
        self.exists = True
        self.describe(change)
        self.write(change.attributes, only_newer=change.only_newer)
        return Outcome(entity_id=change.entity_id, created=created, updated=tuple(change.attributes))

    def describe(self, change: Change) -> None:
        """Types are added to those there are (5.6.3); a scope takes the place of the one there is."""
        if change.types != self.types and not set(change.types) <= set(self.types):
            self.types = tuple(dict.fromkeys(self.types + change.types))
        if change.scope is not None:
            self.place(() if change.scope == NO_SCOPE else change.scope)
        if change.expires_at is not None:
            self.expire_at(change.expires_at)
        for instance in change.scope_history:
            value: str | list[str] = instance["value"]
            self.scope = (value,) if isinstance(value, str) else tuple(value)
            self._remember_scope(datetime.fromisoformat(instance["observedAt"]), instance)

    def place(self, scope: tuple[str, ...]) -> None:
        """Set the scope, or take it away; history says since when, as clauses 4.5.6 and 4.18 want it."""
        if scope == self.scope:
            return
        self.scope = scope
        names = ("observedAt", "createdAt", "modifiedAt") if scope else ("deletedAt",)
        since = dict.fromkeys(names, format_time(self.now))
        value = scope[0] if len(scope) == 1 else list(scope)
        self._remember_scope(self.now, {"type": "Property", "value": value, **since})

    def expire_at(self, moment: datetime) -> None:
        """Keep the entity until then; `NEVER` keeps it for good."""
        self.expires_at = None if moment == NEVER else moment
        self._may_expire = True

    def _remember_scope(self, moment: datetime, instance: Instance) -> None:
        self.history.append(((SCOPE, ""), moment, None, instance))
        self.moments.append(moment)

    @property
    def touched(self) -> bool:
        """Whether anything was done to it at all."""
        before = self.before
        if before is None or not self.exists:
            return before is not None or self.exists
        if self.written or self.removed or self.measured:
            return True
        now, then = (self.types, self.scope, self.expires_at), (before.types, before.scope, before.expires_at)
        return now != then

    @property
    def continued(self) -> bool:
        """Whether it was there and has not been deleted since, be it that it was made anew."""
        return self.created_at is not None

    def is_rescheduled(self, after: Entity) -> bool:
        """Whether it was there, and it or the first of its attributes expires at another time now."""
        before = self.before
        if before is None or not self._may_expire:
            return False
        return (after.expires_at, after.due_at) != (before.expires_at, before.due_at)

    def current(self, slot: Slot) -> Instance | None:
        """The instance that is current there, without its system times; None where there is none."""
        instance = self._current.get(slot)
        return instance and {name: value for name, value in instance.items() if name not in _STAMPS}

    def write(self, attributes: Attributes, *, only_newer: bool = False) -> None:
        """Make these instances current and put them into the history."""
        for name, instances in attributes.items():
            for instance in instances:
                self._write(name, instance, only_newer)

    def _write(self, name: str, instance: Instance, only_newer: bool) -> None:
        slot = (name, instance.get("datasetId", ""))
        text = instance.get("observedAt")
        if text is None:
            moment = self._untimed[slot] = self._untimed.get(slot, self._before_now) + timedelta.resolution
        elif text is self._text:  # the instances of one message share their time
            moment = self._moment
        else:
            moment = self._moment = datetime.fromisoformat(text)
            self._text = text
        if not self.moments or moment is not self.moments[-1]:
            self.moments.append(moment)
        number = None if text is None else plain_number(instance)
        self.history.append((slot, moment, number, instance))
        if not only_newer or slot not in self._current or self._is_newer(slot, moment):
            self._current[slot] = instance
            self._newest[slot] = moment
            self.written[slot] = None
            if expires(instance):
                self._may_expire = True

    def _is_newer(self, slot: Slot, moment: datetime) -> bool:
        newest = self._newest.get(slot)
        if newest is None:
            text = self._current[slot].get("observedAt")
            newest = self._newest[slot] = datetime.fromisoformat(text) if text else moment
        return moment >= newest

    def slots(self, name: str, datasets: Iterable[str] | None = None) -> list[Slot]:
        """Where instances of an attribute are now, or of these datasets of it."""
        return [
            slot for slot in self._current if slot[0] == name and (datasets is None or slot[1] in datasets)
        ]

    def remove(self, name: str, datasets: Iterable[str] | None = None) -> None:
        """Take away an attribute, or these instances of it."""
        for slot in self.slots(name, datasets):
            self._bury(slot, self._current.pop(slot))
            self.written.pop(slot, None)
            self.removed[name] = None

    def _bury(self, slot: Slot, instance: Instance) -> None:
        """History says when it was deleted, as clause 4.5.7 wants it."""
        kind = instance.get("type", "Property")
        grave: Instance = {"type": kind, **null_content(kind), "deletedAt": format_time(self.now)}
        if slot[1]:
            grave["datasetId"] = slot[1]
        self.history.append((slot, self.now, None, grave))
        self.moments.append(self.now)

    def clear(self) -> None:
        """Take away all attributes."""
        for name in dict.fromkeys(slot[0] for slot in self._current):
            self.remove(name)

    @property
    def changed(self) -> tuple[str, ...]:
        """Names of the attributes written or removed."""
        return tuple(dict.fromkeys([*(slot[0] for slot in self.written), *self.removed]))

    def units(self) -> Iterable[tuple[Slot, str]]:
        """Every slot that history is written to, with the unit of its numbers; some more than once."""
        if self._measures is not None:
            yield from zip(self._measures.slots, self._measures.units, strict=True)
        for slot, _, _, instance in self.history:
            yield slot, instance.get("unitCode", "")

    def finish(self) -> Entity | None:
        """The entity as the batch leaves it; None when it is deleted."""
        if not self.exists:
            return None
        self._settle()
        stamp = format_time(self.now)
        attributes: Attributes = {}
        for slot, instance in self._current.items():
            if slot in self.written:
                old = self._before.get(slot) if slot[0] not in self.removed else None
                created = old.get("createdAt", stamp) if old else stamp
                instance = {**instance, "createdAt": created, "modifiedAt": stamp}
            if slot[0] in attributes:
                attributes[slot[0]].append(instance)
            else:
                attributes[slot[0]] = [instance]
        return Entity(
            id=self.entity_id,
            types=self.types,
            attributes=attributes,
            scope=self.scope,
            created_at=self.created_at or self.now,
            modified_at=self.now,
            expires_at=self.expires_at,
            due_at=earliest(attributes, self.expires_at) if self._may_expire else None,
        )
