"""Which registrations a query for context sources finds (clause 5.10.2)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

import msgspec

from machinami.federation.matching import Wanted, is_relevant, matching_information
from machinami.federation.registration import INTERVALS, Registration, compile_registration
from machinami.linkage.types import has_scopes
from machinami.model import Attributes, Entity, Instance
from machinami.ngsild.geo import GeoQuery
from machinami.ngsild.matching import matches
from machinami.ngsild.query import Node
from machinami.ngsild.temporal import TemporalQuery, TimeRelation
from machinami.ngsild.terms import KINDS
from machinami.store.queries import ScopeSelection
from machinami.store.queries_registration import StoredRegistration

_OBSERVATION, _MANAGEMENT = INTERVALS
_INTERVAL_OF = {"observedAt": _OBSERVATION}


class SourceSelection(msgspec.Struct, frozen=True, kw_only=True):
    """Which registrations are asked for; an empty member asks for nothing.

    Attributes:
        geo: asked of the registration's own location, observationSpace or operationSpace.
        temporal: None asks for sources that tell the latest, otherwise for such as tell of that time.
        csf: query over Context Source Properties, clause 4.9.
        scopes: asked of the registration's scope, clause 4.19.
    """

    wanted: Wanted = Wanted()
    geo: GeoQuery | None = None
    temporal: TemporalQuery | None = None
    csf: Node | None = None
    scopes: ScopeSelection = ()


def selects(selection: SourceSelection, stored: StoredRegistration) -> bool:
    """Whether a registration is asked for.

    Raises:
        TooComplexQuery: a pattern takes too long.
    """
    document, registration = stored.document, compile_registration(stored)
    return (
        _of_time(selection.temporal, document)
        and bool(matching_information(registration, selection.wanted))
        and (selection.geo is None or _lies(selection.geo, document))
        and meets(selection.csf, registration)
        and has_scopes(registration.scopes, selection.scopes)
    )


def meets(csf: Node | None, registration: Registration) -> bool:
    """Whether a source has the Context Source Properties that are asked for (clause 4.9)."""
    return csf is None or matches(csf, _as_entity(registration))


def narrowed(selection: SourceSelection, stored: StoredRegistration) -> StoredRegistration:
    """A registration with those parts of its information that are asked for (clause 5.10.2.5).

    One of which nothing is asked for stays whole.
    """
    given: list[Any] = stored.document["information"]
    parts = zip(given, compile_registration(stored).information, strict=True)
    kept = [each for each, part in parts if is_relevant(part, selection.wanted)] or given
    return msgspec.structs.replace(stored, document={**stored.document, "information": kept})


def tells_of(query: TemporalQuery, registration: Registration) -> bool:
    """Whether a source may have something of that time; one that names none may have all (clause 5.2.9)."""
    return not registration.intervals or _is_interval_of(query, registration.intervals)


def _of_time(query: TemporalQuery | None, document: Mapping[str, Any]) -> bool:
    if query is None:
        return document.keys().isdisjoint(INTERVALS)
    return _is_interval_of(query, document)


def _is_interval_of(query: TemporalQuery, intervals: Mapping[str, Any]) -> bool:
    interval = intervals.get(_INTERVAL_OF.get(query.timeproperty, _MANAGEMENT))
    return interval is not None and _overlaps(query, interval)


def _overlaps(query: TemporalQuery, interval: Mapping[str, str]) -> bool:
    """Whether an interval reaches into the time asked for; a bound that touches it is enough."""
    start = datetime.fromisoformat(interval["startAt"])
    end = datetime.fromisoformat(interval["endAt"]) if "endAt" in interval else None
    if query.time_at is None:
        return True
    if query.timerel is TimeRelation.BEFORE:
        return start <= query.time_at
    if end is not None and end < query.time_at:
        return False
    return query.end_time_at is None or start <= query.end_time_at


def _lies(geo: GeoQuery, document: Mapping[str, Any]) -> bool:
    name = geo.geoproperty.rpartition("/")[2]
    return name in document and geo.may_match_in(document[name])


def _as_entity(registration: Registration) -> Entity:
    """Context Source Properties as attributes, so that the query language can be asked of them."""
    attributes: Attributes = {name: [_instance(value)] for name, value in registration.properties.items()}
    return Entity(id=registration.id, types=(), attributes=attributes)


def _instance(value: Any) -> Instance:
    if isinstance(value, dict):
        given = cast("dict[str, Any]", value)
        if given.get("type") in KINDS and KINDS[given["type"]].member in given:
            return given
    return {"type": "Property", "value": value}
