from pathlib import Path

import pytest
from machinami.connect.discovery import discover, find_connector, find_master, load_connector
from machinami.connect.router import Router
from machinami.errors import NotFound, SetupError
from unit.connect.helpers import HEAD, SECRET, TEMPERATURE, write_connector

SEVEN = {"paddy", "river-gauge", "people-flow", "rental-bike", "fukui-river", "fukui-wifi", "kakogawa-probe"}


def test_the_installed_shelf_is_found() -> None:
    assert set(discover()) >= SEVEN | {"city"}


def test_a_folder_may_be_a_connector_or_a_shelf_and_replaces_an_installed_one(tmp_path: Path) -> None:
    connector = write_connector(tmp_path, HEAD + TEMPERATURE)
    assert discover([tmp_path])["weather"] == discover([connector.folder])["weather"] == connector
    mended = tmp_path / "paddy"
    mended.mkdir()
    (mended / "connector.toml").write_text((HEAD + TEMPERATURE).replace('"weather"', '"paddy"'), "utf-8")
    assert discover([tmp_path])["paddy"].folder == mended


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_a_folder_without_connectors_is_an_error(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SetupError, match="holds no connector") as caught:
        discover([tmp_path / folder])
    assert caught.value.field == "connector_folders"


@pytest.mark.parametrize(
    ("old", "new", "key", "reason"),
    [
        ('name = "weather"', 'name = "other"', "connector.name", "is not the folder's"),
        ('name = "weather"', 'name = "Weather 1"', "connector.name", "matching regex"),
        ('unit = "CEL"', 'unit = "°C"', "message[0].attribute[0].unit", "matching regex"),
        ('unit = "CEL"', 'units = "CEL"', "message[0].attribute[0]", "unknown field `units`"),
        ('path = "t"', "path = 5", "message[0].attribute[0].path", "Expected `str | array`"),
        ("time = {", "times = {", "message[0]", "unknown field `times`"),
        ("[connector]", "[connector", "connector.toml", "not TOML"),
        ("minimum = -60", "minimum = -1e300", "message[0].attribute[0].minimum", ">= -9007199254740992"),
    ],
)
def test_a_broken_manifest_names_file_key_and_cure(
    tmp_path: Path, old: str, new: str, key: str, reason: str
) -> None:
    with pytest.raises(SetupError) as caught:
        write_connector(tmp_path, (HEAD + TEMPERATURE).replace(old, new, 1))
    assert "weather/connector.toml" in str(caught.value)
    assert reason in caught.value.detail
    assert caught.value.field == key
    assert caught.value.cure


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('zone = "Asia/Tokyo"', 'zone = "Asia/Namiki"', "zone"),
        ('name = "temperature"', 'name = "temp erature"', "temp erature"),
        ('id = "urn', 'id = "no urn', "id"),
        ('path = "t"', 'path = "t..u"', "path"),
        ('topic = "weather/{station}"', 'topic = "weather/{"', "topic"),
        ("[[message]]", '[[message]]\nformat = "codec"', "format"),
    ],
)
def test_a_manifest_that_cannot_be_compiled_names_file_field_and_cure(
    tmp_path: Path, old: str, new: str, field: str
) -> None:
    connector = write_connector(tmp_path, (HEAD + TEMPERATURE).replace(old, new, 1))
    with pytest.raises(SetupError, match=r"weather/connector\.toml: ") as caught:
        Router({"weather": connector}, SECRET)
    assert caught.value.field == field
    assert caught.value.cure


@pytest.mark.parametrize("codec", ["import nothing_of_this_name", "def decode(:", "x = 1", "decode = 1"])
def test_a_broken_codec_names_its_file(tmp_path: Path, codec: str) -> None:
    with pytest.raises(SetupError, match=r"weather/codec\.py") as caught:
        write_connector(tmp_path, HEAD + TEMPERATURE, codec)
    assert caught.value.cure


def test_a_folder_without_manifest_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"connector\.toml: No such file"):
        load_connector(tmp_path)


@pytest.mark.parametrize("name", ["river-gauge/nothing", "nothing/gauges", "", "river-gauge"])
def test_an_unknown_mapping_lists_the_known(name: str) -> None:
    with pytest.raises(NotFound) as caught:
        find_master(discover(), name)
    assert "river-gauge/gauges" in caught.value.cure


def test_an_unknown_connector_lists_the_known() -> None:
    with pytest.raises(NotFound) as caught:
        find_connector(discover(), "nothing")
    assert "river-gauge" in caught.value.cure
