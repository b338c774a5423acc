"""Bytes → documents, one decoder a format. A decoder raises BadRequestData and nothing else."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias, cast

import orjson

from machinami.connect.paths import Document
from machinami.errors import BadRequestData, SetupError

Decode: TypeAlias = Callable[[str, bytes], Sequence[Document]]
"""Topic and payload → documents."""

Codec: TypeAlias = Callable[[str, bytes], Iterable[Document]]
"""What codec.py offers as ``decode``; a ValueError's text becomes the reason of the rejection."""

MAX_DOCUMENTS: Final = 10_000
"""A codec that never stops yielding is stopped here."""

_BOM: Final = b"\xef\xbb\xbf"


def decoder(name: str, codec: Codec | None) -> Decode:
    """The decoder of a format by its name in the manifest.

    Raises:
        SetupError: format codec, and no codec.py.
    """
    if name != "codec":
        return _DECODERS[name]
    if codec is None:
        raise SetupError(
            "format codec needs a codec.py beside connector.toml",
            field="format",
            value=name,
            cure="Write codec.py with decode(topic, payload), or choose json or ultralight.",
        )
    return _guarded(codec)


def _json(_topic: str, payload: bytes) -> Sequence[Document]:
    try:
        document: Any = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        if payload.startswith(_BOM):
            return _json(_topic, payload[len(_BOM) :])
        raise _not_json(payload, error) from None
    if type(document) is dict:
        return (cast("Document", document),)
    return _all_objects(document, payload)


def _all_objects(document: Any, payload: bytes) -> Sequence[Document]:
    if isinstance(document, list):
        items = cast("list[Any]", document)
        if items and all(isinstance(item, dict) for item in items):
            return items
    raise BadRequestData(
        "the payload is neither a JSON object nor an array of objects",
        field="payload",
        value=payload,
        cure='Send an object, e.g. {"level": 2.3}.',
    )


def _not_json(payload: bytes, error: orjson.JSONDecodeError) -> BadRequestData:
    _text(payload)
    return BadRequestData(
        f"not JSON: {error.msg}, at character {error.pos}",
        field="payload",
        value=payload,
        cure="Send valid JSON.",
    )


def _text(payload: bytes) -> str:
    if not payload:
        raise BadRequestData("the payload is empty", field="payload", value=b"", cure="Send a reading.")
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise BadRequestData(
            f"not UTF-8 at byte {error.start}", field="payload", value=payload, cure="Send UTF-8."
        ) from None


def _ultralight(_topic: str, payload: bytes) -> Sequence[Document]:
    """UltraLight 2.0: ``t|15|h|70``, groups joined by ``#``; an odd count has the time in front."""
    return [_measures(group, payload) for group in _text(payload).split("#")]


def _measures(group: str, payload: bytes) -> Document:
    parts = group.split("|")
    time = {"TimeInstant": parts.pop(0)} if len(parts) % 2 else {}
    names = parts[::2]
    if not names or not all(names) or len(set(names)) < len(names):
        raise BadRequestData(
            "not UltraLight 2.0",
            field="payload",
            value=payload,
            cure="Send pairs such as l|2.3|b|12.4.",
        )
    return {**dict(zip(names, parts[1::2], strict=True)), **time}


_DECODERS: Final[dict[str, Decode]] = {"json": _json, "ultralight": _ultralight}


def _guarded(codec: Codec) -> Decode:
    def decode(topic: str, payload: bytes) -> Sequence[Document]:
        try:
            documents = list(islice(codec(topic, payload), MAX_DOCUMENTS))
        except ValueError as error:
            raise _codec_refused(str(error), payload) from error
        except Exception as error:
            raise _codec_refused(f"codec.py failed: {error!r}", payload) from error
        if all(type(document) is dict for document in documents):
            return documents
        raise _codec_refused("codec.py gave something that is not a dict", payload)

    return decode


def _codec_refused(reason: str, payload: bytes) -> BadRequestData:
    return BadRequestData(
        reason, field="payload", value=payload, cure="Check the device's firmware, or mend codec.py."
    )
