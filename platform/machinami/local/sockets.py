"""A short, private folder for a server's Unix socket, found again after its maker was killed."""

import os
import shutil
import stat
import tempfile
from pathlib import Path

from machinami.local.process import Account

LONGEST = 107
"""Bytes a socket's path may have, `sun_path` of unix(7)."""


class SocketFolder:
    """A folder of mode 0700 under the runtime or temporary folder; the data folder may have too long a path.

    Args:
        link: symbolic link that points to it, so that the folder of a killed start is used again.
        socket: name of the socket in it.
    """

    def __init__(self, link: Path, socket: str) -> None:
        self.link = link
        self.socket = socket

    @property
    def path(self) -> Path:
        """Where the folder is, after `open`."""
        return self.link.readlink()

    def open(self, account: Account | None) -> Path:
        """Make the folder, or empty the one that is there, for an account (None: for ourselves)."""
        owner = account.uid if account else os.geteuid()
        if self.link.is_symlink() and _is_private(self.path, owner):
            for left in self.path.iterdir():
                left.unlink()
            return self.path
        self.link.unlink(missing_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="machinami-", dir=self._parent()))
        if account:
            os.chown(folder, account.uid, account.gid)
        self.link.symlink_to(folder)
        return folder

    def close(self) -> None:
        """Remove folder and link."""
        if self.link.is_symlink():
            shutil.rmtree(self.path, ignore_errors=True)
            self.link.unlink()

    def _parent(self) -> str:
        """The user's runtime folder, else a temporary one; root's own are closed to the server's account."""
        own = [] if os.geteuid() == 0 else [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir()]
        tail = len(f"/machinami-XXXXXXXX/{self.socket}")
        shared = "/tmp"  # noqa: S108 - what goes in it is a private folder made by mkdtemp
        short = (folder for folder in own if folder and len(os.fsencode(folder)) + tail <= LONGEST)
        return next((folder for folder in short if os.access(folder, os.W_OK)), shared)


def _is_private(folder: Path, owner: int) -> bool:
    """Whether it is still the folder we made: anybody may make one of its name in /tmp after a reboot."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == owner and stat.S_IMODE(found.st_mode) == 0o700
