"""From an error on the way to a `Rejection` that a database and a person can read."""

from collections.abc import Callable
from typing import Any, Final

import orjson

from machinami.connect.paths import ABSENT
from machinami.errors import BadRequestData
from machinami.model import Rejection

LENGTH: Final = 200
MOST: Final = 20
"""Rejections of one message; each is kept with the whole payload."""

WITHHELD: Final = "(withheld: it identifies a person's device)"


class Defects(list[BadRequestData]):
    """What is wrong with one message: the first defects, and how many more there are."""

    more = 0

    def append(self, error: BadRequestData) -> None:
        """Note a defect, or only count it: an array of a million bad readings must fill no memory."""
        if len(self) < MOST - 1:
            super().append(error)
        else:
            self.more += 1

    def all(self) -> list[BadRequestData]:
        """The defects, and the number of those that are not among them."""
        if not self.more:
            return self
        rest = BadRequestData(
            f"further defects in this message: {self.more:,}",
            field="payload",
            cure="Mend the first ones; often the others have the same cause.",
        )
        return [*self, rest]


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
