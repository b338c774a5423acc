from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami.connect.formats import MAX_DOCUMENTS, Codec, decoder
from machinami.errors import BadRequestData, SetupError


def refusal(name: str, payload: bytes, codec: Codec | None = None) -> str:
    with pytest.raises(BadRequestData) as caught:
        decoder(name, codec)("t", payload)
    assert (caught.value.field, caught.value.value) == ("payload", payload)
    assert caught.value.cure
    return caught.value.detail


@pytest.mark.parametrize(
    ("name", "payload", "documents"),
    [
        ("json", b'{"l": 2.3}', [{"l": 2.3}]),
        ("json", b'\xef\xbb\xbf{"l": 2.3}', [{"l": 2.3}]),
        ("json", b'[{"l": 1}, {"l": 2}]', [{"l": 1}, {"l": 2}]),
        ("ultralight", b"t|15|h|70", [{"t": "15", "h": "70"}]),
        ("ultralight", b"2026-11-21T01:02:03Z|l|2", [{"TimeInstant": "2026-11-21T01:02:03Z", "l": "2"}]),
        ("ultralight", b"t|15#t|16", [{"t": "15"}, {"t": "16"}]),
    ],
)
def test_bytes_become_documents(name: str, payload: bytes, documents: list[dict[str, Any]]) -> None:
    assert list(decoder(name, None)("t", payload)) == documents


@pytest.mark.parametrize(
    ("name", "payload", "reason"),
    [
        ("json", b"", "the payload is empty"),
        ("json", b"\xff{}", "not UTF-8 at byte 0"),
        ("json", b'{"l": NaN}', "not JSON: "),
        ("json", b'{"l": 1e999}', "not JSON: "),
        ("json", b"[" * 2_000, "not JSON: "),
        ("json", b"5", "the payload is neither a JSON object nor an array of objects"),
        ("json", b"[]", "the payload is neither a JSON object nor an array of objects"),
        ("json", b'[{}, "x"]', "the payload is neither a JSON object nor an array of objects"),
        ("ultralight", b"", "the payload is empty"),
        ("ultralight", b"l|\xff", "not UTF-8 at byte 2"),
        ("ultralight", b"l", "not UltraLight 2.0"),
        ("ultralight", b"|2", "not UltraLight 2.0"),
        ("ultralight", b"l|1|l|2", "not UltraLight 2.0"),
        ("ultralight", b"l|1#", "not UltraLight 2.0"),
    ],
)
def test_other_bytes_are_refused(name: str, payload: bytes, reason: str) -> None:
    assert refusal(name, payload).startswith(reason)


def test_a_codecs_value_error_is_the_reason() -> None:
    def decode(_topic: str, payload: bytes) -> Iterator[dict[str, Any]]:
        raise ValueError(f"{len(payload)} bytes instead of 7")
        yield {}

    assert refusal("codec", b"xyz", decode) == "3 bytes instead of 7"


def test_a_codec_that_breaks_is_named_and_does_not_break_us() -> None:
    def decode(_topic: str, payload: bytes) -> list[dict[str, Any]]:
        return [{"v": {"a": 1}[payload.decode()]}]

    assert refusal("codec", b"b", decode) == "codec.py failed: KeyError('b')"


def test_a_codec_that_never_ends_is_stopped() -> None:
    def decode(_topic: str, _payload: bytes) -> Iterator[dict[str, Any]]:
        while True:
            yield {}

    assert len(decoder("codec", decode)("t", b"")) == MAX_DOCUMENTS


def test_a_codec_that_gives_no_dict_is_refused() -> None:
    assert refusal("codec", b"", lambda _topic, _payload: [1]) == (  # pyright: ignore[reportArgumentType] # on purpose
        "codec.py gave something that is not a dict"
    )


def test_format_codec_needs_a_codec() -> None:
    with pytest.raises(SetupError, match=r"needs a codec\.py"):
        decoder("codec", None)


@given(st.binary() | st.text().map(str.encode), st.sampled_from(["json", "ultralight"]))
def test_whatever_the_bytes_they_are_documents_or_refused(payload: bytes, name: str) -> None:
    try:
        documents = decoder(name, None)("t", payload)
    except BadRequestData:
        return
    assert all(type(document) is dict for document in documents)
