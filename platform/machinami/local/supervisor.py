"""Keeps roles alive: starts them, restarts what dies, stops all in order."""

import signal
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Protocol

import psutil

from machinami.errors import MachinamiError
from machinami.local.disks import left_for_later
from machinami.local.process import Pause, bound_log, last_lines, log_size
from machinami.local.screen import Screen
from machinami.local.state import RoleStatus, State

_FIRST_BACKOFF, _LAST_BACKOFF = 0.5, 30.0
_STEADY_SECONDS = 60.0
"""A role that ran this long before it died starts again after the first backoff."""


class StopRequested(Exception):
    """Ctrl-C, SIGTERM or SIGHUP came: stop everything in order."""


class Service(Protocol):
    """What a role must offer to be supervised."""

    name: str
    log: Path
    process: "subprocess.Popen[bytes] | None"

    @property
    def address(self) -> str:
        """Where it is reached; shown to people, so without passwords. Empty: nobody connects to it."""
        ...

    @property
    def metrics(self) -> str:
        """URL of its numbers for Prometheus; empty when it serves none."""
        ...

    def start(self, pause: Pause, /) -> object:
        """Start it; may return before it is ready."""
        ...

    def ready(self) -> bool:
        """Whether it does its work."""
        ...

    def stop(self) -> None:
        """Stop it, within its time."""
        ...


class Role:
    """One supervised role: a service, and how it has fared."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.state = State.STARTING
        self.restarts = 0
        self._backoff = _FIRST_BACKOFF
        self._shown: Sequence[str] = ()
        self._trouble = ""
        self._started = 0.0
        self._log_began = 0
        self._due = 0.0

    def start(self, pause: Pause) -> None:
        """Start the service."""
        self.state = State.STARTING
        self._started = time.monotonic()
        self._log_began = log_size(self.service.log)
        self.service.start(pause)

    def look(self, screen: Screen, pause: Pause) -> None:
        """Take one look: note that it is ready, say that it died, start it again when its time has come."""
        if self.state is State.WAITING:
            self._start_again(screen, pause)
        elif self.service.process is None or self.service.process.poll() is not None:
            self._died(screen)
        elif self.state is State.STARTING and self.service.ready():
            self.state = State.RUNNING
            screen.say(f"{self.service.name:<10} {self.service.address or 'runs'}")

    def status(self) -> RoleStatus:
        """How it is, for others."""
        process = self.service.process
        pid = process.pid if process is not None and process.poll() is None else None
        return RoleStatus(
            role=self.service.name,
            pid=pid,
            state=self.state,
            address=self.service.address,
            started=_creation_time(pid),
            restarts=self.restarts,
            metrics=self.service.metrics,
            trouble=self._trouble if self.state is State.WAITING else "",
        )

    def _died(self, screen: Screen) -> None:
        ran = time.monotonic() - self._started
        self._backoff = _FIRST_BACKOFF if ran >= _STEADY_SECONDS else self._backoff
        how = _ending(self.service.process.returncode) if self.service.process else "stopped"
        self._wait(screen, how, last_lines(self.service.log, since=self._log_began))

    def _start_again(self, screen: Screen, pause: Pause) -> None:
        if time.monotonic() < self._due:
            return
        self.restarts += 1
        try:
            self.start(pause)
        except (MachinamiError, OSError) as error:  # OSError: a full disk, above all
            self._wait(screen, "could not start", str(error).splitlines())

    def _wait(self, screen: Screen, how: str, lines: Sequence[str]) -> None:
        self.state = State.WAITING
        self._due = time.monotonic() + self._backoff
        news = lines if lines != self._shown else ()  # the same end again is not worth reading twice
        self._shown = lines
        self._trouble = "\n".join([how, *lines])
        quoted = [f"  {self.service.name} | {line}" for line in news]
        screen.say(
            "\n".join([*quoted, f"{self.service.name:<10} {how}; starts again in {self._backoff:g} s"])
        )
        self._backoff = min(2 * self._backoff, _LAST_BACKOFF)


class Supervisor:
    """Roles in the order in which they start; they stop in the opposite one."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.roles: list[Role] = []
        self._stop_requested = False

    def add(self, service: Service) -> None:
        """Start a service and supervise it from now on."""
        role = Role(service)
        self.roles.append(role)
        role.start(self.pause)
        role.look(self.screen, self.pause)

    def look(self) -> None:
        """Take one look at every role."""
        for role in self.roles:
            role.look(self.screen, self.pause)

    def restart(self, name: str, why: str) -> None:
        """Stop a role, which starts again as if it had died."""
        for role in self.roles:
            if role.service.name == name:
                self.screen.say(f"{name:<10} {why}")
                role.service.stop()

    def bound_logs(self) -> None:
        """Keep the logs of long runs bounded."""
        for role in self.roles:
            with left_for_later():
                bound_log(role.service.log)

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            StopRequested: somebody asked to stop.
        """
        if self._stop_requested:
            raise StopRequested
        time.sleep(seconds)

    @contextmanager
    def supervision(self) -> Generator[None]:
        """Signals ask to stop while this is open; at its end all roles are stopped."""
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._note_signal) for number in numbers}
        try:
            yield
        finally:
            self.screen.end()
            for role in reversed(self.roles):
                role.service.stop()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_requested = True


def _creation_time(pid: int | None) -> float | None:
    try:
        return psutil.Process(pid).create_time() if pid is not None else None
    except psutil.NoSuchProcess:
        return None


def _ending(code: int) -> str:
    """How a process ended, in words."""
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
