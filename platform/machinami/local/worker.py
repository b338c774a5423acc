"""A Python role as a child process: ``python -m machinami ROLE --data-dir …``."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from machinami.local.ports import LOOPBACK, answers, free_port
from machinami.local.process import Pause, Program, bound_log, last_lines, log_size, start, stop

_SETTLING_SECONDS = 1.5
"""A role that cannot start has usually died by then: its imports are done."""


class Worker:
    """One role of the city that runs our own code.

    Args:
        name: the role.
        data_dir: the city's data folder; ``logs/NAME.log`` in it takes the role's output.
        options: further command line options.
        log: name of its log; empty: as the role.
        command: what runs it; empty: as the role.
        port: the role is ready when somebody answers on it; None: when it has run for a moment.
        metered: it serves numbers for Prometheus on a port of its own, found free at each start.
        grace: seconds that it has for ending by itself.
    """

    def __init__(
        self,
        name: str,
        data_dir: Path,
        *,
        options: Sequence[str] = (),
        port: int | None = None,
        metered: bool = False,
        grace: float = 0.7,
        log: str = "",
        command: str = "",
    ) -> None:
        self.name = name
        self.log = data_dir / f"logs/{log or name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        words = (command or name, "--data-dir", str(data_dir), *options)
        self._command = [sys.executable, "-m", "machinami", *words]
        self._port = port
        self._metered = metered
        self._metrics_port: int | None = None
        self._grace = grace
        self._settled = 0.0

    @property
    def address(self) -> str:
        """Base URL, for a role that has a port."""
        return "" if self._port is None else f"http://{LOOPBACK}:{self._port}"

    @property
    def metrics(self) -> str:
        """URL of its numbers for Prometheus; a role that has a port of its own serves them there."""
        port = self._metrics_port or self._port
        return f"http://{LOOPBACK}:{port}/metrics" if port else ""

    def start(self, _pause: Pause = time.sleep) -> None:
        """Start the role; returns at once."""
        bound_log(self.log)
        self._settled = time.monotonic() + _SETTLING_SECONDS
        self.process = start(
            Program(
                command=[*self._command, *self._metrics_options()],
                log=self.log,
                environment={**os.environ, "PYTHONUNBUFFERED": "1"},
                folder=Path.cwd(),
            )
        )

    def _metrics_options(self) -> Sequence[str]:
        if not self._metered:
            return ()
        self._metrics_port = free_port()
        return "--metrics-port", str(self._metrics_port)

    def ready(self) -> bool:
        """Whether the role does its work."""
        if self.process is None or self.process.poll() is not None:
            return False
        return time.monotonic() >= self._settled if self._port is None else answers(self._port)

    def stop(self) -> None:
        """Ask the role to end, then make it."""
        if self.process is not None:
            stop(self.process, signals=((signal.SIGTERM, self._grace),))
            self.process = None


def run_to_end(worker: Worker, pause: Pause) -> list[str] | None:
    """Run a command of ours to its end; what it said last when it failed, None when it did not."""
    since = log_size(worker.log)
    worker.start()
    try:
        while worker.process is not None and worker.process.poll() is None:
            pause(0.02)
        failed = worker.process is None or worker.process.returncode != 0
    finally:
        worker.stop()
    return last_lines(worker.log, 12, since=since) if failed else None
