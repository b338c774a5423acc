"""docs/connectors.md as its reader follows it: files are written, commands typed, output compared."""

import re
import shlex
from pathlib import Path

import pytest
from machinami.cli import run
from machinami.connect.discovery import load_connector
from machinami.connect.masters import check_master
from machinami.connect.values import _CONVERTERS
from machinami.connect.words import AttributeRule, MessageRule

PAGE = (Path(__file__).parents[3] / "docs/connectors.md").read_text("utf-8")
FILES = re.findall(r"^```\w+ (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
CONSOLES = re.findall(r"^```console\n\$ machinami (.*?)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MACHINAMI_DATA_DIR", str(tmp_path / "data"))
    return tmp_path


def test_the_page_has_files_and_commands() -> None:
    assert len(FILES) >= 8
    assert len(CONSOLES) >= 3


@pytest.mark.parametrize(("command", "output"), CONSOLES, ids=[command for command, _ in CONSOLES])
def test_a_command_prints_what_the_page_shows(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str, output: str
) -> None:
    code = run(shlex.split(command))
    assert capsys.readouterr().out == output
    assert code == (2 if "✗" in output else 0)


def test_the_pages_connectors_and_masters_are_sound(folder: Path) -> None:
    connectors = [load_connector(folder / "weather"), load_connector(folder / "tank")]
    for connector in connectors:
        for rule in connector.masters.values():
            check_master(rule)


def test_the_reference_names_every_word() -> None:
    words = {*AttributeRule.__struct_fields__, *MessageRule.__struct_fields__, *_CONVERTERS} - {"attributes"}
    assert not {word for word in words if f"`{word}" not in PAGE}
