"""Registrations of context sources (clause 5.2.9), compiled for matching and forwarding."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from machinami.ngsild.context import CORE
from machinami.ngsild.operations import offered_operations
from machinami.store.queries_registration import StoredRegistration

_ASKED_FOR = ("contextSourceAlias", "description", "endpoint", "mode", "refreshRate", "registrationName")
"""Members with one plain value."""


class Mode(StrEnum):
    """How a source's data stand to those of others (clauses 4.3.6.2 and 4.3.6.3)."""

    INCLUSIVE = "inclusive"
    EXCLUSIVE = "exclusive"
    REDIRECT = "redirect"
    AUXILIARY = "auxiliary"


INTERVALS = ("observationInterval", "managementInterval")
"""Members of a registration that say of which time it tells (clause 5.2.9)."""

PROXIED = frozenset({Mode.EXCLUSIVE, Mode.REDIRECT})
"""Modes in which this broker keeps none of the registered data itself."""


class EntityInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Entities that a source has (clause 5.2.8).

    Attributes:
        types: expanded IRIs; an entity has all of them.
        id: empty where any id, or the pattern, is meant.
        id_pattern: regular expression; counts for nothing where there is an id.
    """

    types: tuple[str, ...] = ()
    id: str = ""
    id_pattern: str = ""


class Information(msgspec.Struct, frozen=True, kw_only=True):
    """What a source can tell (clause 5.2.10); an empty member means all."""

    entities: tuple[EntityInfo, ...] = ()
    attributes: frozenset[str] = frozenset()


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """One registration.

    Attributes:
        operations: names of single operations, groups spelt out.
        endpoint: base address, as given.
        source_tenant: tenant there; empty for the default one.
        datasets: ids of instances it has; empty: any.
        alias: its name in Via headers; empty where it is not known.
        info: pairs of ``contextSourceInfo``.
        properties: Context Source Properties, expanded name → value; and the members that csf may ask for.
        scopes: of entities that it has (clause 4.18).
        intervals: times that it tells of, by name; where there is one it tells of the past only.
        location: where it has entities, as GeoJSON; None: anywhere.
        expires_at: when it ends; None: never.
        timeout: seconds; None where the registration does not say. So with cooldown.
        cache_duration: ISO 8601 duration; empty: answers are not kept.
    """

    tenant: int
    id: str
    mode: Mode
    operations: frozenset[str]
    endpoint: str
    information: tuple[Information, ...]
    source_tenant: str = ""
    datasets: frozenset[str] = frozenset()
    alias: str = ""
    info: tuple[tuple[str, str], ...] = ()
    properties: Mapping[str, Any] = {}
    scopes: tuple[str, ...] = ()
    location: dict[str, Any] | None = None
    expires_at: datetime | None = None
    intervals: Mapping[str, Mapping[str, str]] = {}
    local_only: bool = False
    timeout: float | None = None
    cooldown: float | None = None
    cache_duration: str = ""

    @property
    def is_proxied(self) -> bool:
        """Whether what it has is kept nowhere else."""
        return self.mode in PROXIED


def compile_registration(stored: StoredRegistration) -> Registration:
    """A stored registration, ready for matching."""
    document = stored.document
    management: Mapping[str, Any] = document.get("management", {})
    return Registration(
        tenant=stored.tenant,
        id=stored.id,
        mode=Mode(document.get("mode", Mode.INCLUSIVE)),
        operations=offered_operations(document.get("operations", ())),
        endpoint=document["endpoint"],
        information=tuple(_information(item) for item in document["information"]),
        source_tenant=document.get("tenant", ""),
        datasets=frozenset(document.get("datasetId", ())),
        alias=document.get("contextSourceAlias", ""),
        info=tuple((pair["key"], pair["value"]) for pair in document.get("contextSourceInfo", ())),
        properties={**_standard(document), **document.get("properties", {})},
        scopes=tuple(document.get("scope", ())),
        location=document.get("location"),
        expires_at=datetime.fromisoformat(document["expiresAt"]) if "expiresAt" in document else None,
        intervals={name: document[name] for name in INTERVALS if name in document},
        local_only=management.get("localOnly", document.get("localOnly", False)),
        timeout=_seconds(management.get("timeout")),
        cooldown=_seconds(management.get("cooldown")),
        cache_duration=management.get("cacheDuration", ""),
    )


def _standard(document: Mapping[str, Any]) -> dict[str, Any]:
    """What the standard's own members say of the source: csf asks for them as for any other (clause 4.9)."""
    return {CORE.expand(name): document[name] for name in _ASKED_FOR if name in document}


def _information(item: Mapping[str, Any]) -> Information:
    entities = tuple(
        EntityInfo(
            types=tuple(each.get("type", ())), id=each.get("id", ""), id_pattern=each.get("idPattern", "")
        )
        for each in item.get("entities", ())
    )
    names = (*item.get("propertyNames", ()), *item.get("relationshipNames", ()))
    return Information(entities=entities, attributes=frozenset(names))


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
