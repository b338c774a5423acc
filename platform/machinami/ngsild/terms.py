"""Words of the standard that this whole room needs: names, URIs, the NGSI-LD Null, attribute kinds."""

import re
from typing import Any

import msgspec

from machinami.errors import BadRequestData

NGSI_NULL = "urn:ngsi-ld:null"
"""Stands for null where something is to be deleted (clause 4.5.0)."""

SCOPE = "https://uri.etsi.org/ngsi-ld/scope"
"""Under this name the history of scopes is kept; no attribute can have it."""

DEFAULT_INSTANCE = "@none"
"""How an instance without a datasetId is named in requests and in the simplified representation."""

NAME = re.compile(r"[^\W\d_]\w*")
"""A name without prefix (clause 4.6.2): a letter, then letters, numbers and underscores of any script."""

_SCHEME = r"[A-Za-z][A-Za-z0-9+.\-]*:"
_NO_URI = r"""\s<>"{}|\\^`\x00-\x20\x7f"""  # RFC 3986
_NO_IRI = (  # RFC 3987, 2.2: not in its ucschar
    r"\x80-\x9f\ud800-\uf8ff\ufdd0-\ufdef\ufff0-\uffff\U000e0000-\U0010ffff"
    + "".join(f"{chr(plane | 0xFFFE)}{chr(plane | 0xFFFF)}" for plane in range(0x10000, 0xE0000, 0x10000))
)
_UNSEEN = (  # two ids that differ by these look the same (RFC 3987, 4.1 and 8)
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    r"\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
)
"""Unicode's Default_Ignorable_Code_Point and Braille's blank; not U+200C and U+200D, which Persian needs."""
_URI = re.compile(rf"{_SCHEME}[^{_NO_URI}]+")
_IRI = re.compile(rf"{_SCHEME}[^{_NO_URI}{_NO_IRI}{_UNSEEN}]+")
_SCOPE = re.compile(r"/?[^\W\d_]\w*(?:/[^\W\d_]\w*)*")


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of attribute (clauses 4.5.2 to 4.5.24).

    Attributes:
        name: value of its ``type`` member.
        member: the member that holds its value and from which the kind can be told (concise representation).
        plural: the member of the simplified temporal representation (clause 4.5.9).
        extras: members that this kind may have and others may not.
    """

    name: str
    member: str
    plural: str
    extras: frozenset[str] = frozenset()


_KINDS = [
    Kind(name="Property", member="value", plural="values", extras=frozenset({"unitCode", "valueType"})),
    Kind(name="GeoProperty", member="value", plural="values", extras=frozenset({"valueType"})),
    Kind(name="Relationship", member="object", plural="objects", extras=frozenset({"objectType"})),
    Kind(
        name="LanguageProperty", member="languageMap", plural="languageMaps", extras=frozenset({"valueType"})
    ),
    Kind(name="VocabProperty", member="vocab", plural="vocabs", extras=frozenset({"valueType"})),
    Kind(name="JsonProperty", member="json", plural="jsons", extras=frozenset({"valueType"})),
    Kind(
        name="ListProperty",
        member="valueList",
        plural="valueLists",
        extras=frozenset({"unitCode", "valueType"}),
    ),
    Kind(
        name="ListRelationship",
        member="objectList",
        plural="objectLists",
        extras=frozenset({"objectType"}),
    ),
]

KINDS: dict[str, Kind] = {kind.name: kind for kind in _KINDS}
"""Attribute kinds by the value of their ``type`` member."""

VALUE_MEMBERS: dict[str, str] = {kind.member: kind.name for kind in reversed(_KINDS)}
"""Value member → the kind it tells (``value`` tells Property; a geometry in it makes that a GeoProperty)."""

GEO_ATTRIBUTES = frozenset({"location", "observationSpace", "operationSpace"})
"""Core terms that are GeoProperties always (clause 4.7.1)."""

SYSTEM_MEMBERS = frozenset({"createdAt", "modifiedAt", "deletedAt", "instanceId"})
"""Members the system makes (clause 4.5.2.2); from a client they are passed over."""

TIME_MEMBERS = frozenset({"observedAt", "createdAt", "modifiedAt", "deletedAt", "expiresAt"})
"""The non-reified temporal properties (clause 4.8)."""

NAME_MEMBERS = frozenset({"vocab", "valueType", "objectType", "entityTypeSealed"})
"""Members whose values are names, kept expanded."""

OUTPUT_MEMBERS = frozenset(
    {"entity", "entityList"} | {f"previous{kind.member[0].upper()}{kind.member[1:]}" for kind in _KINDS}
)
"""Members that only an answer may have."""

PROOF = "ngsildproof"
"""Name of the Property that seals an entity or an attribute (clauses 4.5.2.2 and C.11)."""

PROOF_MEMBERS = frozenset({"entityIdSealed", "entityTypeSealed"})
"""Members that no other Property has."""

PLAIN_MEMBERS = PROOF_MEMBERS | frozenset(
    {"observedAt", "datasetId", "unitCode", "valueType", "objectType", "expiresAt", "lang"}
)
"""Non-reified members that are no values."""

NON_REIFIED = frozenset(VALUE_MEMBERS) | SYSTEM_MEMBERS | OUTPUT_MEMBERS | PLAIN_MEMBERS
"""All members of an instance that are no sub-attributes; none may name an attribute (clause 4.5.1)."""


def is_uri(value: object) -> bool:
    """Whether the value is an absolute URI or IRI."""
    if not isinstance(value, str):
        return False
    pattern = _URI if value.isascii() else _IRI  # the second takes three times as long
    return pattern.fullmatch(value) is not None


def check_uri(value: object, field: str) -> str:
    """The URI itself; BadRequestData naming `field` when it is none."""
    if not isinstance(value, str) or not is_uri(value):
        raise BadRequestData(
            f"{field} is not a URI: {value!r}",
            field=field,
            value=value,
            cure="Write an absolute URI, such as urn:ngsi-ld:Vehicle:A4567",
        )
    return value


def check_scope(value: object, field: str) -> str:
    """The scope itself (clause 4.18); BadRequestData naming `field` when it is none."""
    if not isinstance(value, str) or not (_SCOPE.fullmatch(value) or value == NGSI_NULL):
        raise BadRequestData(
            f"{field} is not a scope: {value!r}",
            field=field,
            value=value,
            cure="Write levels that start with a letter, separated by slashes, such as /Madrid/Gardens",
        )
    return value


def null_content(kind: str) -> dict[str, Any]:
    """The value member of an instance that was deleted (clauses 4.5.7, 4.5.8, 4.5.18)."""
    member = KINDS[kind].member
    if member == "languageMap":
        return {member: {DEFAULT_INSTANCE: NGSI_NULL}}
    return {member: [NGSI_NULL] if member.endswith("List") else NGSI_NULL}


def is_null(instance: dict[str, Any]) -> bool:
    """Whether the instance stands for its own deletion (NGSI-LD Null, clause 4.5.0), whatever its kind."""
    value = next((instance[member] for member in VALUE_MEMBERS if member in instance), None)
    return value in (NGSI_NULL, [NGSI_NULL], {DEFAULT_INSTANCE: NGSI_NULL})
