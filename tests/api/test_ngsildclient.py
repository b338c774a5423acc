"""A published client, ngsildclient of Orange, does with our API what its users do with others."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

WANTED = "ngsildclient==0.5.2"
SCRIPT = Path(__file__).with_name("ngsildclient_session.py")


@pytest.fixture(scope="session")
def python(pytestconfig: pytest.Config) -> str:
    """A Python that has the client, in an environment of its own: it wants httpx < 0.24 and rich < 13."""
    folder = pytestconfig.cache.mkdir(WANTED.replace("==", "-"))
    python = folder / "bin/python"
    if python.exists() and _run(str(python), "-c", "import ngsildclient").returncode == 0:
        return str(python)
    assert _run(sys.executable, "-m", "venv", "--clear", str(folder)).returncode == 0
    done = _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", WANTED)
    if done.returncode:
        pytest.skip(f"{WANTED} cannot be installed: {done.stderr.strip()[-200:]}")
    return str(python)


@pytest.fixture
def seen(python: str, server: str) -> dict[str, Any]:
    """What the client saw."""
    done = _run(python, str(SCRIPT), str(urlsplit(server).port))
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)


EVOLUTION = [[level, f"2026-11-21T00:{minute}:00Z"] for level, minute in ((1, "00"), (2, "10"), (3, "20"))]
EXPECTED: dict[str, dict[str, Any]] = {
    "one": {
        "created": True,
        "same": True,
        "exists": True,
        "again": "NgsiAlreadyExistsError",
        "updated": True,
        "level": 2.5,
        "upserted": True,
        "upsert": 3.5,
        "deleted": True,
        "left": False,
    },
    "many": {
        "created": 25,
        "upserted": True,
        "updated": 5,
        "count": 25,
        "all": 25,
        "q": ["urn:ngsi-ld:RiverGauge:Namiki:23", "urn:ngsi-ld:RiverGauge:Namiki:24"],
        "head": 3,
        "posted": 3,
        "types": ["RiverGauge"],
        "removed": 5,
        "where": 15,
        "purged": 0,
    },
    "history": {"values": EVOLUTION, "after": EVOLUTION},
    "subscriptions": {
        "description": "levels",
        "watched": ["level"],
        "listed": 1,
        "exists": True,
        "deleted": True,
        "left": 0,
    },
    "contexts": {
        "content": {"@context": {"level": "https://example.org/level"}},
        "exists": True,
        "deleted": True,
        "left": False,
    },
    "tenants": {"theirs": 2, "ours": 2},
}


def test_a_session(seen: dict[str, Any]) -> None:
    assert seen == EXPECTED
