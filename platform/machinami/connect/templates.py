"""Templates of URIs and types: ``urn:ngsi-ld:Vehicle:namiki:{bike}``, filled from topic and payload."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from machinami.connect.paths import ABSENT, Document, compile_path
from machinami.connect.values import clean_text
from machinami.errors import BadRequestData, SetupError

Names: TypeAlias = Mapping[str, str]
"""Named topic levels and what stands there."""

Fill: TypeAlias = Callable[[Document, Names], str]
"""Document and topic names → text; raises BadRequestData."""

MAX_URI: Final = 1_000
"""Characters; a database index refuses much longer keys."""

_PLACE: Final = re.compile(r"\{([^{}]+)\}")
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")
_TERM: Final = re.compile(r"[^\W\d]\w*")


def places(template: str) -> tuple[str, ...]:
    """Names and paths between braces, in order."""
    return tuple(_PLACE.findall(template))


def uri_template(template: str, names: Collection[str]) -> Fill:
    """A filler of URIs; what it fills in is percent-encoded.

    Raises:
        SetupError: the template does not begin like a URI.
    """
    if not _URI.fullmatch(template):
        raise SetupError(
            f"{template!r} is not a template of a URI",
            field="id",
            value=template,
            cure="Write e.g. urn:ngsi-ld:Device:mycity:{device}.",
        )
    fill = _filler(template, names, _uri_part)

    def fill_uri(document: Document, found: Names) -> str:
        uri = fill(document, found)
        if len(uri) > MAX_URI:
            raise BadRequestData(
                f"an id of more than {MAX_URI} characters", value=uri, cure="Send a shorter one."
            )
        return uri

    return fill_uri


def type_template(template: str, names: Collection[str]) -> Fill:
    """A filler of entity types; what it fills in must be a term."""
    return _filler(template, names, _term)


def _filler(template: str, names: Collection[str], encode: Callable[[str], str]) -> Fill:
    texts, paths = _PLACE.split(template)[::2], places(template)
    getters = [_getter(path, names) for path in paths]

    def fill(document: Document, found: Names) -> str:
        parts = [texts[0]]
        for path, get, text in zip(paths, getters, texts[1:], strict=True):
            try:
                parts += encode(clean_text(get(document, found))), text
            except BadRequestData as error:
                raise BadRequestData(error.detail, field=path, value=error.value, cure=error.cure) from None
        return "".join(parts)

    return fill


def _getter(path: str, names: Collection[str]) -> Callable[[Document, Names], Any]:
    if path in names:
        return lambda _, found: found[path]
    get = compile_path(path)

    def present(document: Document, _: Names) -> Any:
        value = get(document)
        if value is ABSENT:
            raise BadRequestData(
                "missing, and the id needs it", cure="Send it, or mend the id in the manifest."
            )
        return value

    return present


def _uri_part(text: str) -> str:
    if not text:
        raise BadRequestData(
            "empty, and the id needs it", value=text, cure="Send it, or mend the id template."
        )
    return quote(text, safe="!$&'()*+,;=:@-._~")


def _term(text: str) -> str:
    if _TERM.fullmatch(text):
        return text
    raise BadRequestData("not the name of an entity type", value=text, cure="Add it to translate.")
