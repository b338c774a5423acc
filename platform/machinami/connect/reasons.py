"""From an error on the way to a `Rejection` that a database and a person can read."""

from collections.abc import Callable
from typing import Any, Final

import orjson

from machinami.connect.paths import ABSENT
from machinami.errors import BadRequestData
from machinami.model import Rejection

LENGTH: Final = 200
WITHHELD: Final = "(withheld: it identifies a person's device)"


def reject(
    connector: str, error: BadRequestData, *, partial: bool, redact: Callable[[str], str] = str
) -> Rejection:
    """Say why something was not read; what `redact` knows as an identifier is replaced in every text."""

    def show(value: Any) -> str:
        text = show_value(value)
        return printable(redact(text)[:LENGTH])[:LENGTH]

    return Rejection(
        connector=connector,
        field=show(error.field),
        value=show(error.value),
        reason=show(error.detail),
        cure=error.cure,
        partial=partial,
    )


def show_value(value: Any) -> str:
    """A value as text: JSON where it is JSON, bytes as the text they may be; empty where there is none."""
    if value is None or value is ABSENT:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    except (orjson.JSONEncodeError, RecursionError):
        return f"({type(value).__name__})"


def printable(text: str) -> str:
    """One line that can be stored and shown: NUL, control characters and lone surrogates are escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
