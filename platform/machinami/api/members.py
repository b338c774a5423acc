"""Members of JSON documents that are no entities: a reader for each kind, so documents are tables of them."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from machinami.api.shapes import as_array, as_object, is_texts
from machinami.errors import BadRequestData
from machinami.ngsild.context import Context
from machinami.ngsild.durations import parse_duration
from machinami.ngsild.geometry import check_geometry
from machinami.ngsild.terms import DEFAULT_INSTANCE, check_scope, check_uri
from machinami.ngsild.times import clean_time, parse_time

Reader: TypeAlias = Callable[[Any, Context], Mapping[str, Any]]
"""A member's value → members as they are stored."""

Readers: TypeAlias = Mapping[str, Reader]

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,200}")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]{0,4000}")


def wrong(field: str, value: Any, problem: str, cure: str) -> BadRequestData:
    """The error for a member that cannot be taken."""
    return BadRequestData(f"{field} {problem}", field=field, value=value, cure=cure)


def text(name: str) -> Reader:
    """A string that is not empty."""

    def read(value: Any, _: Context) -> Mapping[str, Any]:
        if not isinstance(value, str) or not value:
            raise wrong(name, value, "is not a text", "Write a string")
        return {name: value}

    return read


def token(name: str) -> Reader:
    """A word that may stand in a header (RFC 7230)."""

    def read(value: Any, _: Context) -> Mapping[str, Any]:
        if not isinstance(value, str) or not _HEADER_NAME.fullmatch(value):
            raise wrong(name, value, "is not a word", "Use letters, digits, dots, hyphens; up to 200")
        return {name: value}

    return read


def flag(name: str) -> Reader:
    """A boolean."""

    def read(value: Any, _: Context) -> Mapping[str, Any]:
        if not isinstance(value, bool):
            raise wrong(name, value, "is not a boolean", "Write true or false")
        return {name: value}

    return read


def word(name: str, known: Iterable[str]) -> Reader:
    """One of some words."""
    words = tuple(known)

    def read(value: Any, _: Context) -> Mapping[str, Any]:
        if value not in words:
            raise wrong(name, value, "is none of those known", f"One of {', '.join(words)}")
        return {name: value}

    return read


def words(name: str, known: Iterable[str]) -> Reader:
    """A list of some words."""
    sort = frozenset(known)

    def read(value: Any, _: Context) -> Mapping[str, Any]:
        if not is_texts(value) or not set(value) <= sort:
            raise wrong(name, value, "has a member that is not known", f"Of {', '.join(sorted(sort))}")
        return {name: value}

    return read


def names(name: str) -> Reader:
    """A list of names, expanded."""

    def read(value: Any, context: Context) -> Mapping[str, Any]:
        if not is_texts(value):
            raise wrong(name, value, "is not a list of names", "Write a JSON array of names")
        return {name: [context.expand(term) for term in value]}

    return read


def milliseconds(name: str) -> Reader:
    """A length of time up to an hour."""

    def read(value: Any, _: Context) -> Mapping[str, Any]:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 3_600_000:
            raise wrong(name, value, "is not a time", "Milliseconds, up to 3600000")
        return {name: value}

    return read


def number(name: str, *, most: float = 1e9, whole: bool = False) -> Reader:
    """A number greater than 0."""

    def read(value: Any, _: Context) -> Mapping[str, Any]:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 < value <= most or (whole and value != int(value)):
            kind = "whole number" if whole else "number"
            raise wrong(name, value, f"is not a {kind} greater than 0", f"Up to {most:,.0f}")
        return {name: value}

    return read


def parsed(name: str, parse: Callable[[str], object]) -> Reader:
    """A text of a grammar; `parse` raises BadRequestData where it is not."""

    def read(value: Any, context: Context) -> Mapping[str, Any]:
        stored = text(name)(value, context)
        parse(value)
        return stored

    return read


def duration(name: str) -> Reader:
    """An ISO 8601 duration."""

    def read(value: Any, _: Context) -> Mapping[str, Any]:
        parse_duration(value, name)
        return {name: value}

    return read


def future(name: str) -> Reader:
    """A moment to come."""

    def read(value: Any, _: Context) -> Mapping[str, Any]:
        if parse_time(value, name) <= datetime.now(UTC):
            raise wrong(name, value, "is past", "Write a moment to come, or leave it out")
        return {name: clean_time(value, name)}

    return read


def interval(name: str) -> Reader:
    """A TimeInterval (clause 5.2.11)."""

    def read(value: Any, _: Context) -> Mapping[str, Any]:
        found = as_object(value)
        if not {"startAt"} <= found.keys() <= {"startAt", "endAt"}:
            raise wrong(name, value, "is not a TimeInterval", "Give startAt, and endAt where it ends")
        return {name: {bound: clean_time(moment, f"{name}.{bound}") for bound, moment in found.items()}}

    return read


def geometry(name: str) -> Reader:
    """A GeoJSON geometry."""

    def read(value: Any, _: Context) -> Mapping[str, Any]:
        return {name: check_geometry(value, name)}

    return read


def scopes(name: str) -> Reader:
    """A scope, or a list of them."""

    def read(value: Any, _: Context) -> Mapping[str, Any]:
        return {name: [check_scope(each, name) for each in (as_array(value) or [value])]}

    return read


def datasets(name: str) -> Reader:
    """A list of dataset ids, of which ``@none`` is the default instance."""

    def read(value: Any, _: Context) -> Mapping[str, Any]:
        if not is_texts(value):
            raise wrong(name, value, "is not a list", "Write a JSON array of URIs")
        return {name: [each if each == DEFAULT_INSTANCE else check_uri(each, name) for each in value]}

    return read


def web_address(name: str) -> Reader:
    """An http(s) address."""

    def read(value: Any, _: Context) -> Mapping[str, Any]:
        if not is_web_address(value):
            raise wrong(name, value, "is not an http(s) address", "Write such as http://127.0.0.1:3000/x")
        return {name: value}

    return read


def is_web_address(value: Any) -> bool:
    """Whether a value is an http(s) address with a host."""
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or a bracket that is none
        return False


def header_pairs(name: str) -> Reader:
    """KeyValuePairs that become headers (clause 5.2.22)."""
    return pairs(name, _is_header)


def pairs(name: str, is_pair: Callable[[str, str], bool]) -> Reader:
    """KeyValuePairs (clause 5.2.22), at least one, each of which means something to this binding."""

    def read(value: Any, _: Context) -> Mapping[str, Any]:
        given = [as_object(pair) for pair in as_array(value)]
        if not given or not all(_is_pair(pair) and is_pair(pair["key"], pair["value"]) for pair in given):
            raise wrong(name, value, "is not a list of pairs known", 'Write [{"key": "…", "value": "…"}]')
        return {name: given}

    return read


def record(
    name: str,
    readers: Readers,
    needed: Iterable[str] = (),
    ignored: frozenset[str] = frozenset(),
) -> Reader:
    """An object with members of its own."""

    def read(value: Any, context: Context) -> Mapping[str, Any]:
        given = as_object(value)
        stored: dict[str, Any] = {}
        for member, each in given.items():
            if member in ignored:
                continue
            if member not in readers:
                raise wrong(f"{name}.{member}", each, "is not known", f"Known: {', '.join(readers)}")
            stored.update(readers[member](each, context))
        for member in needed:
            if member not in stored:
                raise wrong(f"{name}.{member}", None, "is missing", f"Give {member}")
        if not stored:
            raise wrong(name, value, "says nothing", f"Give some of {', '.join(readers)}")
        return {name: stored}

    return read


def _is_pair(pair: Mapping[str, Any]) -> bool:
    return set(pair) == {"key", "value"} and all(isinstance(each, str) for each in pair.values())


def _is_header(key: str, value: str) -> bool:
    return _HEADER_NAME.fullmatch(key) is not None and _HEADER_VALUE.fullmatch(value) is not None
