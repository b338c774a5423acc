"""QoS 0 messages join the others in the stream.

The broker stores by itself only what it acknowledges. A QoS 0 message passes by on its subject, as every
other does as well, so whoever looks for them sees all traffic: `wire` reads it for little.
"""

import asyncio
import itertools
import logging
import re

from machinami.stream.pulling import PREFIX
from machinami.stream.wire import LISTENER, USER, Wire, connect, split_addresses

log = logging.getLogger(__name__)

_ALL = "> machinami-qos0 1"
_IS_QOS0 = re.compile(rb"\r\nNmqtt-Pub: ?0\r\n").search
_GATHER = 0.01  # seconds
_PAUSE = 1.0  # seconds before a broken connection is tried again


async def take_in_qos0(address: str, password: str) -> None:
    """Put each QoS 0 message into the stream, until cancelled.

    QoS 0 is at most once: what arrives while nobody runs this is gone, as MQTT allows. Several processes may
    run it; the broker gives each message to one of them.

    Args:
        address: host:port of the NATS client port; of a cluster several, with commas between them.
    """
    user = LISTENER
    for server in itertools.cycle(split_addresses(address)):
        intake = _Intake(user, password)
        try:
            await connect(server, intake)
        except OSError:  # the reader of the stream says that the broker is away, and waits for it too
            await asyncio.sleep(_PAUSE)
            continue
        try:
            await intake.closed.wait()
        finally:
            intake.close()
        if user != USER and "Authorization" in intake.error:
            log.warning("the broker has no user %s: its own messages pass through ingest as well", user)
            user = USER
            continue
        await asyncio.sleep(_PAUSE)


class _Intake(Wire):
    """Takes every message, and sends those of QoS 0 into the stream."""

    def __init__(self, user: str, password: str) -> None:
        super().__init__(user, password, _ALL, _GATHER)

    def take(self, words: list[bytes], data: bytes, begin: int, end: int) -> None:
        """A message with headers, as the MQTT listener writes them, says its quality of service there."""
        if words[0] != b"HMSG":
            return
        payload = begin + int(words[-2])
        if _IS_QOS0(data, begin, payload):
            self.publish(PREFIX.encode() + words[1], data[payload:end])
