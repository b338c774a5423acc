"""The platform's own words: entities, their attributes, changes to them, and where a message came from.

Names are expanded IRIs everywhere below the doors (API, connectors); terms exist only outside. An attribute
instance is a plain dict in the normalized representation of ETSI GS CIM 009 clause 4.5, with core terms as
member names (``type``, ``value``, ``object``, ``observedAt``, ``unitCode``, ``datasetId`` …) and expanded
IRIs for sub-attributes; times are RFC 3339 strings in UTC ending in ``Z``. The store keeps that dict as JSON.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeAlias

import msgspec

Instance: TypeAlias = dict[str, Any]
"""One attribute instance: ``{"type": "Property", "value": 3.2, "unitCode": "MTR", "observedAt": "…Z"}``."""

Attributes: TypeAlias = dict[str, list[Instance]]
"""Expanded attribute name → its instances, one for each ``datasetId`` (at most one without)."""

NEVER = datetime.max.replace(tzinfo=UTC)
"""When something expires that is to be kept for good (clause 4.22)."""

DEFAULT_TENANT = "default"


class Entity(msgspec.Struct, frozen=True, kw_only=True):
    """Current state of an entity.

    Attributes:
        id: a URI.
        types: expanded type IRIs, at least one.
        attributes: see `Attributes`.
        scope: scopes such as ``/namiki/north``; empty when the entity has none.
        created_at: aware UTC, when the entity was created here.
        modified_at: aware UTC, when it last changed here.
        expires_at: aware UTC, until when it is stored (clause 4.22); None is for good.
        due_at: when it, or the first of its attributes, expires.
    """

    id: str
    types: tuple[str, ...]
    attributes: Attributes
    scope: tuple[str, ...] = ()
    created_at: datetime | None = None
    modified_at: datetime | None = None
    expires_at: datetime | None = None
    due_at: datetime | None = None


class Operation(StrEnum):
    """What a change wants, in the words of ETSI GS CIM 009 clause 5.6."""

    CREATE = "create"  # 5.6.1: fails if the entity exists
    MERGE = "merge"  # upsert, instance by instance; creates what is not there
    APPEND = "append"  # 5.6.3: entity must exist; adds and overwrites attributes
    APPEND_ONLY = "appendOnly"  # 5.6.3 with noOverwrite
    UPDATE = "update"  # 5.6.2: as append; NGSI-LD Nulls delete, and a scope is only changed, never added
    PATCH = "patch"  # 5.6.4: members of instances that exist; a member that is NGSI-LD Null goes
    MERGE_PATCH = "mergePatch"  # 5.6.17: to any depth; what is NGSI-LD Null goes
    REPLACE_ATTRIBUTE = "replaceAttribute"  # 5.6.19: instances that exist, whole
    REPLACE = "replace"  # 5.6.18: entity must exist; the whole entity
    UPSERT = "upsert"  # 5.6.8: the whole entity, new or in place of the one there is
    DELETE = "delete"  # 5.6.6
    # 5.6.5: `{name: []}` all instances, `{name: [{"datasetId": …}]}` one, `{name: [{}]}` the default one; a
    # scope that is NGSI-LD Null goes
    DELETE_ATTRIBUTE = "deleteAttribute"
    EXPIRE = "expire"  # 4.22: nothing but what every change begins with: what is past its time goes


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One wish about one entity; what every door (MQTT, HTTP, another city) hands to the linkage layer.

    Attributes:
        scope: None leaves it as it is; a single NGSI-LD Null takes it away.
        expires_at: None leaves it as it is; `NEVER` keeps the entity for good.
        scope_history: scopes that it had, as Properties with ``observedAt`` (clause 4.5.6).
        only_newer: an instance replaces the current one only if its ``observedAt`` is not older; history is
            written in any case. Set by connectors, whose messages may come late or out of order.
    """

    entity_id: str
    operation: Operation = Operation.MERGE
    types: tuple[str, ...] = ()
    attributes: Attributes = {}
    scope: tuple[str, ...] | None = None
    expires_at: datetime | None = None
    scope_history: tuple[Instance, ...] = ()
    tenant: str = DEFAULT_TENANT
    only_newer: bool = False


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """What a kind of device measures each time: plain numbers, always the same. Made once, shared by all.

    Attributes:
        slots: (expanded attribute name, '') of each number, in order.
        units: UN/CEFACT code of each; '' where there is none.
    """

    slots: tuple[tuple[str, str], ...]
    units: tuple[str, ...]


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers that a device measured at one time: the change that comes by the hundred thousand.

    It means the `Change` that its properties spell out, for a fraction of the work: no instance is made for
    numbers that are history only.

    Attributes:
        observed_at: aware UTC; `observed_text` is the same as RFC 3339.
        values: finite numbers, exact in a double, as many as the layout has slots.
    """

    entity_id: str
    types: tuple[str, ...]
    layout: Layout
    values: Sequence[float]
    observed_at: datetime
    observed_text: str
    tenant: str = DEFAULT_TENANT

    @property
    def attributes(self) -> Attributes:
        """The same as attribute instances."""
        return {slot[0]: [self.instance(place)] for place, slot in enumerate(self.layout.slots)}

    def instance(self, place: int) -> Instance:
        """The attribute instance of one of the numbers."""
        unit = {"unitCode": self.layout.units[place]} if self.layout.units[place] else {}
        value = self.values[place]
        return {"type": "Property", "value": value, **unit, "observedAt": self.observed_text}

    @property
    def operation(self) -> Operation:
        """An upsert."""
        return Operation.MERGE

    @property
    def only_newer(self) -> bool:
        """Older numbers are history only."""
        return True

    @property
    def change(self) -> Change:
        """The same in full."""
        return Change(
            entity_id=self.entity_id,
            types=self.types,
            attributes=self.attributes,
            tenant=self.tenant,
            only_newer=True,
        )


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One MQTT message as the stream keeps it.

    Attributes:
        sequence: position in the stream, from 1.
        topic: MQTT topic.
        payload: bytes as the device sent them.
        received_at: when the broker took it in, aware UTC.
    """

    sequence: int
    topic: str
    payload: bytes
    received_at: datetime


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """Why a message, or one attribute of it, could not be read. It goes to quarantine and can be replayed.

    Attributes:
        connector: name of the connector; empty when no connector declares the topic.
        field: which member or column.
        value: the offending value as text, shortened to 200 characters.
        reason: what is wrong, one sentence.
        cure: what to do, one sentence.
        partial: the rest of the message was sound and is stored.
    """

    connector: str = ""
    field: str = ""
    value: str = ""
    reason: str
    cure: str = ""
    partial: bool = False


class Mapped(msgspec.Struct, frozen=True, kw_only=True):
    """What a connector made of one message: changes, rejections, or both; never neither."""

    changes: Sequence[Change | Measurement] = ()
    rejections: Sequence[Rejection] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a change.

    Attributes:
        created: the entity did not exist before.
        updated: expanded names of attributes written.
        not_updated: expanded name → reason, where the operation left one alone (5.2.18 UpdateResult).
    """

    entity_id: str
    created: bool = False
    updated: tuple[str, ...] = ()
    not_updated: Mapping[str, str] = {}


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC with ``Z``, fractions only where there are some. The moment must be aware."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
