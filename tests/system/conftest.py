"""A real city: all roles in processes of their own, on free ports, without the simulator."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from machinami.settings import City, read_city

PATIENCE = 90.0
"""Seconds after which a machine, however busy, must have done what is waited for."""


def wait_for(what: str, condition: Callable[[], Any]) -> Any:
    """The first truth that the condition gives."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"never came: {what}")


def machinami(*arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    command = [sys.executable, "-m", "machinami", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, **options)


class RunningCity:
    """`machinami up` in a process of its own."""

    def __init__(self, data_dir: Path, *options: str, start: dict[str, Any] | None = None) -> None:
        self.data_dir = data_dir
        self._output = data_dir.with_name(f"{data_dir.name}.out")
        command = [sys.executable, "-m", "machinami", "up", "--data-dir", str(data_dir)]
        ports = ["--api-port", "0", "--mqtt-port", "0", "--no-simulator"]
        with self._output.open("ab") as output:
            self.process = subprocess.Popen(
                [*command, *ports, *options], stdout=output, stderr=output, **(start or {})
            )

    @property
    def addresses(self) -> City:
        return read_city(self.data_dir)

    def said(self) -> str:
        """Everything that it has printed."""
        return self._output.read_text(encoding="utf-8")

    def status(self) -> dict[str, Any]:
        """`machinami status --json`; empty while no city runs."""
        answer = machinami("status", "--json", "--data-dir", str(self.data_dir))
        return json.loads(answer.stdout) if answer.returncode == 0 else {}

    def roles(self) -> dict[str, dict[str, Any]]:
        return {role["role"]: role for role in self.status().get("roles", ())}

    def wait_until_all_run(self) -> None:
        def all_run() -> bool:
            assert self.process.poll() is None, self.said()
            roles = self.roles()
            return len(roles) >= 5 and all(r["state"] in {"running", "external"} for r in roles.values())

        wait_for("all roles run", all_run)

    def ask(self, path: str, body: object = None) -> Any:
        """One request to the API; None while it does not answer."""
        method = "GET" if body is None else "POST"
        try:
            answer = httpx.request(method, self.addresses.api + path, json=body, timeout=10)
        except httpx.TransportError:
            return None
        return (answer.json() if answer.content else True) if answer.is_success else None

    def kill(self, role: str) -> int:
        """Kill a role as roughly as can be; the pid that it had."""
        pid = self.roles()[role]["pid"]
        psutil.Process(pid).kill()
        return pid

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def running_city(data_dir: Path, *options: str, start: dict[str, Any] | None = None) -> Iterator[RunningCity]:
    city = RunningCity(data_dir, *options, start=start)
    try:
        city.wait_until_all_run()
        yield city
    finally:
        if city.process.poll() is None:
            city.stop()


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCity]:
    """One city for all tests of a module, which leave it running."""
    with running_city(tmp_path_factory.mktemp("system") / "city") as city:
        yield city
