"""Every URL parameter of the standard, in one place: what it means, and which endpoint takes it.

A parameter that its endpoint takes is in a tuple below; any other answers 400.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from machinami.errors import BadRequestData, InvalidRequest

MAX_LIMIT = 1000
DEFAULT_LIMIT = 20


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One URL parameter.

    Attributes:
        clause: of ETSI GS CIM 009 1.8.1; empty where the parameter is our own.
        schema: JSON Schema of its text.
    """

    meaning: str
    clause: str = ""
    schema: Mapping[str, Any] = msgspec.field(default_factory=lambda: {"type": "string"})


_INTEGER = {"type": "integer", "minimum": 0}
_BOOLEAN = {"type": "boolean"}
_MOMENT = {"type": "string", "format": "date-time"}

PARAMETERS: Mapping[str, Parameter] = {
    "aggrMethods": Parameter(meaning="Aggregation methods", clause="4.5.19"),
    "aggrPeriodDuration": Parameter(meaning="Length of each aggregated period", clause="4.5.19"),
    "attrs": Parameter(
        meaning="Attribute names, at least one of which the entity has; only these come back",
        clause="6.4.3.2",
    ),
    "collation": Parameter(meaning="ICU collation for orderBy", clause="4.23.3"),
    "connector": Parameter(meaning="Name of a connector"),
    "containedBy": Parameter(
        meaning="Entity ids met already while linked entities are retrieved", clause="4.5.23"
    ),
    "coordinates": Parameter(
        meaning="Coordinates of the geo-query's geometry, as GeoJSON has them", clause="4.10"
    ),
    "count": Parameter(
        meaning="Say the size of the whole result in NGSILD-Results-Count", clause="6.3.13", schema=_BOOLEAN
    ),
    "csf": Parameter(meaning="Context source filter", clause="4.9"),
    "datasetId": Parameter(
        meaning="Only instances of these datasets; @none is the default instance", clause="4.5.5"
    ),
    "deleteAll": Parameter(
        meaning="Delete every instance of the attribute", clause="6.7.3.2", schema=_BOOLEAN
    ),
    "details": Parameter(meaning="Describe each one, not only its name", clause="6.25.3.1", schema=_BOOLEAN),
    "drop": Parameter(meaning="Attributes to purge", clause="6.4.3.3"),
    "endTimeAt": Parameter(meaning="End of a span of time (exclusive)", clause="4.11", schema=_MOMENT),
    "entityMap": Parameter(meaning="Return the location of an EntityMap", clause="5.5.14", schema=_BOOLEAN),
    "entityMapLifetime": Parameter(meaning="How long an EntityMap shall exist", clause="5.5.14"),
    "expandValues": Parameter(meaning="Attributes whose values in q are expanded to IRIs", clause="4.9"),
    "format": Parameter(
        meaning="normalized (default), concise, simplified or keyValues; temporal: temporalValues",
        clause="6.3.7, 6.3.12",
    ),
    "geometry": Parameter(meaning="Geometry type of the geo-query", clause="4.10"),
    "geometryProperty": Parameter(
        meaning="GeoProperty that becomes the geometry of GeoJSON", clause="6.3.15"
    ),
    "geoproperty": Parameter(
        meaning="GeoProperty that the geo-query looks at; location if not given", clause="4.10"
    ),
    "georel": Parameter(
        meaning="near;maxDistance==metres, near;minDistance==metres, within, contains, intersects …",
        clause="4.10",
    ),
    "id": Parameter(meaning="Entity ids, separated by commas", clause="6.4.3.2"),
    "idPattern": Parameter(meaning="POSIX regular expression for the entity id", clause="6.4.3.2"),
    "join": Parameter(meaning="Retrieve linked entities: flat or inline", clause="4.5.23"),
    "joinLevel": Parameter(
        meaning="How deep linked entities are retrieved", clause="4.5.23", schema=_INTEGER
    ),
    "jsonKeys": Parameter(meaning="Attributes whose values in q are plain JSON", clause="4.9"),
    "keep": Parameter(meaning="Attributes that a purge leaves", clause="6.4.3.3"),
    "kind": Parameter(meaning="Hosted, Cached or ImplicitlyCreated", clause="6.29.3.2"),
    "lang": Parameter(meaning="Natural language that LanguageProperties are reduced to", clause="4.15"),
    "lastN": Parameter(
        meaning="Only the newest instances of each attribute, so many",
        clause="6.18.3.2",
        schema={"type": "integer", "minimum": 1},
    ),
    "limit": Parameter(
        meaning=f"Size of a page, at most {MAX_LIMIT}; 0 only together with count",
        clause="6.3.10",
        schema={**_INTEGER, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    ),
    "local": Parameter(
        meaning="Only what this server itself has: no context source is asked",
        clause="6.3.18",
        schema=_BOOLEAN,
    ),
    "observedAt": Parameter(meaning="observedAt for merged attributes", clause="6.5.3.4", schema=_MOMENT),
    "offset": Parameter(meaning="How many elements to skip", clause="6.3.10", schema=_INTEGER),
    "omit": Parameter(meaning="Entity members that do not come back", clause="4.21"),
    "options": Parameter(
        meaning="normalized, concise, keyValues, sysAttrs; temporalValues; noOverwrite; update, replace",
        clause="6.3.7, 6.3.11",
    ),
    "orderBy": Parameter(meaning="Entity members to order by", clause="4.23"),
    "orderFrom": Parameter(meaning="Coordinates that distances are measured from", clause="4.23"),
    "orderGeometry": Parameter(meaning="Geometry type of orderFrom", clause="4.23"),
    "pick": Parameter(
        meaning="Entity members that come back: id, type, scope, attribute names", clause="4.21"
    ),
    "q": Parameter(meaning='Query over values: speed>50;brandName!="Mercedes"', clause="4.9"),
    "reload": Parameter(
        meaning="Fetch a cached @context again before it is deleted", clause="6.30.3.2", schema=_BOOLEAN
    ),
    "scopeQ": Parameter(meaning="Query over scopes", clause="4.19"),
    "splitEntities": Parameter(
        meaning="Entities may be spread over several sources", clause="6.4.3.2", schema=_BOOLEAN
    ),
    "timeAt": Parameter(
        meaning="A moment, or the start of a span (inclusive)", clause="4.11", schema=_MOMENT
    ),
    "timeproperty": Parameter(
        meaning="observedAt (default), createdAt, modifiedAt, deletedAt", clause="4.11"
    ),
    "timerel": Parameter(meaning="before, after or between", clause="4.11"),
    "subscription": Parameter(meaning="Id of a subscription"),
    "topic": Parameter(meaning="MQTT topic, or a topic filter with + and #"),
    "type": Parameter(meaning="Selection of entity types: A,B either; (A;B) both", clause="4.17"),
}

GEO_QUERY = ("georel", "geometry", "coordinates", "geoproperty")
TEMPORAL = ("timerel", "timeAt", "endTimeAt", "timeproperty", "lastN")
PAGE = ("limit", "offset", "count")
PROJECTION = ("attrs", "pick", "omit", "datasetId")
REPRESENTATION = ("options", "format", "lang", "geometryProperty")
WRITE = ("local", "type")

LINKED = ("join", "joinLevel", "containedBy")
MAPPED = ("entityMap", "entityMapLifetime")
ORDER = ("orderBy", "orderFrom", "orderGeometry", "collation")
COERCION = ("expandValues", "jsonKeys")
AGGREGATION = ("aggrMethods", "aggrPeriodDuration")

RETRIEVE_ENTITY = (*PROJECTION, *REPRESENTATION, *LINKED, *MAPPED, "local", "type")
FILTER = ("q", "csf", "scopeQ", *COERCION, *GEO_QUERY)
PURGE = ("type", "id", "idPattern", "attrs", *FILTER, "drop", "keep", "local")
QUERY_ENTITIES = (
    "type", "id", "idPattern", *FILTER, *PROJECTION, *PAGE, *REPRESENTATION, *ORDER, *LINKED, *MAPPED,
    "local", "splitEntities",
)  # fmt: skip
QUERY_BY_POST = (*PAGE, *REPRESENTATION, *LINKED, *MAPPED, "local", "splitEntities")
RETRIEVE_TEMPORAL = (
    *TEMPORAL, *AGGREGATION, *PROJECTION, *MAPPED, "options", "format", "lang", "local",
)  # fmt: skip
QUERY_TEMPORAL = ("type", "id", "idPattern", *FILTER, *RETRIEVE_TEMPORAL, *PAGE, *ORDER, "splitEntities")
QUERY_TEMPORAL_BY_POST = (*PAGE, *MAPPED, "options", "format", "lang", "local", "splitEntities")


class Arguments(dict[str, str]):
    """The parameters of one request, each known to its endpoint and not empty."""

    def names(self, name: str) -> list[str]:
        """A comma separated list; empty when it was not given.

        Raises:
            BadRequestData: a member of the list is empty.
        """
        if name not in self:
            return []
        found = [part.strip() for part in self[name].split(",")]
        if not all(found):
            raise BadRequestData(
                f"{name} has an empty member", field=name, value=self[name], cure="Write a,b,c"
            )
        return found

    def flag(self, name: str) -> bool:
        """A boolean; false when it was not given."""
        return self.one_of(name, {"true": True, "false": False}, False)

    def one_of(self, name: str, choices: Mapping[str, Any], default: Any) -> Any:
        """What one of these words stands for.

        Raises:
            InvalidRequest: it is none of them, and a representation is asked for (clause 6.3.20).
            BadRequestData: it is none of them.
        """
        if name not in self:
            return default
        if self[name] not in choices:
            refused = InvalidRequest if name in ("format", "options") else BadRequestData
            raise refused(
                f"{name} cannot be {self[name]}",
                field=name,
                value=self[name],
                cure=f"One of {', '.join(choices)}",
            )
        return choices[self[name]]

    def number(
        self, name: str, default: int | None = None, *, minimum: int = 0, maximum: int | None = None
    ) -> Any:
        """A whole number in its bounds; the default when it was not given."""
        if name not in self:
            return default
        text = self[name]
        value = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1
        if value < minimum or (maximum is not None and value > maximum):
            bounds = f"from {minimum}" if maximum is None else f"from {minimum} to {maximum}"
            raise BadRequestData(
                f"{name} is not a whole number {bounds}",
                field=name,
                value=text,
                cure=f"Write {name}={default or minimum}",
            )
        return value


def read_arguments(pairs: Sequence[tuple[str, str]], accepted: Sequence[str]) -> Arguments:
    """The parameters of a request.

    Args:
        pairs: names and values as they came.
        accepted: names that the endpoint takes.

    Raises:
        InvalidRequest: one is unknown (clause 6.3.19).
        BadRequestData: one is empty or given twice.
    """
    arguments = Arguments()
    for name, value in pairs:
        if name not in accepted:
            raise InvalidRequest(
                f"there is no parameter {name} here",
                field=name,
                value=value,
                cure=f"Known here: {', '.join(sorted(accepted)) or 'none'}",
            )
        if not value or name in arguments:
            problem = "is given twice" if name in arguments else "is empty"
            raise BadRequestData(
                f"{name} {problem}",
                field=name,
                value=value,
                cure=f"Give {name} once with a value, or leave it out",
            )
        arguments[name] = value
    return arguments
