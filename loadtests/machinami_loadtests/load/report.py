"""The report of one load test: the records that report.json holds and report.html shows."""

from pathlib import Path

import msgspec
from machinami.errors import InvalidRequest

from machinami_loadtests.load.machine import Machine
from machinami_loadtests.load.tally import Latency

VERSION = 1
JSON_FILE = "report.json"
HTML_FILE = "report.html"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for.

    Attributes:
        target: ``city`` or ``broker``; address: host:port of its MQTT listener.
        rate: messages/s; None is as fast as the broker acknowledges.
        duration: seconds of sending.
    """

    target: str
    address: str
    devices: int
    rate: float | None
    duration: float
    qos: int
    connections: int


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A step of the run; rates in messages/s, None where it was not measured.

    Attributes:
        at: seconds since the first message.
        committed: to the committed row, whoever sent them.
        lag: messages in the stream that are not committed yet, at the end of the step.
        puback: latency from publish to PUBACK of the messages sent in this step.
        stored: latency from publish to the row that a query finds, of the probes sent in this step.
    """

    at: float
    sent: float
    acknowledged: float
    committed: float | None = None
    lag: float | None = None
    puback: Latency | None = None
    stored: Latency | None = None


class RoleUse(msgspec.Struct, frozen=True, kw_only=True):
    """What a role used; lists run beside the report's points.

    Attributes:
        cpu: cores in use (1.0 is one core all the time). memory: MiB, shared pages shared out (PSS).
        cpu_microseconds: CPU for each message of the test, everything else that the role did included.
    """

    cpu: list[float | None]
    memory: list[float | None]
    mean_cpu: float
    peak_memory: float
    cpu_microseconds: float


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each message, looked up one by one.

    Attributes:
        stored: all of its values are in the history. quarantined: it is in quarantine instead.
        lost: acknowledged, and in neither. not_arrived: in neither, but never acknowledged either.
        doubled: rows of history beyond one for each value.
    """

    sent: int
    acknowledged: int
    stored: int
    quarantined: int
    lost: int
    not_arrived: int
    doubled: int


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The whole run in one line; rates in messages/s over the time that each took, None: not measured."""

    messages: int
    sent: float
    acknowledged: float | None
    committed: float | None
    puback: Latency | None
    stored: Latency | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One load test.

    Attributes:
        started: RFC 3339, UTC. ended: why it ended before its time; empty when it did not.
        step: seconds from one point to the next.
        ledger: None when only a broker was tested, or the look for every message was broken off.
    """

    version: int = VERSION
    started: str
    ended: str
    request: Request
    machine: Machine
    summary: Summary
    ledger: Ledger | None
    step: float
    points: list[Point]
    roles: dict[str, RoleUse]


def write_json(report: Report, folder: Path) -> Path:
    """Write ``report.json``; its path."""
    path = folder / JSON_FILE
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    return path


def read_json(path: Path) -> Report:
    """Read a report from its file, or from its folder.

    Raises:
        InvalidRequest: there is none, or it is none of ours.
    """
    file = path / JSON_FILE if path.is_dir() else path
    try:
        return msgspec.json.decode(file.read_bytes(), type=Report)
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidRequest(
            f"{file} is no report: {error}",
            field="report",
            value=str(path),
            cure=f"Name a folder that machinami load has written, or its {JSON_FILE}",
        ) from error
