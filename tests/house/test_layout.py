"""The house keeps its own rules: folders, sizes, words at the door, and what plugs in."""

import ast
import importlib.metadata
import platform as python_platform
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "platform/machinami",
    "connectors/machinami_connectors",
    "simulators/machinami_simulators",
    "apps/machinami_apps",
    "loadtests/machinami_loadtests",
)
LONGEST_FILE = 500
SOURCES = sorted(
    path
    for package in (*PACKAGES, "tests")
    for path in (ROOT / package).rglob("*.py")
    if "__pycache__" not in path.parts
)
ROOMS = sorted(path for path in SOURCES if path.name == "__init__.py" and "tests" not in path.parts)
EXCEPTION = re.compile(r"# (noqa|type: ignore|pyright: ignore)(?!.* (#|-) ?\w)")
"""An exception to a rule without ` - reason` or ` # reason` behind it."""
PLUG_INS = ("machinami.apps", "machinami.commands", "machinami.connectors", "console_scripts")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize(
    "folder", ["platform", "connectors", "simulators", "apps", "deploy", "loadtests", "docs"]
)
def test_each_top_level_folder_holds_something(folder: str):
    assert any(path.is_file() and path.name != ".gitkeep" for path in (ROOT / folder).rglob("*"))


def test_platform_is_a_folder_and_never_a_package():
    assert not (ROOT / "platform/__init__.py").exists()


def test_pythons_own_platform_module_still_imports_from_the_root():
    answer = subprocess.run(
        [sys.executable, "-c", "import platform; print(platform.python_version())"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == python_platform.python_version()


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_file_is_too_long_to_read(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("path", ROOMS, ids=name)
def test_each_room_says_its_purpose(path: Path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("package", PACKAGES)
def test_types_are_published(package: str):
    assert (ROOT / package / "py.typed").exists()


@pytest.mark.parametrize(
    "entry",
    [entry for entry in importlib.metadata.distribution("machinami").entry_points if entry.group in PLUG_INS],
    ids=lambda entry: f"{entry.group}:{entry.name}",
)
def test_what_plugs_in_loads(entry: importlib.metadata.EntryPoint):
    assert entry.load() is not None


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_every_exception_to_a_rule_says_why(path: Path):
    with path.open("rb") as source:
        comments = [token for token in tokenize.tokenize(source.readline) if token.type == tokenize.COMMENT]
    bare = [token.start[0] for token in comments if EXCEPTION.match(token.string)]
    assert not bare, f"no reason on line {bare}"
