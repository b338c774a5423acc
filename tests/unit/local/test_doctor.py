"""The doctor names what is missing and how to get it, and is silent about what is not."""

import socket
from pathlib import Path

import pytest
from machinami import cli
from machinami.errors import SetupError
from machinami.local import doctor
from machinami.local.doctor import Finding, Site, Verdict, examine
from machinami.local.ports import free_ports


@pytest.fixture
def site(tmp_path: Path) -> Site:
    api, mqtt = free_ports(2)
    return Site(data_dir=tmp_path / "city", api_port=api, mqtt_port=mqtt, external_database=False)


def found(site: Site, check: str) -> Finding:
    return next(finding for finding in examine(site) if finding.check.startswith(check))


def missing(*_arguments: object) -> None:
    raise SetupError("it is not installed", cure="Install it")


def test_here_where_the_tests_run_a_city_would_start(site: Site):
    assert not [finding for finding in examine(site) if finding.verdict is Verdict.MISSING]


@pytest.mark.parametrize(
    ("check", "function"), [("broker", "find_nats_server"), ("database", "find_binaries")]
)
def test_a_missing_program_is_named_with_its_cure(
    site: Site, check: str, function: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(doctor, function, missing)
    finding = found(site, check)
    assert (finding.verdict, finding.cure) == (Verdict.MISSING, "Install it")


def test_a_program_for_another_machine_is_found_out(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    program = tmp_path / "nats-server"
    program.write_bytes(b"\x7fELF not for this machine")
    program.chmod(0o755)
    monkeypatch.setattr(doctor, "find_nats_server", lambda: str(program))
    assert found(site, "broker").verdict is Verdict.MISSING


def test_a_port_in_use_names_its_option(site: Site):
    with socket.create_server(("127.0.0.1", site.mqtt_port)):
        finding = found(site, f"port {site.mqtt_port}")
    assert finding.verdict is Verdict.MISSING
    assert "--mqtt-port" in finding.cure


def test_a_data_folder_below_a_file_is_refused(tmp_path: Path, site: Site):
    (tmp_path / "file").touch()
    blocked = Site(data_dir=tmp_path / "file/city", api_port=0, mqtt_port=0, external_database=True)
    assert found(blocked, "data folder").verdict is Verdict.MISSING


@pytest.mark.parametrize(("free", "verdict"), [(1, "missing"), (10, "advice"), (100, "ok")])
def test_little_disk_is_advice_and_hardly_any_is_fatal(
    site: Site, monkeypatch: pytest.MonkeyPatch, free: int, verdict: str
):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _path: type("Usage", (), {"free": free * 2**30}))
    assert found(site, "disk space").verdict == verdict


def test_without_chromium_the_city_runs_all_the_same(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda _name: None)
    finding = found(site, "Chromium")
    assert finding.verdict is Verdict.ADVICE
    assert "chromium" in finding.cure


def test_the_command_tells_by_its_exit_code(site: Site, capsys: pytest.CaptureFixture[str]):
    arguments = ["doctor", "--data-dir", str(site.data_dir), "--api-port", str(site.api_port), "--mqtt-port"]
    assert cli.run([*arguments, str(site.mqtt_port)]) == 0
    with socket.create_server(("127.0.0.1", site.mqtt_port)):
        assert cli.run([*arguments, str(site.mqtt_port)]) == 5
    assert "→ Stop what listens there, or choose another by --mqtt-port" in capsys.readouterr().out


def test_context_folders(tmp_path: Path) -> None:
    folder = tmp_path / "contexts"
    folder.mkdir()
    site = Site(
        data_dir=tmp_path / "city",
        api_port=0,
        mqtt_port=0,
        external_database=True,
        context_folders=[folder],
    )
    assert found(site, "@contexts").verdict is Verdict.MISSING
    (folder / "map.json").write_text('{"https://example.org/c": "c.jsonld"}')
    (folder / "c.jsonld").write_text('{"@context": {}}')
    assert found(site, "@contexts").verdict is Verdict.OK
