"""The words of connector.toml and masters/*.toml; docs/connectors.md explains them to integrators."""

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct, field

Path: TypeAlias = str | list[str]
"""Where a value lies in the payload; several are tried in turn."""

Name: TypeAlias = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]*$")]
UnitCode: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Z0-9]{2,3}$")]
"""UN/CEFACT Recommendation 20 common code: MTR, CEL, P1, C62 …"""

Bound: TypeAlias = Annotated[float, Meta(ge=-(2**53), le=2**53)]
"""Numbers beyond ±2^53 cannot be kept exactly."""

Kind: TypeAlias = Literal[
    "number", "integer", "text", "boolean", "json", "point", "geometry", "language", "relationship"
]


class About(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[connector]``: what it is, for a catalogue."""

    name: Name
    title: dict[str, str]
    description: str = ""
    licence: str = ""
    homepage: str = ""
    tenant: str = "default"


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[limits]``: bounds that differ from the platform's."""

    future_hours: Annotated[float, Meta(ge=0, le=87_600)] | None = None


class Privacy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[privacy]``: how identifiers of people's devices look, so that quarantined payloads lose them too.

    Attributes:
        patterns: regular expressions; a group in one marks the identifier within the match.
        zone: whose midnight rotates the key.
    """

    patterns: Annotated[list[str], Meta(min_length=1)]
    zone: str = "Asia/Tokyo"


class TimeRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[message.time]``: when the values were observed.

    Attributes:
        format: ISO 8601 text, or seconds or milliseconds since 1970.
        zone: IANA name of the zone of texts that carry none.
        received: take the time of reception, because the payload has no time.
    """

    path: Path = ""
    format: Literal["iso", "unix", "unix-ms"] = "iso"
    zone: str | None = None
    received: bool = False


class AttributeRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[message.attribute]]``, ``[[attribute]]`` of a master: one attribute of the entity.

    Attributes:
        name: term; expands with the core @context.
        path: where the value lies; not for point and language.
        latitude: path of a point's latitude, degrees, WGS 84.
        longitude: path of a point's longitude.
        languages: language tag → path, for a LanguageProperty.
        object: template of a relationship's target URI.
        value: a constant instead of a path.
        unit: UN/CEFACT code.
        missing: marks that mean "no value"; compared without surrounding spaces.
        default: value where the payload has none.
        optional: a value that is not there is no defect.
        minimum: least value, in the attribute's unit, after scaling.
        maximum: greatest value, in the attribute's unit, after scaling.
        scale: factor from the payload's number to the attribute's unit.
        offset: added after scaling.
        translate: payload's word → attribute's word (booleans as "true", "false").
    """

    name: str
    kind: Kind = "number"
    path: Path = ""
    latitude: Path = ""
    longitude: Path = ""
    languages: dict[str, str] = {}
    object: str = ""
    value: str | int | float | bool | None = None
    unit: UnitCode | None = None
    missing: list[str | int | float] = []
    default: Any = None
    optional: bool = False
    minimum: Bound = -(2**53)
    maximum: Bound = 2**53
    scale: Annotated[float, Meta(gt=0)] = 1
    offset: float = 0
    translate: dict[str, str | int | float | bool] = {}


class MessageRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[message]]``: messages of one topic and the entity they are about.

    Attributes:
        topic: MQTT topic; ``{name}`` names a level, ``+`` is any level, ``#`` the rest.
        format: how bytes become documents; ``codec`` calls codec.py beside the manifest.
        id: template of the entity's URI, of topic levels and payload paths: ``urn:…:{device}``.
        when: path → value that a document must have to be read by this rule.
        pseudonymise: paths of identifiers of people's devices; ``detections[].device`` goes through a list.
    """

    topic: str
    format: Literal["json", "ultralight", "codec"] = "json"
    id: str
    type: str
    time: TimeRule
    when: dict[str, Any] = {}
    pseudonymise: list[str] = []
    attributes: Annotated[list[AttributeRule], Meta(min_length=1)] = field(name="attribute")


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """connector.toml."""

    connector: About
    limits: Limits = Limits()
    privacy: Privacy | None = None
    messages: list[MessageRule] = field(name="message", default_factory=list[MessageRule])


class MasterRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """masters/NAME.toml: how rows of a CSV file become entities.

    Attributes:
        encoding: of the file; a byte order mark is skipped.
        missing: marks of an empty cell, in every column.
        translate: column → {cell: word}, done before anything else reads the row.
    """

    title: dict[str, str]
    id: str
    type: str
    description: str = ""
    encoding: Literal["utf-8", "cp932"] = "utf-8"
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] = ","
    missing: list[str | int | float] = field(default_factory=lambda: ["", "---"])
    translate: dict[str, dict[str, str]] = {}
    attributes: Annotated[list[AttributeRule], Meta(min_length=1)] = field(name="attribute")
