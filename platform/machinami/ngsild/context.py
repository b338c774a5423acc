"""JSON-LD @contexts as NGSI-LD uses them: terms to IRIs and back (clauses 4.4 and 5.5.7).

Only names are expanded and compacted; values stay as they came, but for those that are names themselves
(VocabProperty, objectType, valueType). The Core @context comes last always, whatever the order given.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias, cast

from machinami.errors import BadRequestData
from machinami.ngsild.core_terms import CORE_DOCUMENT, CORE_URL, DEFAULT_VOCABULARY
from machinami.ngsild.definitions import Term, define_terms
from machinami.ngsild.terms import NAME, is_uri

__all__ = ["CORE", "CORE_URL", "Context", "Load", "Source", "Term", "build_context", "is_core"]

Source: TypeAlias = str | dict[str, Any] | list[Any]
"""A @context as a document gives it: a URL, a map of terms, or a list of both."""

Load: TypeAlias = Callable[[str], dict[str, Any]]
"""Gives the JSON-LD document behind a URL, or raises ContextUnavailable."""

MAX_NESTING = 16
"""@contexts may name each other this deep."""

MAX_PARTS = 128
"""@contexts that together make one."""

_TEXT_OR_NULL = (str, type(None))
_KEYWORDS: Mapping[str, tuple[type, ...]] = {  # JSON-LD 1.1, clause 9.15
    "@base": _TEXT_OR_NULL,
    "@direction": _TEXT_OR_NULL,
    "@import": (str,),
    "@language": _TEXT_OR_NULL,
    "@propagate": (bool,),
    "@protected": (bool,),
    "@version": (float,),
}
_MEMO_LIMIT = 20_000  # names that clients invent must not fill the memory
_CORE_PART: Mapping[str, Any] = {}  # stands where a @context names the Core, whose terms come last anyway
_CORE = re.compile(r"https?://uri\.etsi\.org/ngsi-ld/v1/ngsi-ld-core-context(-v1\.\d+)?\.jsonld")


class _Names(dict[str, str]):
    """IRI → name as a dict that computes what it lacks and keeps a bounded number of answers."""

    def __init__(self, known: Mapping[str, str], compact: Callable[[str], str]) -> None:
        super().__init__(known)
        self._compact = compact
        self._limit = len(known) + _MEMO_LIMIT

    def __missing__(self, iri: str) -> str:
        name = self._compact(iri)
        if len(self) < self._limit:
            self[iri] = name
        return name


class Context:
    """A @context ready for use, Core @context included.

    Attributes:
        source: what to put into a Link header (a URL) or an ``@context`` member.
        names_core: whether the source itself leads to the Core @context.
        terms: all definitions by term.
        names: IRI → name for every IRI, as `compact` but for loops that must be fast.
    """

    __slots__ = ("_prefixes", "names", "names_core", "source", "terms")

    def __init__(self, source: Source, terms: Mapping[str, Term], *, names_core: bool = False) -> None:
        self.source = source
        self.names_core = names_core
        self.terms = terms
        self._prefixes = {term: entry.iri for term, entry in terms.items() if entry.prefix and entry.iri}
        # The shortest, then least, of several terms for one IRI is set last and stays (JSON-LD 1.1 API, 4.3).
        ordered = sorted(terms, key=lambda term: (len(term), term), reverse=True)
        known = {iri: term for term in ordered if (iri := terms[term].iri)}
        self.names: dict[str, str] = _Names(known, self._compact)

    @property
    def member(self) -> Any:
        """The member ``@context`` of an answer: the user's as it came, then the Core's if need be (6.3.5)."""
        if self.names_core:
            return self.source
        listed: list[Any] = self.source if isinstance(self.source, list) else [self.source]
        return [*listed, CORE_URL]

    def expand(self, name: str, field: str = "") -> str:
        """Name of a type or an attribute → IRI.

        A term of the @context, a compact IRI (``ex:level``) or an absolute IRI; any other name goes to the
        default vocabulary.

        Raises:
            BadRequestData: naming `field`, or the name itself, which breaks the grammar (clause 4.6.2).
        """
        entry = self.terms.get(name)
        if entry is None:
            return self._expand(name, field or name)
        if entry.iri is None:
            raise _bad_name(field or name, name, "is mapped to null by the @context", "Choose another name")
        return entry.iri

    def expand_type(self, name: str, field: str = "type") -> str:
        """Name of an entity type → IRI; see `expand`."""
        return self.expand(name, field)

    def expand_value(self, value: str, field: str = "") -> str:
        """Value that is coerced to an IRI (VocabProperty): as `expand`, but any text will do."""
        known = value in self.terms or ":" in value or NAME.fullmatch(value)
        return self.expand(value, field) if known else DEFAULT_VOCABULARY + value

    def compact(self, iri: str) -> str:
        """IRI → the shortest name this @context has for it, else the IRI itself."""
        return self.names[iri]

    def coercion(self, name: str) -> str | None:
        """``@type`` of a term's definition: ``@id``, ``@vocab``, ``@json`` or a datatype IRI."""
        entry = self.terms.get(name)
        return entry.type if entry else None

    def _expand(self, name: str, field: str) -> str:
        """IRI of a name without a definition of its own."""
        prefix, colon, suffix = name.partition(":")
        if not colon and NAME.fullmatch(name):
            return DEFAULT_VOCABULARY + name
        if suffix and prefix in self._prefixes and not suffix.startswith("//"):
            return self._prefixes[prefix] + suffix
        if is_uri(name):
            return name
        raise _bad_name(field, name, "is not a name", "Start with a letter, go on with letters, digits, _")

    def _compact(self, iri: str) -> str:
        suffix = iri.removeprefix(DEFAULT_VOCABULARY)
        if suffix != iri and suffix and ":" not in suffix and suffix not in self.terms:
            return suffix
        names = [
            f"{prefix}:{iri.removeprefix(base)}"
            for prefix, base in self._prefixes.items()
            if iri.startswith(base) and iri != base
        ]
        usable = [name for name in names if name not in self.terms and "://" not in name]
        return min(usable, key=lambda name: (len(name), name), default=iri)


def is_core(url: str) -> bool:
    """Whether the URL is that of a Core @context, of any version; such a URL is never fetched."""
    return _CORE.fullmatch(url) is not None


def build_context(document: Source | None, load: Load) -> Context:
    """Makes a context out of an ``@context`` member or a URL. Not cheap for a large one: keep the result.

    Args:
        document: a URL, a map of terms, a list of both; None and the Core @context's own URL give `CORE`.
        load: asked for every URL but the Core's, also for those that a loaded document names.

    Raises:
        BadRequestData: the @context is malformed, circular, or nested too deep.
        ContextUnavailable: raised by `load`.
    """
    if document is None or (isinstance(document, str) and is_core(document)):
        return CORE
    if isinstance(document, dict) and "@context" in document:
        document = cast("Source", document["@context"])
    parts: list[Mapping[str, Any] | None] = []
    for part in _parts(document, load, ()):
        parts.append(part)
        if len(parts) > MAX_PARTS:
            raise _malformed(document, f"is made of more than {MAX_PARTS} others", "Merge them into one")
    named = any(part is _CORE_PART for part in parts)
    return Context(document, define_terms([*parts, CORE_DOCUMENT["@context"]]), names_core=named)


def _parts(document: object, load: Load, trail: tuple[str, ...]) -> Iterator[Mapping[str, Any] | None]:
    """Local contexts in their order, URLs replaced by what is behind them; `trail` led here."""
    for entry in cast("list[object]", document if isinstance(document, list) else [document]):
        match entry:
            case None:
                yield None
            case str():
                yield from _remote(entry, load, trail)
            case dict():
                yield from _local(cast("dict[str, Any]", entry), load, trail)
            case _:
                raise _malformed(
                    entry, "is no @context", "Write a URL, an object of terms, or a list of both"
                )


def _local(local: dict[str, Any], load: Load, trail: tuple[str, ...]) -> Iterator[Mapping[str, Any] | None]:
    """A map of terms, after the one it is built on (``@import``)."""
    if "@context" in local:
        raise _malformed(local, "has a @context of its own", "Leave the inner one out")
    for keyword, kinds in _KEYWORDS.items():
        if keyword in local and not isinstance(local[keyword], kinds):
            raise _malformed(
                local[keyword],
                f"cannot be the value of {keyword}",
                "Write what JSON-LD 1.1, clause 9.15, has there",
            )
    if "@import" in local:
        yield from _remote(local["@import"], load, trail)
    yield local


def _remote(url: str, load: Load, trail: tuple[str, ...]) -> Iterator[Mapping[str, Any] | None]:
    if is_core(url):
        yield _CORE_PART
        return
    if url in trail:
        raise _malformed(url, "includes itself", "Take one of the two references out")
    if len(trail) >= MAX_NESTING:
        raise _malformed(url, f"is nested more than {MAX_NESTING} deep", "Merge the @contexts into one")
    if not is_uri(url):
        raise _malformed(url, "is not an absolute URL", "Write the whole URL")
    loaded = load(url)
    if "@context" not in loaded:
        raise _malformed(url, "has no @context member", "Name a JSON-LD document that has one")
    yield from _parts(loaded["@context"], load, (*trail, url))


def _malformed(value: object, what: str, cure: str) -> BadRequestData:
    return BadRequestData(f"The @context {what}: {value!r:.200}", field="@context", value=value, cure=cure)


def _bad_name(field: str, name: str, what: str, cure: str) -> BadRequestData:
    return BadRequestData(f"The name {name!r} {what}", field=field, value=name, cure=cure)


CORE = Context(CORE_URL, define_terms([CORE_DOCUMENT["@context"]]), names_core=True)
"""The Core @context alone: what a request without a @context means (clause 5.5.5)."""
