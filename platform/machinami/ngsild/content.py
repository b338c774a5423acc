"""What no document may contain: nesting without end, U+0000, NGSI-LD Nulls out of place."""

from collections.abc import Iterator
from typing import Any, cast

import orjson

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
    text = _as_bytes(document)
    if text is not None and _is_surely_sound(text, nulls):
        return
    found = _offence(document, nulls, MAX_DEPTH)
    if found is None and text is None:
        found = "", "has a number or a character that JSON cannot carry", "Keep to 64-bit integers and UTF-8"
    if found:
        path, wrong, cure = found
        raise BadRequestData(f"${path} {wrong}", field=f"${path}", cure=cure)


def _as_bytes(document: object) -> bytes | None:
    """The document as JSON; None where it is none, or deeper than any serializer goes."""
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:
        return None


def _is_surely_sound(text: bytes, nulls: bool) -> bool:
    """A look at the bytes: far quicker than a walk through the document, and enough for nearly all."""
    is_flat = text.count(b"[") + text.count(b"{") <= MAX_DEPTH
    return is_flat and b"\\u0000" not in text and (nulls or NGSI_NULL.encode() not in text)


def _offence(value: Any, nulls: bool, depth: int) -> tuple[str, str, str] | None:
    """Where below `value` something is wrong, what, and the cure; None where all is sound."""
    if isinstance(value, str):
        return _text_offence(value, nulls)
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
