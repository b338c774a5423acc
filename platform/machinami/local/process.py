"""Child processes that never outlive their parent, and folders that belong to one process at a time."""

import ctypes
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from machinami.errors import SetupError

LOG_BYTES = 16 * 2**20
"""A log that has grown beyond this is put aside; one earlier log is kept."""

_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl  # looked up before the fork: the child must not load libraries

Pause = Callable[[float], None]
"""Waits for so many seconds; may raise to give up waiting, as the supervisor does when it is told to stop."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A system user that a program runs under."""

    name: str
    uid: int
    gid: int

    @classmethod
    def of(cls, entry: pwd.struct_passwd) -> "Account":
        """The account of a line in the user database."""
        return cls(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """How to start one child.

    Attributes:
        command: program and arguments, never a shell.
        log: file that takes its output.
        environment: the whole environment; None means ours.
        folder: where it works; the root folder keeps no file system busy.
        account: whom to become; None means nobody else.
        keep: file descriptors that the child inherits.
        orphan_signal: what the kernel sends the child when we die, however we die.
    """

    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] | None = None
    folder: Path = Path("/")
    account: Account | None = None
    keep: Sequence[int] = ()
    orphan_signal: int = signal.SIGKILL


def start(program: Program) -> "subprocess.Popen[bytes]":
    """Start a child in a session of its own, so that Ctrl-C reaches the parent alone.

    Call it from the main thread, while there is no other: the parent-death signal is tied to the calling
    thread, and the hook between fork and exec is safe only in a process of one thread. The hook runs after
    the change of user, which would clear the signal.
    """
    account = program.account
    parent = os.getpid()

    def tie_to_parent() -> None:
        _prctl(_PR_SET_PDEATHSIG, program.orphan_signal)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    with program.log.open("ab") as log:
        return subprocess.Popen(
            program.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=program.folder,
            env=program.environment,
            pass_fds=program.keep,
            start_new_session=True,
            preexec_fn=tie_to_parent,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )


def stop(child: "subprocess.Popen[bytes]", *, signals: Sequence[tuple[int, float]]) -> int:
    """Send each signal and wait its seconds, until the child has ended. Returns its exit code.

    Ends with SIGKILL where the signals given did not help.
    """
    for number, seconds in (*signals, (signal.SIGKILL, 5.0)):
        if child.poll() is None:
            child.send_signal(number)
        try:
            return child.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
    raise SetupError(f"process {child.pid} does not end, not even by SIGKILL", cure="Look at its disk")


def lock_folder(folder: Path, *, wait: float, pause: Pause = time.sleep) -> int | None:
    """Lock a folder; its open file descriptor, or None when another process keeps it for longer than `wait`.

    The lock belongs to the descriptor: a child that inherits it goes on holding the folder after its parent
    was killed, and the kernel lifts it when the last holder is gone. So a lock that can be had proves that
    whatever pid file lies there is stale.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return None
            pause(0.05)
        else:
            return descriptor


def bound_log(log: Path) -> None:
    """Put a large log aside. Its writer need not know: it appends, so the emptied file starts again at 0."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        shutil.copyfile(log, log.with_suffix(".old.log"))
        os.truncate(log, 0)


def log_size(log: Path) -> int:
    """Bytes in a log, to be given to `last_lines` later."""
    return log.stat().st_size if log.exists() else 0


def last_lines(log: Path, count: int = 5, *, since: int = 0) -> list[str]:
    """The end of a log, to be shown after a crash.

    Args:
        since: size that the log had when the run began; earlier runs are not shown.
    """
    if not log.exists():
        return []
    with log.open("rb") as lines:
        lines.seek(since if since <= log_size(log) else 0)  # it is smaller when it was put aside meanwhile
        return [line.decode(errors="replace").rstrip() for line in deque(lines, maxlen=count)]
