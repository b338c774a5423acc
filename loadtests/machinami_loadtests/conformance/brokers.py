"""The brokers under test: fresh cities on the suite's port, one group after the other."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
from machinami.errors import SetupError
from machinami.local.ports import LOOPBACK, is_free

from machinami_loadtests.conformance.suite import BROKER_PORT, MOCK_PORTS

_PATIENCE = 60.0
_STOP_SECONDS = 20.0
_LOOK_EVERY = 0.1
_INDEX_FILE = "url-map.json"


def check_ports(brokers: int) -> None:
    """See that the suite's ports are free.

    Raises:
        SetupError: somebody listens there.
    """
    wanted = [*MOCK_PORTS, *(BROKER_PORT + number for number in range(brokers))]
    taken = [str(port) for port in wanted if not is_free(port)]
    if taken:
        raise SetupError(
            f"the suite has its ports written into it, and {', '.join(taken)} are in use",
            cure="Stop what listens there, or run it in a network namespace of its own: "
            "sudo unshare --net sh -c 'ip link set lo up; machinami conformance …'",
        )


def write_contexts(folder: Path, contexts: Mapping[str, Path]) -> Path:
    """A folder for MACHINAMI_CONTEXT_FOLDERS that serves these files under their addresses."""
    folder.mkdir()
    index = {url: str(file.resolve()) for url, file in contexts.items()}
    (folder / _INDEX_FILE).write_text(json.dumps(index), encoding="utf-8")
    return folder


@contextmanager
def fresh_brokers(folder: Path, count: int, settings: Mapping[str, str]) -> Generator[Sequence[str]]:
    """So many empty cities without devices; gives the base URLs of their APIs.

    Args:
        settings: environment of all roles.

    Raises:
        SetupError: one does not start; the message has its last lines.
    """
    with ExitStack() as stack:
        ports = [BROKER_PORT + number for number in range(count)]
        for port in ports:
            stack.enter_context(_city(folder / str(port), port, settings))
        yield [f"http://localhost:{port}/ngsi-ld/v1" for port in ports]


@contextmanager
def _city(data_dir: Path, port: int, settings: Mapping[str, str]) -> Generator[None]:
    data_dir.mkdir(parents=True)
    command = [sys.executable, "-m", "machinami", "up", "--no-simulator"]
    command += ["--data-dir", str(data_dir), "--api-port", str(port), "--mqtt-port", "0"]
    log = data_dir / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=os.environ | settings, start_new_session=True
        )
    try:
        _wait(process, port, log)
        yield
    finally:
        process.terminate()
        process.wait(_STOP_SECONDS)


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"http://{LOOPBACK}:{port}/ngsi-ld/v1/types").raise_for_status()
        except httpx.HTTPError:
            time.sleep(_LOOK_EVERY)
        else:
            return
    raise SetupError(f"the broker on port {port} does not start: {log.read_text(errors='replace')[-500:]}")
