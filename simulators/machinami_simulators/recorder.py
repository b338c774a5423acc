"""Recording: everything that a broker passes on, written down with the time at which it came."""

import queue
import ssl
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from machinami_simulators.capture import CaptureFile
from machinami_simulators.errors import BrokerUnreachable, InvalidOption
from machinami_simulators.privacy import Filter
from machinami_simulators.stopping import Stop

_PATIENCE = 15.0  # seconds for the broker to accept us
_TURN = 0.2  # seconds
_MOST_WAITING = 100_000  # messages between the network and the file
_Came: TypeAlias = tuple[float, str, int, bytes]
_Accepted: TypeAlias = float  # when
_Event: TypeAlias = _Came | _Accepted | BrokerUnreachable


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A broker and what is wanted of it.

    Attributes:
        tls: encrypted, the broker's name checked against `ca`, or the system's authorities without it.
    """

    host: str
    port: int
    topics: Sequence[str]
    user: str = ""
    password: str = ""
    tls: bool = False
    ca: Path | None = None


def record(
    source: Source,
    file: CaptureFile,
    hide: Filter,
    stop: Stop,
    *,
    seconds: float,
    tell: Callable[[int], None],
) -> None:
    """Write down what comes until the time is over or somebody asks to stop.

    The clock starts when the broker has accepted us. A connection that breaks is made again;
    what the broker passes on meanwhile is lost, as for any subscriber without a session.

    Args:
        tell: is given the number of messages, several times a second.

    Raises:
        BrokerUnreachable: the broker cannot be reached, or refuses us or a topic.
        InvalidOption: the file of authorities cannot be used.
    """
    events: queue.Queue[_Event] = queue.Queue(_MOST_WAITING)
    client = _client(source, events)
    try:
        client.connect(source.host, source.port)
    except (OSError, ValueError) as error:
        raise BrokerUnreachable(
            f"no MQTT broker answers at {source.host}:{source.port} ({error})",
            "Name another with --mqtt-host and --mqtt-port; --tls if it wants encryption, --ca if its"
            " certificate is signed by an authority of its own",
        ) from error
    client.loop_start()
    try:
        began = _accepted(events, stop)
        while not stop and time.monotonic() < began + seconds:
            _write(events, file, hide, began, until=min(began + seconds, time.monotonic() + _TURN))
            tell(file.messages)
    finally:
        client.disconnect()
        client.loop_stop()


def _client(source: Source, events: "queue.Queue[_Event]") -> Client:
    client = Client(CallbackAPIVersion.VERSION2)
    if source.user:
        client.username_pw_set(source.user, source.password)
    if source.tls:
        client.tls_set_context(_trust(source.ca))  # pyright: ignore[reportUnknownMemberType]  # paho leaves it untyped
    client.on_connect = partial(_on_connect, source, events)
    client.on_subscribe = partial(_on_subscribe, source, events)
    client.on_message = partial(_on_message, events)
    return client


def _on_connect(
    source: Source,
    events: "queue.Queue[_Event]",
    client: Client,
    _u: Any,
    _f: Any,
    reason: ReasonCode,
    _p: Any,
) -> None:
    if reason.is_failure:
        events.put(_refused(f"the connection ({reason})"))
    else:
        events.put(time.monotonic())
        client.subscribe([(topic, 1) for topic in source.topics])


def _on_subscribe(
    source: Source,
    events: "queue.Queue[_Event]",
    _c: Client,
    _u: Any,
    _m: int,
    reasons: list[ReasonCode],
    _p: Any,
) -> None:
    refused = [topic for topic, reason in zip(source.topics, reasons, strict=False) if reason.is_failure]
    if refused:
        events.put(_refused(f"the topic {', '.join(refused)}"))


def _on_message(events: "queue.Queue[_Event]", _c: Client, _u: Any, message: MQTTMessage) -> None:
    events.put((time.monotonic(), message.topic, message.qos, bytes(message.payload)))


def _refused(what: str) -> BrokerUnreachable:
    return BrokerUnreachable(f"the MQTT broker refuses {what}", "Check --topic, --user and the password")


def _trust(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise InvalidOption(
            f"--ca: {ca} cannot be used ({error})", "Name a file of certificates in PEM"
        ) from error


def _accepted(events: "queue.Queue[_Event]", stop: Stop) -> float:
    """When the broker accepted us."""
    end = time.monotonic() + _PATIENCE
    while not stop and time.monotonic() < end:
        event = _next(events, _TURN)
        if isinstance(event, float):
            return event
    if stop:
        return time.monotonic()
    raise BrokerUnreachable("the MQTT broker does not answer", "See the broker's log")


def _next(events: "queue.Queue[_Event]", seconds: float) -> _Came | _Accepted | None:
    try:
        event = events.get(timeout=seconds)
    except queue.Empty:
        return None
    if isinstance(event, BrokerUnreachable):
        raise event
    return event


def _write(
    events: "queue.Queue[_Event]", file: CaptureFile, hide: Filter, began: float, *, until: float
) -> None:
    while (left := until - time.monotonic()) > 0:
        event = _next(events, left)
        if isinstance(event, tuple):
            at, topic, qos, payload = event
            file.add(max(at - began, 0.0), hide.topic(topic), qos, hide.payload(payload))
