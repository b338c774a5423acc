"""MQTT 3.1.1 packets as bytes, made ahead of time so that the sender has nothing left to compute."""

import struct
from collections.abc import Iterable, Sequence
from functools import cache

KEEP_ALIVE = 60  # seconds
LAST_ID = 65_535
CONNACK = bytes((0x20, 2, 0, 0))


def connect(client_id: str, user: str = "", password: str = "", *, clean: bool = True) -> bytes:
    """CONNECT (clause 3.1).

    Args:
        clean: a new session; else the one that this client id had, if it had one (clause 3.1.2.4).
    """
    flags = (0x02 if clean else 0) | (0x80 if user else 0) | (0x40 if password else 0)
    parts = [client_id, *([user] if user else []), *([password] if password else [])]
    head = text("MQTT") + bytes((4, flags)) + struct.pack(">H", KEEP_ALIVE)
    return _packet(0x10, head + b"".join(text(part) for part in parts))


class Heads(dict[int, bytes]):
    """Fixed header of a PUBLISH (clause 3.3.1) by remaining length; each is made once."""

    def __init__(self, qos: int = 1) -> None:
        super().__init__()
        self._kind = 0x30 | qos << 1

    def __missing__(self, size: int) -> bytes:
        """Make and keep it."""
        head = self[size] = bytes((self._kind, *_length(size)))
        return head


@cache
def identities(qos: int = 1) -> tuple[bytes, ...]:
    """The packet ids as they are written, in order; QoS 0 carries none."""
    return tuple(struct.pack(">H", number + 1) if qos else b"" for number in range(LAST_ID))


def publish(topic: str, payload: bytes, packet_id: int, qos: int = 1, *, again: bool = False) -> bytes:
    """PUBLISH (clause 3.3); QoS 0 carries no packet id.

    Args:
        again: it was sent before and not acknowledged: DUP is set (clause 3.3.1.1).
    """
    identity = struct.pack(">H", packet_id) if qos else b""
    return _packet(0x30 | qos << 1 | (0x08 if again else 0), text(topic) + identity + payload)


def publishes(messages: Iterable[tuple[str, bytes]], qos: int = 1) -> list[bytes]:
    """PUBLISH packets in order, with the packet ids that `acknowledgements` expects."""
    return [
        publish(topic, payload, packet_id(number), qos) for number, (topic, payload) in enumerate(messages)
    ]


def packet_id(number: int) -> int:
    """Packet id of the n-th message of a connection, n from 0; 1 to 65,535 and again."""
    return number % LAST_ID + 1


def acknowledgements(first: int, last: int) -> bytes:
    """The PUBACKs (clause 3.4) that a broker answers to messages `first` up to but not including `last`."""
    return b"".join(struct.pack(">BBH", 0x40, 2, packet_id(number)) for number in range(first, last))


DISCONNECT = bytes((0xE0, 0))
PINGREQ = bytes((0xC0, 0))


def _packet(kind: int, body: bytes) -> bytes:
    return bytes((kind, *_length(len(body)))) + body


def _length(number: int) -> Sequence[int]:
    """Remaining length (clause 2.2.3): seven bits a byte, the highest tells that another follows."""
    digits: list[int] = []
    while True:
        number, digit = divmod(number, 128)
        digits.append(digit | (0x80 if number else 0))
        if not number:
            return digits


def text(value: str) -> bytes:
    """A UTF-8 string behind its length (clause 1.5.3)."""
    encoded = value.encode()
    return struct.pack(">H", len(encoded)) + encoded
