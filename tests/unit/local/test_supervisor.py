"""Roles that die are said and started again; all stop in order."""

import errno
import io
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from machinami.errors import SetupError
from machinami.local import supervisor as module
from machinami.local.process import Pause, Program, start, stop
from machinami.local.screen import Screen
from machinami.local.state import State
from machinami.local.supervisor import StopRequested, Supervisor


class Shell:
    """A service that runs a shell script; `stopped` collects the order of stops."""

    def __init__(self, folder: Path, name: str, script: str, stopped: list[str]) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.address = f"shell://{name}"
        self.metrics = f"http://{name}/metrics"
        self.process = None
        self.fail = False
        self.failure: Exception = SetupError("no shell today", cure="Come tomorrow")
        self._script = script
        self._stopped = stopped

    def start(self, _pause: Pause) -> None:
        if self.fail:
            raise self.failure
        self.process = start(Program(command=["sh", "-c", self._script], log=self.log))

    def ready(self) -> bool:
        return True

    def stop(self) -> None:
        self._stopped.append(self.name)
        if self.process is not None:
            stop(self.process, signals=())
            self.process = None


class Stage:
    def __init__(self, folder: Path) -> None:
        self.out = io.StringIO()
        self.supervisor = Supervisor(Screen(self.out))
        self.stopped: list[str] = []
        self._folder = folder

    def add(self, name: str, script: str = "exec sleep 60") -> Shell:
        service = Shell(self._folder, name, script, self.stopped)
        self.supervisor.add(service)
        return service

    def look_until(self, text: str) -> str:
        for _ in range(400):
            self.supervisor.look()
            if text in self.out.getvalue():
                return self.out.getvalue()
            time.sleep(0.01)
        raise AssertionError(f"never said {text!r}, but: {self.out.getvalue()}")


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(module, "_FIRST_BACKOFF", 0.01)
    stage = Stage(tmp_path)
    with stage.supervisor.supervision():
        yield stage


def test_each_role_gets_one_line_with_its_address(stage: Stage):
    stage.add("api")
    assert stage.out.getvalue() == "api        shell://api\n"


def test_a_crash_shows_code_and_last_lines_and_the_role_starts_again(stage: Stage):
    stage.add("ingest", "echo what was wrong; exit 7")
    said = stage.look_until("starts again in 0.02 s")
    assert "ingest     ended with exit code 7; starts again in 0.01 s" in said
    assert "  ingest | what was wrong" in said


def test_the_same_end_is_quoted_once(stage: Stage):
    stage.add("ingest", "echo what was wrong; exit 7")
    assert stage.look_until("starts again in 0.04 s").count("| what was wrong\n") == 1


def test_a_killed_role_says_by_what_and_runs_again(stage: Stage):
    service = stage.add("notify")
    assert service.process is not None
    service.process.kill()
    said = stage.look_until("shell://notify\nnotify     was killed by SIGKILL; starts again in 0.01 s\n")
    assert stage.look_until(said + "notify     shell://notify\n")
    status = stage.supervisor.roles[0].status()
    assert (status.state, status.restarts) == (State.RUNNING, 1)


def test_a_role_that_cannot_start_again_waits_longer_each_time(stage: Stage):
    service = stage.add("database", "exit 1")
    service.fail = True
    said = stage.look_until("starts again in 0.04 s")
    assert "  database | no shell today. Come tomorrow" in said


def test_a_full_disk_under_a_start_is_waited_out_and_status_tells_why(stage: Stage):
    service = stage.add("broker", "exit 1")
    service.fail, service.failure = True, OSError(errno.ENOSPC, "No space left on device", "nats.conf")
    stage.look_until("could not start; starts again in 0.02 s")
    status = stage.supervisor.roles[0].status()
    assert status.state is State.WAITING
    assert status.trouble == "could not start\n[Errno 28] No space left on device: 'nats.conf'"


def test_a_role_that_starts_again_has_no_trouble(stage: Stage):
    service = stage.add("notify")
    assert service.process is not None
    service.process.kill()
    stage.look_until("was killed")
    assert stage.supervisor.roles[0].status().trouble == "was killed by SIGKILL"
    stage.look_until("s\nnotify     shell://notify\n")
    assert stage.supervisor.roles[0].status().trouble == ""


def test_a_role_can_be_started_anew_for_a_reason(stage: Stage):
    for name in ("broker", "api"):
        stage.add(name)
    stage.supervisor.restart("broker", "starts anew: it was asked to")
    assert stage.stopped == ["broker"]
    assert "broker     starts anew: it was asked to\n" in stage.out.getvalue()
    stage.look_until("broker     stopped; starts again in 0.01 s\nbroker     shell://broker\n")


def test_roles_stop_in_the_opposite_order_of_their_start(tmp_path: Path):
    stage = Stage(tmp_path)
    with stage.supervisor.supervision():
        for name in ("broker", "database", "api"):
            stage.add(name)
    assert stage.stopped == ["api", "database", "broker"]


def test_a_role_that_fails_at_the_first_start_is_not_hidden_and_all_stop(tmp_path: Path):
    stage = Stage(tmp_path)
    failing = Shell(tmp_path, "database", "", stage.stopped)
    failing.fail = True
    with stage.supervisor.supervision():
        stage.add("broker")
        with pytest.raises(SetupError):
            stage.supervisor.add(failing)
    assert stage.stopped == ["database", "broker"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_asks_to_stop_and_the_handlers_are_given_back(stage: Stage, number: signal.Signals):
    with stage.supervisor.supervision():
        os.kill(os.getpid(), number)
        with pytest.raises(StopRequested):
            stage.supervisor.pause(1.0)


def test_a_live_line_is_rewritten_on_a_terminal(monkeypatch: pytest.MonkeyPatch):
    out = io.StringIO()
    monkeypatch.setattr(out, "isatty", lambda: True)
    screen = Screen(out)
    screen.live("in 1/s")
    screen.live("in 2/s")
    screen.say("api died")
    screen.end()
    assert out.getvalue() == "in 1/s\r\x1b[Kin 2/s\r\x1b[Kapi died\nin 2/s\r\x1b[K"


def test_elsewhere_a_live_line_comes_every_ten_seconds():
    out = io.StringIO()
    now = [100.0]
    screen = Screen(out, clock=lambda: now[0])
    for second in range(25):
        now[0] = 100.0 + second
        screen.live(f"second {second}")
    assert out.getvalue() == "second 10\nsecond 20\n"
