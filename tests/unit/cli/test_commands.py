"""The command line: fast help, plug-ins found by name, errors in one or two lines."""

import importlib.metadata
import subprocess
import sys
import types
from collections.abc import Callable

import pytest
import typer
from machinami import cli
from machinami.cli import commands
from machinami.cli.commands import COMMANDS, Command, all_commands
from machinami.errors import InvalidRequest


@pytest.fixture
def plug_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    """Makes `machinami extra` run what it is given."""

    def install(found: object) -> None:
        module = types.ModuleType("plugged_in")
        module.command = found
        monkeypatch.setitem(sys.modules, "plugged_in", module)
        extra = Command(name="extra", target="plugged_in:command", help="An extra.")
        monkeypatch.setattr(commands, "COMMANDS", (*COMMANDS, extra))

    return install


def test_help_lists_every_command_and_imports_none():
    script = (
        "import sys; from machinami.cli import run; run(['--help']);"
        "sys.stderr.write(' '.join({'sqlalchemy', 'numpy', 'natsrpy', 'fastapi'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")
    for command in all_commands():
        assert f"\n  {command.name} " in answer.stdout


@pytest.mark.parametrize("command", list(all_commands()), ids=lambda command: command.name)
def test_every_command_loads_and_explains_itself(command: Command, capsys: pytest.CaptureFixture[str]):
    assert cli.run([command.name, "--help"]) == 0
    assert f"machinami {command.name}" in capsys.readouterr().out


def test_the_simulators_commands_come_from_their_own_package():
    names = {command.name: command.target for command in all_commands()}
    assert names["simulate"].startswith("machinami_simulators.")
    assert names["replay"].startswith("machinami_simulators.")


def test_our_own_commands_cannot_be_replaced(monkeypatch: pytest.MonkeyPatch):
    rival = importlib.metadata.EntryPoint("up", "rival:up", "machinami.commands")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_group: [rival])
    assert [c.target for c in all_commands() if c.name == "up"] == ["machinami.cli.city:up"]


@pytest.mark.parametrize("target", ["no_such_module:app", "machinami.cli.city:no_such_name"])
def test_a_broken_plug_in_is_one_clear_error(
    target: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(commands, "COMMANDS", (Command(name="broken", target=target, help=""),))
    assert cli.run(["broken"]) == 5
    assert f"error: command 'broken' cannot be loaded from {target}" in capsys.readouterr().err
    assert cli.run(["--help"]) == 0


def test_a_group_and_its_options_reach_the_plug_in(plug_in, capsys: pytest.CaptureFixture[str]):
    group = typer.Typer()

    @group.callback()
    def _group() -> None: ...

    @group.command()
    def greet(name: str) -> None:
        print(f"hello {name}")

    plug_in(group)
    assert cli.run(["extra", "greet", "Namiki"]) == 0
    assert capsys.readouterr().out == "hello Namiki\n"


def test_our_errors_are_detail_and_cure_and_their_own_exit_code(plug_in, capsys: pytest.CaptureFixture[str]):
    def fail() -> None:
        raise InvalidRequest("speed is 'fast'", cure="Write a number")

    plug_in(fail)
    assert cli.run(["extra"]) == InvalidRequest.exit_code
    assert capsys.readouterr().err == "error: speed is 'fast'\n  Write a number\n"


def test_a_mistake_of_ours_keeps_its_traceback(plug_in):
    def fail() -> None:
        raise ZeroDivisionError

    plug_in(fail)
    with pytest.raises(ZeroDivisionError):
        cli.run(["extra"])


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]):
    assert cli.run(["fly"]) == 2
    assert "No such command 'fly'" in capsys.readouterr().err


def test_a_setting_that_cannot_be_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("MACHINAMI_API_PORT", "many")
    assert cli.run(["status", "--data-dir", str(tmp_path)]) == 5
    said = capsys.readouterr().err
    assert "error: setting api_port is 'many'" in said
    assert "MACHINAMI_API_PORT" in said
