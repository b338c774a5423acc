"""Identifiers of people's devices → pseudonyms whose key rotates every local day.

A pseudonym is ``anon-`` and 16 hexadecimal digits of HMAC-SHA256(key of the day, identifier), the key of the
day being HMAC-SHA256(secret, local date). Within a day a device keeps its pseudonym, over midnight nothing
links the two, and without the secret nobody can try all identifiers. A pseudonym maps to itself, so that a
quarantined payload can be replayed.
"""

import hmac
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, Final, TypeAlias, cast

from machinami.connect.paths import ABSENT, Document, Getter, compile_path
from machinami.connect.reasons import WITHHELD
from machinami.connect.times import find_zone
from machinami.connect.words import Privacy
from machinami.errors import BadRequestData, SetupError

Hide: TypeAlias = Callable[[Document, datetime], None]
"""Replace the identifiers of a document, in place, by the pseudonyms of the moment's local day."""

LEAST_SECRET: Final = 16
"""Bytes."""

_PSEUDONYM: Final = re.compile(r"anon-[0-9a-f]{16}")
_KNOWN_PER_DAY: Final = 100_000
_ESCAPE: Final = re.compile(r"\\u00([2-7][0-9a-fA-F])")
_PUNCTUATION: Final = str.maketrans("", "", ":-")


class Pseudonyms:
    """Pseudonyms of one connector's devices.

    Raises:
        SetupError: a pattern is no regular expression, the zone is unknown, or the secret is too short.
    """

    def __init__(self, privacy: Privacy, secret: bytes) -> None:
        if len(secret) < LEAST_SECRET:
            raise SetupError(
                f"the secret for pseudonyms has {len(secret)} bytes",
                field="secret",
                cure=f"Give at least {LEAST_SECRET} random bytes.",
            )
        self._secret = secret
        self._zone = find_zone(privacy.zone)
        self._patterns = [_compile_pattern(pattern) for pattern in privacy.patterns]
        self._day: date = date.min
        self._known: dict[str, str] = {}
        self._key = b""

    def pseudonym(self, identifier: str, moment: datetime) -> str:
        """Pseudonym of an identifier on the local day of the (aware) moment.

        Upper and lower case, colons and hyphens make no difference: ``AC:23:3F…`` is ``ac233f…``.
        """
        if _PSEUDONYM.fullmatch(identifier):
            return identifier
        self._turn_to(moment.astimezone(self._zone).date())
        known = self._known.get(identifier)
        if known is None:
            plain = identifier.translate(_PUNCTUATION).lower().encode("utf-8", "backslashreplace")
            known = self._known[identifier] = "anon-" + hmac.digest(self._key, plain, "sha256").hex()[:16]
        return known

    def redact(self, text: str, moment: datetime) -> str:
        """The text with everything that looks like an identifier replaced by its pseudonym."""
        text = _ESCAPE.sub(_unescape, text)
        for pattern in self._patterns:
            text = pattern.sub(lambda match: self._replace(match, moment), text)
        return text

    def _replace(self, match: re.Match[str], moment: datetime) -> str:
        group = 1 if match.re.groups and match[1] is not None else 0
        start, end = match.start(group) - match.start(), match.end(group) - match.start()
        whole = match[0]
        return whole[:start] + self.pseudonym(match[group], moment) + whole[end:]

    def _turn_to(self, day: date) -> None:
        if day != self._day or len(self._known) >= _KNOWN_PER_DAY:
            self._day = day
            self._known = {}
            self._key = hmac.digest(self._secret, day.isoformat().encode(), "sha256")


def compile_hide(paths: Sequence[str], pseudonyms: Pseudonyms | None) -> Hide | None:
    """Make the function that hides identifiers at these paths; None where there are none to hide.

    Raises:
        SetupError: a path cannot be read, or the manifest has no ``[privacy]``.
    """
    if not paths:
        return None
    if pseudonyms is None:
        raise SetupError(
            "pseudonymise without [privacy]",
            field="privacy",
            cure="Add [privacy] with patterns, so that quarantined payloads lose the identifiers too.",
        )
    spots = [_spot(path) for path in paths]

    def hide(document: Document, moment: datetime) -> None:
        for spot in spots:
            for holder, member in spot(document):
                holder[member] = pseudonyms.pseudonym(_identifier(holder, member), moment)

    return hide


_Spot: TypeAlias = Callable[[Document], list[tuple[Document, str]]]


def _spot(path: str) -> _Spot:
    """Where identifiers lie: ``device``, ``phone.mac``, or ``detections[].device`` for each item."""
    outer, _, inner = path.rpartition("[].")
    parent, _, member = inner.rpartition(".")
    get_list = compile_path(outer) if outer else None
    get_parent = compile_path(parent) if parent else None

    def spot(document: Document) -> list[tuple[Document, str]]:
        items: Any = get_list(document) if get_list else [document]
        if not isinstance(items, list):
            raise _refuse(outer)
        return [(_holder(item, get_parent, path), member) for item in cast("list[Any]", items)]

    return spot


def _holder(item: Any, get_parent: Getter | None, path: str) -> Document:
    holder: Any = get_parent(item) if get_parent else item
    if not isinstance(holder, dict):
        raise _refuse(path)
    return cast("Document", holder)


def _identifier(holder: Document, member: str) -> str:
    value = holder.get(member, ABSENT)
    if isinstance(value, int) and not isinstance(value, bool):
        value = f"{value:d}" if abs(value) < 2**64 else ""
    if not isinstance(value, str) or not value:
        raise _refuse(member)
    return value


def _refuse(field: str) -> BadRequestData:
    return BadRequestData(
        "the identifier is missing or not a text",
        field=field,
        value=WITHHELD,
        cure="Mend pseudonymise in the manifest.",
    )


def _compile_pattern(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(f"{_PSEUDONYM.pattern}|(?:{pattern})")
    except re.error as error:
        raise SetupError(
            f"not a regular expression: {error}",
            field="privacy.patterns",
            value=pattern,
            cure="Mend the pattern; in TOML write it between single quotes.",
        ) from None


def _unescape(match: re.Match[str]) -> str:
    """A letter, digit or colon that JSON wrote as ``\\u0041`` must not slip past the patterns."""
    character = chr(int(match[1], 16))
    return character if character.isalnum() or character in ":-" else match[0]
