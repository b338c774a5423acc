"""One attribute of a manifest, compiled: document → value, and the value → an NGSI-LD attribute instance."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from msgspec import Struct

from machinami.connect.paths import ABSENT, Document, compile_path, show_path
from machinami.connect.templates import places, uri_template
from machinami.connect.values import clean_text, converter, number_between
from machinami.connect.words import AttributeRule
from machinami.errors import BadRequestData, SetupError
from machinami.model import Attributes, Instance
from machinami.ngsild.context import CORE

Read: TypeAlias = Callable[[Document], Any]
"""Document → value, or `ABSENT` where an optional one is not there; raises BadRequestData."""

_SHAPES: Final = {
    "point": ("GeoProperty", "value"),
    "geometry": ("GeoProperty", "value"),
    "language": ("LanguageProperty", "languageMap"),
    "relationship": ("Relationship", "object"),
}
"""Kind → attribute type and the member that holds the value (ETSI GS CIM 009 clause 4.5); else Property."""


class Reader(Struct, frozen=True, kw_only=True):
    """A compiled attribute.

    Attributes:
        term: name as the manifest writes it.
        iri: expanded name.
        label: path, for people.
        type: attribute type of the standard.
        member: the instance's member that holds the value.
        unit: UN/CEFACT code.
        read: see `Read`.
    """

    term: str
    iri: str
    label: str
    type: str
    member: str
    unit: str | None
    read: Read


def compile_attribute(rule: AttributeRule) -> Reader:
    """Compile one attribute.

    Raises:
        SetupError: its kind needs a member that the manifest does not give.
    """
    attribute_type, member = _SHAPES.get(rule.kind, ("Property", "value"))
    read = _constant(rule.value) if rule.value is not None else _READERS.get(rule.kind, _single)(rule)
    return Reader(
        term=rule.name,
        iri=CORE.expand(rule.name),
        label=_label(rule),
        type=attribute_type,
        member=member,
        unit=rule.unit,
        read=read,
    )


def compile_attributes(rules: Sequence[AttributeRule]) -> list[Reader]:
    """Compile the attributes of one entity.

    Raises:
        SetupError: one is declared twice, or cannot be compiled.
    """
    readers = {rule.name: compile_attribute(rule) for rule in rules}
    if len(readers) < len(rules):
        twice = next(rule.name for i, rule in enumerate(rules) if rule.name in {r.name for r in rules[:i]})
        raise SetupError(
            f"attribute {twice!r} is declared twice", field="attribute.name", value=twice, cure="Remove one."
        )
    return list(readers.values())


def read_attributes(
    readers: Sequence[Reader], document: Document, observed_at: str | None, defects: list[BadRequestData]
) -> Attributes:
    """All attributes that can be read; what cannot is added to the defects."""
    attributes: Attributes = {}
    for reader in readers:
        try:
            value = reader.read(document)
        except BadRequestData as error:
            error.field = error.field or reader.label
            defects.append(error)
            continue
        if value is not ABSENT:
            instance: Instance = {"type": reader.type, reader.member: value}
            if reader.unit is not None:
                instance["unitCode"] = reader.unit
            if observed_at is not None:
                instance["observedAt"] = observed_at
            attributes[reader.iri] = [instance]
    return attributes


def paths_of(rule: AttributeRule) -> list[str]:
    """Every path that the attribute reads, for people and for checking a table's header."""
    languages = list(rule.languages.values())
    given = (rule.path, rule.latitude, rule.longitude, languages, list(places(rule.object)))
    return [path for paths in given for path in ([paths] if isinstance(paths, str) else paths) if path]


def _label(rule: AttributeRule) -> str:
    return next(iter(paths_of(rule)), rule.name)


def _constant(value: Any) -> Read:
    return lambda _: value


def _single(rule: AttributeRule) -> Read:
    if not rule.path:
        raise _needs(rule, "path")
    return _reader(rule, rule.path, converter(rule))


def _reader(rule: AttributeRule, path: str | list[str], convert: Callable[[Any], Any]) -> Read:
    get, otherwise = compile_path(path), _otherwise(rule)
    is_marked = _missing(rule) if rule.missing else None  # most have no marks, and this is the hot path

    def read(document: Document) -> Any:
        value = get(document)
        if value is ABSENT or value is None or (is_marked is not None and is_marked(value)):
            return otherwise(value)
        return convert(value)

    return read


def _missing(rule: AttributeRule) -> Callable[[Any], bool]:
    """Whether a value means that there is none: not there, null, or a declared mark."""
    marks = [ABSENT, None, *rule.missing]
    return lambda value: (value.strip() if isinstance(value, str) else value) in marks


def _otherwise(rule: AttributeRule) -> Callable[[Any], Any]:
    """What to do where there is no value: the default, nothing, or a rejection."""
    if rule.default is not None:
        return lambda _: rule.default
    if rule.optional:
        return lambda _: ABSENT

    def refuse(value: Any) -> Any:
        raise BadRequestData(
            "missing" if value is ABSENT or value is None else f"missing (marked {value!r})",
            value=value,
            cure="Nothing to do if the device had no value; else mend the path or declare it optional.",
        )

    return refuse


def _point(rule: AttributeRule) -> Read:
    if not rule.latitude or not rule.longitude:
        raise _needs(rule, "latitude and longitude")
    sides = (
        (show_path(rule.longitude), _reader(rule, rule.longitude, number_between(-180, 180))),
        (show_path(rule.latitude), _reader(rule, rule.latitude, number_between(-90, 90))),
    )

    def read(document: Document) -> Any:
        coordinates = [_located(label, side, document) for label, side in sides]
        return ABSENT if ABSENT in coordinates else {"type": "Point", "coordinates": coordinates}

    return read


def _located(label: str, read: Read, document: Document) -> Any:
    """Read one of several paths, and say which it was if it fails."""
    try:
        return read(document)
    except BadRequestData as error:
        raise BadRequestData(error.detail, field=label, value=error.value, cure=error.cure) from None


def _language(rule: AttributeRule) -> Read:
    if not rule.languages:
        raise _needs(rule, "languages")
    getters = {tag: compile_path(path) for tag, path in rule.languages.items()}
    is_missing, otherwise = _missing(rule), _otherwise(rule)

    def read(document: Document) -> Any:
        found = {tag: get(document) for tag, get in getters.items()}
        texts = {tag: clean_text(text) for tag, text in found.items() if not is_missing(text)}
        return texts or otherwise(ABSENT)

    return read


def _relationship(rule: AttributeRule) -> Read:
    if not rule.object:
        raise _needs(rule, "object")
    fill, getters = uri_template(rule.object, ()), [compile_path(path) for path in places(rule.object)]
    is_missing, otherwise = _missing(rule), _otherwise(rule)

    def read(document: Document) -> Any:
        found = [get(document) for get in getters]
        return otherwise(ABSENT) if any(map(is_missing, found)) else fill(document, {})

    return read


def _needs(rule: AttributeRule, member: str) -> SetupError:
    return SetupError(
        f"attribute {rule.name!r} of kind {rule.kind} needs {member}",
        field=f"attribute.{member}",
        value=rule.name,
        cure=f"Add {member}, or a constant value.",
    )


_READERS: Final[dict[str, Callable[[AttributeRule], Read]]] = {
    "point": _point,
    "language": _language,
    "relationship": _relationship,
}
