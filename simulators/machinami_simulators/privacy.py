"""The privacy filter of captures: identifiers of people's devices are hidden before anything is written.

An identifier becomes `anon-` and 16 hexadecimal digits of HMAC-SHA256 with a random key that is made for each
capture and never stored: within a capture a device stays the same, two captures cannot be linked, and
nobody can try all addresses. It is the pseudonyms' form of the connectors, which leave such a one as it is.
"""

import hmac
import re
import secrets
from collections.abc import Sequence
from typing import Any, TypeAlias, cast

import msgspec

from machinami_simulators.errors import InvalidOption

_MAC = re.compile(r"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{2}[:-]?){5}[0-9A-Fa-f]{2}(?![0-9A-Fa-f])")
_PLAIN = str.maketrans("", "", ":-")
_STEP = re.compile(r"[^.\[\]]+|\[\]")
Steps: TypeAlias = tuple[str, ...]


class Filter:
    """Hides identifiers in payloads and topics.

    Args:
        hide: paths into JSON payloads, such as ``[].mac`` or ``detections[].device``; a name alone is a
            member of that name anywhere. Their values become pseudonyms.
        drop: paths whose values are left out altogether.
        addresses: everything that looks like a MAC address, in topics and payloads of any format.

    Raises:
        InvalidOption: a path cannot be read.
    """

    def __init__(self, hide: Sequence[str], drop: Sequence[str], *, addresses: bool = True) -> None:
        self._key = secrets.token_bytes(32)
        self._hide = [_split("--hide", path) for path in hide]
        self._drop = [_split("--drop", path) for path in drop]
        self._addresses = addresses

    def topic(self, topic: str) -> str:
        """A text without addresses, such as a topic."""
        return _MAC.sub(lambda found: self.pseudonym(found[0]), topic) if self._addresses else topic

    def payload(self, payload: bytes) -> bytes:
        """A payload without identifiers. JSON in which something was hidden is written anew."""
        try:
            document: Any = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            text = payload.decode("utf-8", "surrogateescape")
            return self.topic(text).encode("utf-8", "surrogateescape")
        changed = [self._walk(document, steps, drop=False) for steps in self._hide]
        changed += [self._walk(document, steps, drop=True) for steps in self._drop]
        clean = self._texts(document)
        return msgspec.json.encode(clean) if any(changed) or clean != document else payload

    def pseudonym(self, identifier: str) -> str:
        """The same for the same device, however its address is written."""
        plain = identifier.translate(_PLAIN).lower().encode("utf-8", "surrogateescape")
        return "anon-" + hmac.digest(self._key, plain, "sha256").hex()[:16]

    def _texts(self, node: Any) -> Any:
        """The document with addresses hidden in all its texts; numbers are never addresses."""
        if isinstance(node, str):
            return self.topic(node)
        if isinstance(node, dict):
            members = cast("dict[str, Any]", node).items()
            return {self.topic(name): self._texts(each) for name, each in members}
        return [self._texts(each) for each in cast("list[Any]", node)] if isinstance(node, list) else node

    def _walk(self, node: Any, steps: Steps, *, drop: bool) -> bool:
        if steps[0] == "**":
            here = self._walk(node, steps[1:], drop=drop) if isinstance(node, dict) else False
            return any([here, *(self._walk(each, steps, drop=drop) for each in _members(node))])
        if steps[0] == "[]":
            listed = cast("list[Any]", node) if isinstance(node, list) else []
            return sum(self._walk(each, steps[1:], drop=drop) for each in listed) > 0
        return isinstance(node, dict) and self._member(cast("dict[str, Any]", node), steps, drop=drop)

    def _member(self, node: dict[str, Any], steps: Steps, *, drop: bool) -> bool:
        name = steps[0]
        if name not in node:
            return False
        if len(steps) > 1:
            return self._walk(node[name], steps[1:], drop=drop)
        if drop:
            del node[name]
        else:
            node[name] = self._pseudonyms(node[name])
        return True

    def _pseudonyms(self, value: Any) -> Any:
        """An identifier's pseudonym; of a list or object, those of all that is in it."""
        if isinstance(value, dict):
            return {name: self._pseudonyms(each) for name, each in cast("dict[str, Any]", value).items()}
        if isinstance(value, list):
            return [self._pseudonyms(each) for each in cast("list[Any]", value)]
        return value if value is None else self.pseudonym(value if isinstance(value, str) else str(value))


def _members(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return list(cast("dict[str, Any]", node).values())
    return cast("list[Any]", node) if isinstance(node, list) else []


def _split(option: str, path: str) -> Steps:
    steps = tuple(_STEP.findall(path))
    written = "".join(step if step == "[]" else f".{step}" for step in steps).lstrip(".")
    if not steps or steps[-1] == "[]" or written != path.lstrip("."):
        raise InvalidOption(
            f"{option}: {path!r} is no path", "Write it like mac, [].mac or detections[].device"
        )
    return steps if len(steps) > 1 else ("**", *steps)
