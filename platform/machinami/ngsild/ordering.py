"""The entity ordering language (clause 4.23): ``orderBy=name,speed;desc`` and ``location;dist-asc``."""

import re
from typing import Any

import msgspec
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from machinami.errors import BadRequestData
from machinami.ngsild.context import Context
from machinami.ngsild.geo import distance, read_coordinates
from machinami.ngsild.geometry import check_geometry, looks_like_geometry
from machinami.ngsild.terms import NAME, NON_REIFIED

ENTITY_MEMBERS = frozenset({"id", "type", "scope", "createdAt", "modifiedAt"})
"""Members of an entity that it can be ordered by and that are no attributes."""

_DIRECTIONS = {
    "asc": (False, False),
    "desc": (True, False),
    "dist-asc": (False, True),
    "dist-desc": (True, True),
}
_PATH = re.compile(r"(?P<names>[^\[\]]+)(?:\[(?P<members>[^\[\]]+)\])?")
_COLLATION = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*", re.ASCII)  # with -u-co-phonebk (RFC 6067)


class OrderTerm(msgspec.Struct, frozen=True, kw_only=True):
    """One member to order by.

    Attributes:
        attribute: expanded name, or one of `ENTITY_MEMBERS`.
        steps: sub-attributes on the way (expanded names), or last a member such as ``observedAt``.
        members: path into a compound value.
        descending: the greatest first; entities that lack the member come last all the same.
        by_distance: by the distance of a GeoProperty from `origin`.
        collation: BCP 47 tag of the language whose order texts follow; empty: that of the code points.
    """

    attribute: str
    steps: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    descending: bool = False
    by_distance: bool = False
    origin: BaseGeometry | None = None
    collation: str = ""

    def distance(self, geometry: object) -> float | None:
        """Metres from the origin; None for what is no geometry."""
        if self.origin is None or not looks_like_geometry(geometry):
            return None
        return distance(shape(geometry), self.origin)  # pyright: ignore[reportArgumentType] # GeoJSON, looked at


def parse_order(
    text: str,
    context: Context,
    *,
    order_from: str | list[Any] | None = None,
    geometry: str | None = None,
    collation: str | None = None,
) -> tuple[OrderTerm, ...]:
    """Reads ``orderBy``.

    Args:
        order_from: coordinates that distances are measured from; geometry: their type, a Point if not given.

    Raises:
        BadRequestData: it breaks the grammar, or a distance has no origin.
    """
    if collation is not None and not _COLLATION.fullmatch(collation):
        raise _wrong("collation", collation, "not a collation", "Write a tag such as ja or de-u-co-phonebk")
    origin = None
    if order_from is not None:
        found = {"type": geometry or "Point", "coordinates": read_coordinates(order_from)}
        origin = shape(check_geometry(found, "orderFrom"))
    return tuple(_term(part, context, origin, collation or "") for part in text.split(","))


def _term(text: str, context: Context, origin: BaseGeometry | None, collation: str) -> OrderTerm:
    path, _, direction = text.strip().partition(";")
    found = _PATH.fullmatch(path)
    if found is None or (direction and direction not in _DIRECTIONS):
        raise _wrong("orderBy", text, "not an order", "Write name, name;desc or location;dist-asc")
    descending, by_distance = _DIRECTIONS[direction or "asc"]
    if by_distance and origin is None:
        raise _wrong("orderFrom", text, "an order by distance needs an origin", "Add orderFrom")
    first, *rest = found["names"].split(".")
    return OrderTerm(
        attribute=first if first in ENTITY_MEMBERS else _name(first, context),
        steps=tuple(step if step in NON_REIFIED else _name(step, context) for step in rest),
        members=tuple((found["members"] or "").split(".")) if found["members"] else (),
        descending=descending,
        by_distance=by_distance,
        origin=origin if by_distance else None,
        collation=collation,
    )


def _name(text: str, context: Context) -> str:
    if not (NAME.fullmatch(text) or ":" in text):
        raise _wrong("orderBy", text, "not an attribute name", "Name an attribute")
    return context.expand(text)


def _wrong(field: str, value: str, what: str, cure: str) -> BadRequestData:
    return BadRequestData(f"{what}: {value!r}", field=field, value=value, cure=cure)
