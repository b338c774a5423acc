"""Where settings come from, and where a role finds its servers."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from machinami.errors import Unavailable
from machinami.settings import (
    City,
    Settings,
    api_address,
    database_address,
    pseudonym_secret,
    stream_address,
    write_city,
)

CITY = City(
    api="http://127.0.0.1:1",
    mqtt={"host": "127.0.0.1", "port": 2},
    nats="127.0.0.1:3",
    nats_password="city's",  # noqa: S106 - nothing listens there
    database="postgresql:///city",
    supervisor=4,
)
EXTERNAL = {"nats_address": "broker:4222", "nats_password": "given", "database_url": "postgresql://db/given"}


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return folder


def test_a_running_city_gives_its_own_addresses(tmp_path: Path):
    write_city(tmp_path, CITY)
    settings = Settings(data_dir=tmp_path)
    assert stream_address(settings) == ("127.0.0.1:3", "city's")
    assert database_address(settings) == "postgresql:///city"


def test_without_a_city_the_settings_give_them(tmp_path: Path):
    settings = Settings(data_dir=tmp_path, **EXTERNAL)
    assert stream_address(settings) == ("broker:4222", "given")
    assert database_address(settings) == "postgresql://db/given"


def test_a_running_citys_broker_comes_before_a_named_one_but_a_named_database_is_everybodys(tmp_path: Path):
    write_city(tmp_path, CITY)
    settings = Settings(data_dir=tmp_path, **EXTERNAL)
    assert stream_address(settings) == ("127.0.0.1:3", "city's")
    assert database_address(settings) == "postgresql://db/given"


def test_others_reach_the_api_where_it_is_said_else_where_it_runs(tmp_path: Path):
    assert api_address(Settings(data_dir=tmp_path, api_port=5)) == "http://127.0.0.1:5"
    write_city(tmp_path, CITY)
    assert api_address(Settings(data_dir=tmp_path)) == CITY.api
    assert api_address(Settings(data_dir=tmp_path, public_url="https://city/")) == "https://city"


@pytest.mark.parametrize("address", [stream_address, database_address])
def test_neither_is_one_error_with_both_cures(tmp_path: Path, address):
    with pytest.raises(Unavailable) as error:
        address(Settings(data_dir=tmp_path))
    assert "machinami up" in error.value.cure
    assert "MACHINAMI_NATS_ADDRESS" in error.value.cure


def test_secret_files_come_behind_the_environment_and_before_the_file(
    tmp_path: Path, secrets: Path, monkeypatch: pytest.MonkeyPatch
):
    (secrets / "machinami_nats_password").write_text("from a file\n")
    (secrets / "machinami_tile_url").write_text("from a file")
    monkeypatch.setenv("MACHINAMI_TILE_URL", "from the environment")
    (tmp_path / "machinami.toml").write_text('nats_password = "toml"\nnats_address = "toml"\n')
    settings = Settings.load(tmp_path)
    found = (settings.nats_password, settings.tile_url, settings.nats_address)
    assert found == ("from a file", "from the environment", "toml")


def test_a_folder_of_secrets_that_is_not_there_is_no_defect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "none"))
    assert Settings.load(tmp_path).nats_password == ""


def test_processes_that_start_together_have_the_same_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: pseudonym_secret(tmp_path), range(64)))
    assert made == {(tmp_path / "pseudonym.key").read_bytes()}
    assert [path.name for path in tmp_path.iterdir()] == ["pseudonym.key"]
