"""What no document may contain: nesting without end, U+0000, numbers without end, misplaced NGSI-LD Nulls."""

import math
from collections.abc import Iterator
from typing import Any, cast

from machinami.errors import BadRequestData
from machinami.ngsild.terms import NGSI_NULL

MAX_DEPTH = 100
"""Levels of a document; serializers and databases give up not far beyond."""


def check_content(document: object, *, nulls: bool) -> None:
    """Looks through a whole JSON document.

    Args:
        nulls: ``urn:ngsi-ld:null`` is allowed (clause 5.5.4).

    Raises:
        BadRequestData: names the JSON path of the first offence.
    """
    if found := _offence(document, nulls, MAX_DEPTH):
        path, wrong, cure = found
        raise BadRequestData(f"${path} {wrong}", field=f"${path}", cure=cure)


def _offence(value: Any, nulls: bool, depth: int) -> tuple[str, str, str] | None:
    """Where below `value` something is wrong, what, and the cure; None where all is sound."""
    if isinstance(value, str):
        return _text_offence(value, nulls)
    if isinstance(value, float) and not math.isfinite(value):
        return "", f"is {value}, which JSON does not know", "Send a finite number"
    if not isinstance(value, dict | list):
        return None
    if depth == 0:
        return "", f"is nested more than {MAX_DEPTH} levels deep", "Send a flatter document"
    for step, below in _steps(cast("dict[str, Any] | list[Any]", value)):
        if found := _text_offence(step, nulls=True) or _offence(below, nulls, depth - 1):
            return f"{step}{found[0]}", *found[1:]
    return None


def _steps(value: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
    """What is directly below, each with its step of the JSON path."""
    if isinstance(value, dict):
        return ((f".{key}", below) for key, below in value.items())
    return ((f"[{index}]", below) for index, below in enumerate(value))


def _text_offence(text: str, nulls: bool) -> tuple[str, str, str] | None:
    if "\0" in text:
        return "", "has the character U+0000, which cannot be stored", "Leave it out"
    if text == NGSI_NULL and not nulls:
        return "", f"is {NGSI_NULL}, which only updates may have", "Leave the member out"
    return None
