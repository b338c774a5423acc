"""Stands for the container in which the suite's MQTT tests expect Mosquitto: the system's own, set up alike.

The tests type ``docker run … -e CONF=FILE …`` and ``docker rm``. `lay_out` makes a folder with a program of
that name, which understands these two and nothing else.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from machinami.errors import SetupError
from machinami.local.ports import answers

_PORT, _OTHER_PORT = 1883, 8085
_SETTINGS = "resources/mqttUtils/mosquitto"
_IN_CONTAINER = "/mosquitto/config/"
_USERS = {"user": "user_with_password", "user_with_password": "password"}
_PATIENCE = 5.0


def lay_out(folder: Path, suite: Path, port: int = _PORT) -> str:
    """Make the program; gives the PATH that finds it first, the plain one where there is no Mosquitto."""
    found = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        return os.environ["PATH"]
    folder.mkdir()
    program = folder / "docker"
    call = f'exec "{sys.executable}" -m {__name__} "{found}" "{suite / _SETTINGS}" "{folder}" {port} "$@"'
    program.write_text(f"#!/bin/sh\n{call}\n", encoding="utf-8")
    program.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def main(arguments: Sequence[str]) -> None:
    """``PROGRAM SETTINGS FOLDER PORT docker's own arguments``; the settings name the port that is awaited."""
    program, settings, folder, port, *typed = arguments
    pid_file = Path(folder) / "mosquitto.pid"
    if "rm" in typed:
        _stop(pid_file)
    elif "run" in typed:
        name = next(word.removeprefix("CONF=") for word in typed if word.startswith("CONF="))
        _start(program, Path(settings) / name, pid_file, int(port))


def _start(program: str, settings: Path, pid_file: Path, port: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="mosquitto-", dir=pid_file.parent))
    command = [program, "-c", str(_write_settings(settings, folder))]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )
    pid_file.write_text(str(process.pid), encoding="utf-8")
    deadline = time.monotonic() + _PATIENCE
    while not answers(port):
        if time.monotonic() > deadline:
            said = (folder / "log").read_text(errors="replace")
            raise SetupError(f"Mosquitto does not start: {said[-300:]}")
        time.sleep(0.05)


def _write_settings(settings: Path, folder: Path) -> Path:
    """As the container has them: its users, and the port that it is mapped to as well."""
    users = folder / "mosquitto_pwd"
    users.touch(mode=0o600)
    for user, password in _USERS.items():
        add = ["mosquitto_passwd", "-b", str(users), user, password]
        subprocess.run(add, check=True, capture_output=True)
    text = settings.read_text(encoding="utf-8").replace(_IN_CONTAINER, f"{folder}/")
    ours = folder / settings.name
    ours.write_text(f"{text}\nlistener {_OTHER_PORT}\nuser root\n", encoding="utf-8")
    return ours


def _stop(pid_file: Path) -> None:
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text(encoding="utf-8"))
    pid_file.unlink()
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    main(sys.argv[1:])
