"""What a @context defines: local contexts in their order become one table of terms (JSON-LD 1.1 API, 4.2)."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from machinami.errors import BadRequestData
from machinami.ngsild.core_terms import DEFAULT_VOCABULARY

MAX_CHAIN = 64
"""Terms of one @context that may be defined by way of each other."""

_GENERIC_DELIMITERS = (":", "/", "?", "#", "[", "]", "@")
_FORBIDDEN = {
    "@context": "NGSI-LD allows no scoped @context: leave the inner one out",
    "@reverse": "NGSI-LD has no reverse properties: leave the term out",
}


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """What a @context says of a term.

    Attributes:
        iri: an IRI or a keyword such as ``@id``; None for a term that is switched off.
        type: coercion of values: ``@id``, ``@vocab``, ``@json``, a datatype IRI, or None.
        containers: ``@list``, ``@set``, ``@language``, ``@index`` ….
        prefix: compact IRIs may be made with it.
    """

    iri: str | None
    type: str | None = None
    containers: tuple[str, ...] = ()
    prefix: bool = False


def define_terms(locals_: Iterable[Mapping[str, Any] | None]) -> dict[str, Term]:
    """Terms of local contexts in their order; None among them forgets all before it.

    Raises:
        BadRequestData: a definition that is none, that is circular, or that has a @context of its own
            (scoped contexts are forbidden, clause 5.5.7).
    """
    terms: dict[str, Term] = {}
    vocabulary = DEFAULT_VOCABULARY
    for local in locals_:
        if local is None:
            terms, vocabulary = {}, DEFAULT_VOCABULARY
        else:
            vocabulary = _Local(local, terms, vocabulary).define_all()
    return terms


class _Local:
    """One map of terms while it is read; terms may use each other in any order."""

    def __init__(self, local: Mapping[str, Any], terms: dict[str, Term], vocabulary: str) -> None:
        self._local = {term: definition for term, definition in local.items() if not term.startswith("@")}
        self._vocabulary_given = local.get("@vocab")
        self._terms = terms
        self._vocabulary = vocabulary
        self._done: set[str] = set()
        self._pending: list[str] = []

    def define_all(self) -> str:
        """Defines every term; returns the vocabulary now in force."""
        if self._vocabulary_given is not None:
            self._vocabulary = self._iri(self._vocabulary_given, "@context.@vocab")
        for term in self._local:
            self._define(term)
        return self._vocabulary

    def _define(self, term: str) -> None:
        if term in self._done:
            return
        if term in self._pending or len(self._pending) > MAX_CHAIN:
            what = "is defined by itself, or by too long a chain of terms"
            raise _wrong(f"@context.{term}", self._local[term], what, "Give it an absolute IRI")
        self._pending.append(term)
        self._terms[term] = self._read(term, self._local[term], f"@context.{term}")
        self._pending.pop()
        self._done.add(term)

    def _read(self, term: str, definition: object, path: str) -> Term:
        if definition is None:
            return Term(iri=None)
        if isinstance(definition, str):
            iri = self._target(term, definition, path)
            return Term(iri=iri, prefix=":" not in term and iri.endswith(_GENERIC_DELIMITERS))
        if not isinstance(definition, dict):
            raise _wrong(path, definition, "is no term definition", "Write an IRI or an object with @id")
        return self._read_expanded(term, cast("dict[str, Any]", definition), path)

    def _read_expanded(self, term: str, definition: dict[str, Any], path: str) -> Term:
        for keyword, cure in _FORBIDDEN.items():
            if keyword in definition:
                raise _wrong(path, definition, f"has {keyword}", cure)
        if definition.get("@id", term) is None:
            return Term(iri=None)
        coercion = definition.get("@type")
        return Term(
            iri=self._target(term, definition.get("@id", term), path),
            type=None if coercion is None else self._iri(coercion, f"{path}.@type"),
            containers=_containers(definition.get("@container"), f"{path}.@container"),
            prefix=definition.get("@prefix") is True,
        )

    def _target(self, term: str, given: object, path: str) -> str:
        """IRI of a term whose ``@id`` is `given`; the term itself goes by its prefix or the vocabulary."""
        if given != term:
            return self._iri(given, path)
        return self._join_prefix(term) if ":" in term else self._vocabulary + term

    def _iri(self, given: object, path: str) -> str:
        if not isinstance(given, str):
            raise _wrong(path, given, "is not a string", "Write an IRI or a term")
        if given.startswith("@"):
            return given
        if given in self._local:
            self._define(given)
        if given in self._terms and (iri := self._terms[given].iri):
            return iri
        return self._join_prefix(given) if ":" in given else self._vocabulary + given

    def _join_prefix(self, compact: str) -> str:
        prefix, _, suffix = compact.partition(":")
        if suffix.startswith("//"):
            return compact
        if prefix in self._local:
            self._define(prefix)
        entry = self._terms.get(prefix)
        return entry.iri + suffix if entry and entry.prefix and entry.iri else compact


def _containers(given: object, path: str) -> tuple[str, ...]:
    names = cast("list[object]", given if isinstance(given, list) else [given])
    if not all(name is None or isinstance(name, str) for name in names):
        raise _wrong(path, names, "is no container", "Write a keyword such as @list")
    return tuple(str(name) for name in names if name is not None)


def _wrong(field: str, value: object, what: str, cure: str) -> BadRequestData:
    return BadRequestData(f"{field} {what}: {value!r}", field=field, value=value, cure=cure)
