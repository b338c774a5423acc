"""A disk for the database alone that can be full: a file system in memory, mounted over its folder."""

import os
import shutil
import subprocess
from pathlib import Path

from machinami.errors import SetupError


class Quota:
    """So many bytes for a folder; what is in it moves along. Needs root's right to mount.

    Raises:
        SetupError: nothing can be mounted here.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        self._ballast = folder / "ballast"
        aside = folder.with_suffix(".aside")
        folder.rename(aside)
        folder.mkdir()
        try:
            _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
        except SetupError:
            folder.rmdir()
            aside.rename(folder)
            raise
        _run("cp", "--archive", f"{aside}/.", str(folder))
        shutil.rmtree(aside)

    def fill(self) -> None:
        """Leave not a byte."""
        with self._ballast.open("wb") as ballast:
            while free := shutil.disk_usage(self._folder).free:
                end = os.fstat(ballast.fileno()).st_size
                try:
                    os.posix_fallocate(ballast.fileno(), end, free)
                except OSError:  # somebody was faster; look again what is left
                    continue

    def free(self) -> None:
        """Give the space back."""
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Unmount; what was in it is gone."""
        _run("umount", str(self._folder))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SetupError(f"{command[0]} failed: {done.stderr.strip()}", cure="Run it as root")
