"""What lies in deploy/ fits the code: commands, options and settings exist, servers accept their files."""

import configparser
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from house.commands import unknown_parts
from machinami.local.binaries import find_binaries
from machinami.local.broker import find_nats_server
from machinami.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ROLES = {name: service for name, service in SERVICES.items() if service["image"] == "machinami"}
SETTINGS = {f"MACHINAMI_{name.upper()}" for name in Settings.model_fields}
OF_COMPOSE = {"MACHINAMI_DATABASE_IMAGE", "MACHINAMI_BROKER_IMAGE", "MACHINAMI_GATEWAY_IMAGE"}
WRITTEN = (DEPLOY / "nats.conf").read_text(encoding="utf-8")
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine")


@pytest.fixture
def stand(tmp_path: Path) -> Path:
    """A copy of the folder in which secrets have been made."""
    folder = tmp_path / "deploy"
    shutil.copytree(DEPLOY, folder, ignore=shutil.ignore_patterns("secrets*"))
    subprocess.run([folder / "make-secrets", "city.example"], check=True, capture_output=True)
    return folder


def accepted(configuration: Path) -> str:
    """Empty, or what the NATS server has against a configuration."""
    answer = subprocess.run(
        [find_nats_server(), "-t", "-c", str(configuration)], capture_output=True, text=True, check=False
    )
    return "" if answer.returncode == 0 else answer.stderr


def named_files(service: dict[str, Any]) -> Iterator[Path]:
    """Files of this folder that a service mounts."""
    sources = [volume.partition(":")[0] for volume in service.get("volumes", ())]
    yield from (DEPLOY / source for source in sources if source.startswith("."))


def test_there_is_a_service_for_each_role():
    assert {service["command"][0] for service in ROLES.values()} == {"prepare", "ingest", "api", "notify"}


@pytest.mark.parametrize("name", ROLES)
def test_a_roles_command_and_its_options_exist(name: str):
    assert unknown_parts(ROLES[name]["command"]) == []


@pytest.mark.parametrize("name", ROLES)
def test_a_roles_environment_and_secret_files_are_settings(name: str):
    secret = {secret.upper() for secret in ROLES[name]["secrets"]}
    assert {*ROLES[name].get("environment", {}), *secret} <= SETTINGS


def test_every_variable_named_anywhere_is_a_setting_or_an_image():
    texts = [
        path.read_text(encoding="utf-8") for path in DEPLOY.rglob("*") if path.suffix in {".md", ".yaml"}
    ]
    named = {name for text in texts for name in re.findall(r"MACHINAMI_[A-Z_]*[A-Z]", text)}
    assert named <= SETTINGS | OF_COMPOSE


def test_only_the_gateway_publishes_and_it_asks_for_a_password():
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["gateway"]
    gateway = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    assert set(re.findall(r"listen (.*);", gateway)) == {"8443 ssl", "8883 ssl"}
    assert "auth_basic_user_file /run/secrets/api_users;" in gateway
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert not {"database", "broker"} & {n for n, s in SERVICES.items() if "outside" in s["networks"]}


def test_devices_come_in_only_after_the_stream_is_made():
    assert SERVICES["gateway"]["depends_on"]["prepare"] == {"condition": "service_completed_successfully"}


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"prepare"}))
def test_every_lasting_service_has_a_health_check(name: str):
    assert SERVICES[name]["healthcheck"]["test"]


def test_what_services_refer_to_is_declared():
    for name, service in SERVICES.items():
        secrets = {
            secret if isinstance(secret, str) else secret["source"] for secret in service.get("secrets", ())
        }
        configs = {config["source"] for config in service.get("configs", ())}
        volumes = {volume.partition(":")[0] for volume in service.get("volumes", ())}
        assert secrets <= set(COMPOSE["secrets"]), name
        assert configs <= set(COMPOSE["configs"]), name
        assert {volume for volume in volumes if not volume.startswith(".")} <= set(COMPOSE["volumes"]), name
        assert set(service.get("depends_on", ())) <= set(SERVICES), name
        assert all(path.exists() for path in named_files(service)), name


def test_an_image_holds_what_is_installed():
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    project = (DEPLOY.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert {"pyproject.toml", "README.md", "LICENSE", "NOTICE"} < kept
    assert set(re.findall(r'"(\w+)/machinami\w*"', project)) <= kept
    assert all((DEPLOY.parent / name).exists() for name in kept)


@needs_openssl
def test_secrets_are_made_once_where_compose_looks_and_closed_to_others(stand: Path):
    for secret in COMPOSE["secrets"].values():
        assert (stand / secret["file"]).read_text(encoding="utf-8").strip()
    assert (stand / "secrets").stat().st_mode & 0o077 == 0
    before = (stand / "secrets/api_password").read_text(encoding="utf-8")
    again = subprocess.run([stand / "make-secrets"], capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "is there already" in again.stderr
    assert (stand / "secrets/api_password").read_text(encoding="utf-8") == before


@needs_openssl
@pytest.mark.parametrize("tls", [False, True])
def test_the_nats_server_accepts_its_file(stand: Path, tls: bool):
    for source, target in {"nats_passwords.conf": "passwords.conf", "key.pem": "key.pem"}.items():
        shutil.copy(stand / "secrets" / source, stand / target)
    shutil.copy(stand / "secrets/certificate.pem", stand)
    switch = '# include "mqtt-tls.conf"'
    assert WRITTEN.count(switch) == 1
    written = WRITTEN.replace(switch, switch.removeprefix("# ")) if tls else WRITTEN
    (stand / "nats.conf").write_text(written, encoding="utf-8")
    certificates = (stand / "mqtt-tls.conf").read_text(encoding="utf-8").replace("/etc/nats", str(stand))
    (stand / "mqtt-tls.conf").write_text(certificates, encoding="utf-8")
    assert accepted(stand / "nats.conf") == ""
    (stand / "key.pem").unlink()
    assert bool(accepted(stand / "nats.conf")) is tls


def test_without_passwords_the_nats_server_does_not_start():
    assert "passwords.conf" in accepted(DEPLOY / "nats.conf")


def test_devices_have_the_rights_that_the_embedded_broker_gives_them():
    from machinami.local.broker import _DEVICE_RIGHTS

    for side, rights in _DEVICE_RIGHTS.items():
        denied = ", ".join(f'"{subject}"' for subject in rights["deny"])
        assert f"{side}: {{ deny: [{denied}] }}" in WRITTEN


def test_the_log_has_room_for_the_stream_and_for_sessions():
    room = [int(number) * 2**30 for number in re.findall(r"max_file(?:_store)?: (\d+)GB", WRITTEN)]
    assert len(room) == 2
    assert min(room) > Settings.model_fields["stream_max_bytes"].default


def test_postgresql_accepts_every_setting(tmp_path: Path):
    ask = [find_binaries().program("postgres"), "-C", "max_wal_size"]
    answer = subprocess.run(
        [*ask, "-D", str(tmp_path), "-c", f"config_file={DEPLOY / 'postgresql.conf'}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode, answer.stdout.strip()) == (0, "8192"), answer.stderr


def test_the_service_runs_a_real_command_as_its_own_user_in_a_folder_it_has():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment] - systemd's names keep their case
    unit.read(DEPLOY / "systemd/machinami.service")
    service = unit["Service"]
    program, *arguments = service["ExecStart"].split()
    assert Path(program).name == "machinami"
    assert unknown_parts(arguments) == []
    assert service["User"] == "machinami"
    assert arguments[arguments.index("--data-dir") + 1] == f"/var/lib/{service['StateDirectory']}"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine")
def test_systemd_understands_the_service(tmp_path: Path):
    unit = (DEPLOY / "systemd/machinami.service").read_text(encoding="utf-8")
    copy = tmp_path / "machinami.service"
    copy.write_text(unit.replace("/opt/machinami/bin/machinami", "/bin/true"), encoding="utf-8")
    answer = subprocess.run(
        ["systemd-analyze", "verify", str(copy)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )
    assert [line for line in answer.stderr.splitlines() if "machinami" in line] == []
