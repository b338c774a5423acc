"""Distributed writes: what of a change goes to which source, and what stays here (clause 5.6)."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

import msgspec

from machinami.federation.matching import covers
from machinami.federation.registration import Mode, Registration
from machinami.ngsild.context import Context
from machinami.ngsild.terms import NON_REIFIED, VALUE_MEMBERS

NO_ATTRIBUTES = frozenset({
    "id", "type", "scope", "expiresAt", "createdAt", "modifiedAt", "deletedAt", "@context", "@id", "@type",
})  # fmt: skip
"""Members of an entity that are no attributes."""

_REMOVALS = frozenset({"deleteEntity", "deleteBatch"})
"""Operations that are always done here too (clauses 5.6.6.4 and 5.6.10.4)."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """The entity that a change is about.

    Attributes:
        types: expanded; empty where they are not known.
        names: attributes that the change touches, expanded; empty where it is about the whole entity.
    """

    entity_id: str
    types: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one source gets of a change.

    Attributes:
        names: attributes, expanded; empty where the whole entity is meant.
        is_possible: the source has the operation; if not, a proxied part is in conflict.
    """

    registration: Registration
    names: frozenset[str]
    is_possible: bool


class Division(msgspec.Struct, frozen=True, kw_only=True):
    """A change, divided.

    Attributes:
        here: attributes that stay here.
        is_here: there is something to do here.
    """

    parts: tuple[Part, ...]
    here: frozenset[str]
    is_here: bool

    @property
    def is_proxied(self) -> bool:
        """Whether somebody else has the only copy of a part."""
        return any(part.registration.is_proxied for part in self.parts)


def divide(registrations: Iterable[Registration], operations: Collection[str], subject: Subject) -> Division:
    """Who gets what of a change: exclusive sources first, then redirecting ones, then all equals.

    An exclusive source whose registration names no attributes is sent no change: what it holds is not known.

    Args:
        operations: any of these will do; see clause 4.20.

    Raises:
        TooComplexQuery: a pattern takes too long.
    """
    by_mode: dict[Mode, list[tuple[Registration, frozenset[str] | None]]] = {mode: [] for mode in Mode}
    for registration in registrations:
        if _means(registration, subject):
            by_mode[registration.mode].append((registration, _attributes(registration, subject)))
    parts: list[Part] = []
    left, whole_is_taken = subject.names, False
    for mode in (Mode.EXCLUSIVE, Mode.REDIRECT, Mode.INCLUSIVE):
        taken: frozenset[str] = frozenset()
        for registration, registered in by_mode[mode]:
            names = left if registered is None else left & registered
            if subject.names and not names:
                continue
            is_possible = not registration.operations.isdisjoint(operations) and not (
                mode is Mode.EXCLUSIVE and registered is None
            )
            if registration.is_proxied:
                taken |= names
                whole_is_taken |= registered is None
            if is_possible or registration.is_proxied:
                parts.append(Part(registration=registration, names=names, is_possible=is_possible))
        left -= taken
    is_here = bool(left) if subject.names else not (whole_is_taken and _REMOVALS.isdisjoint(operations))
    return Division(parts=tuple(parts), here=left, is_here=is_here)


def part_of(document: Mapping[str, Any], names: Collection[str], context: Context) -> dict[str, Any]:
    """An entity or fragment with only these attributes; its other members stay."""
    return {
        member: value
        for member, value in document.items()
        if member in NO_ATTRIBUTES or context.expand(member) in names
    }


def attribute_names(document: Mapping[str, Any], context: Context) -> frozenset[str]:
    """Attributes of an entity or fragment, expanded."""
    return frozenset(context.expand(member) for member in document if member not in NO_ATTRIBUTES)


def translate(document: Any, source: Context, target: Context) -> Any:
    """An entity, fragment or attribute with its names written as another @context has them; values stay."""
    if source is target or not isinstance(document, dict):
        return document
    return {
        _renamed(member, source, target): _translated(member, value, source, target)
        for member, value in cast("dict[str, Any]", document).items()
    }


def _renamed(member: str, source: Context, target: Context) -> str:
    if member in NO_ATTRIBUTES or member in NON_REIFIED:
        return member
    return target.compact(source.expand(member))


def _translated(member: str, value: Any, source: Context, target: Context) -> Any:
    if member in ("type", "@type"):
        kinds = set(VALUE_MEMBERS.values())
        names = cast("list[str]", value) if isinstance(value, list) else [str(value)]
        shown = [name if name in kinds else target.compact(source.expand_type(name)) for name in names]
        return shown if isinstance(value, list) else shown[0]
    if member == "vocab":
        words = cast("list[str]", value) if isinstance(value, list) else [str(value)]
        renamed = [target.compact(source.expand_value(each)) for each in words]
        return renamed if isinstance(value, list) else renamed[0]
    if member in NO_ATTRIBUTES or member in NON_REIFIED:
        return value
    if isinstance(value, list):
        return [translate(each, source, target) for each in cast("list[Any]", value)]
    return translate(value, source, target)


def _means(registration: Registration, subject: Subject) -> bool:
    return any(covers(item, subject.entity_id, subject.types) for item in registration.information)


def _attributes(registration: Registration, subject: Subject) -> frozenset[str] | None:
    """Attributes of the entity that are registered; None means all."""
    found = [
        item.attributes for item in registration.information if covers(item, subject.entity_id, subject.types)
    ]
    return None if not all(found) else frozenset[str]().union(*found)
