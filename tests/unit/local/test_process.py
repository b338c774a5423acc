"""Children that end with their parent, locks that outlive neither, logs that stay bounded."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest
from machinami.local import process
from machinami.local.process import Program, bound_log, last_lines, lock_folder, log_size, start, stop

SLEEP = "exec sleep 60"  # not a shell's child, which would outlive the shell and keep what it inherited


def program(log: Path, script: str, **options: object) -> Program:
    return Program(command=["sh", "-c", script], log=log, **options)


def test_output_goes_to_the_log_and_the_exit_code_comes_back(tmp_path: Path):
    child = start(program(tmp_path / "log", "echo out; echo err >&2; exit 3"))
    assert child.wait() == 3
    assert (tmp_path / "log").read_text() == "out\nerr\n"


def test_ctrl_c_does_not_reach_a_child(tmp_path: Path):
    child = start(program(tmp_path / "log", SLEEP))
    assert os.getpgid(child.pid) != os.getpgid(0)
    stop(child, signals=())


def test_a_child_that_ignores_the_polite_signal_is_killed(tmp_path: Path):
    child = start(program(tmp_path / "log", "trap '' TERM; echo ready; while :; do sleep 0.05; done"))
    while not last_lines(tmp_path / "log"):
        assert child.poll() is None
    assert stop(child, signals=[(signal.SIGTERM, 0.1)]) == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path, number: signal.Signals):
    script = textwrap.dedent(f"""
        import pathlib, time
        from machinami.local.process import Program, start
        log = pathlib.Path({str(tmp_path / "log")!r})
        print(start(Program(command=["sleep", "60"], log=log)).pid, flush=True)
        time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(number)
    child.wait(60)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_child_can_run_as_somebody_else_and_still_ends_with_its_parent(tmp_path: Path):
    script = textwrap.dedent(f"""
        import pathlib, pwd, time
        from machinami.local.process import Account, Program, start
        nobody = Account.of(pwd.getpwnam("nobody"))
        log = pathlib.Path({str(tmp_path / "log")!r})
        print(start(Program(command=["sleep", "60"], log=log, account=nobody)).pid, flush=True)
        time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.username() == "nobody"
        parent.kill()
    child.wait(60)


def test_a_folder_has_one_holder(tmp_path: Path):
    first = lock_folder(tmp_path, wait=0)
    assert first is not None
    assert lock_folder(tmp_path, wait=0.1) is None
    os.close(first)
    second = lock_folder(tmp_path, wait=0)
    assert second is not None
    os.close(second)


def test_a_child_that_inherits_the_lock_keeps_it(tmp_path: Path):
    descriptor = lock_folder(tmp_path, wait=0)
    assert descriptor is not None
    child = start(program(tmp_path / "log", SLEEP, keep=[descriptor]))
    os.close(descriptor)
    assert lock_folder(tmp_path, wait=0) is None
    stop(child, signals=())
    again = lock_folder(tmp_path, wait=10)
    assert again is not None
    os.close(again)


def test_a_large_log_is_put_aside_while_its_writer_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(process, "LOG_BYTES", 10)
    log = tmp_path / "role.log"
    with log.open("a") as writer:
        writer.write("a long first line\n")
        writer.flush()
        bound_log(log)
        writer.write("after\n")
    assert log.read_text() == "after\n"
    assert (tmp_path / "role.old.log").read_text() == "a long first line\n"


def test_a_small_log_stays(tmp_path: Path):
    log = tmp_path / "role.log"
    log.write_text("few\n")
    bound_log(log)
    assert log.read_text() == "few\n"


def test_the_last_lines_of_a_log_even_if_it_is_not_text(tmp_path: Path):
    log = tmp_path / "role.log"
    log.write_bytes(b"1\n2\n\xff3\n")
    assert last_lines(log, 2) == ["2", "\ufffd3"]
    assert last_lines(tmp_path / "none.log") == []


def test_the_last_lines_of_this_run_only(tmp_path: Path):
    log = tmp_path / "role.log"
    log.write_text("before\n")
    since = log_size(log)
    with log.open("a") as writer:
        writer.write("after\n")
    assert last_lines(log, since=since) == ["after"]
    log.write_text("put aside\n")
    assert last_lines(log, since=1000) == ["put aside"]
