"""The documentation is executed, and held to the code: commands, options, settings and links."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from house.commands import all_names, all_options, unknown_parts
from house.pages import COMMANDS, HOW_TO, PAGES, ROOT, Block, blocks, expected, typed_words
from machinami.settings import Settings
from system.conftest import PATIENCE, RunningCity, running_city, wait_for

BLOCKS = [block for page in PAGES for block in blocks(page)]
TYPED = [block for block in BLOCKS if block.language in COMMANDS]
LONGEST_README = 120
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
OPTION = re.compile(r"`(--[a-z][a-z-]*)")
SETTING = re.compile(r"^\| `([a-z_]+)` \| ([^|]+) \|", re.MULTILINE)


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def marked(mode: str) -> list[Block]:
    return [block for block in TYPED if block.mode == mode]


def follow(block: Block, folder: Path, data_dir: Path, addresses: dict[str, str]) -> None:
    """Type a block's commands in a folder that has the files of its page, and compare what they print."""
    if "curl " in block.text and shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    write_files(block.page, folder)
    (folder / ".curlrc").write_text(
        "fail-with-body\n", encoding="utf-8"
    )  # an error of the API is one of curl
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MACHINAMI_DATA_DIR": str(data_dir),
        "CURL_HOME": str(folder),
    }
    *others, last = block.commands()
    for command, lines, code in [*((*other, 0) for other in others), (*last, block.exit_code)]:
        for written, real in addresses.items():
            command = command.replace(written, real)
        answer = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert answer.returncode == code, f"{block}: $ {command}\n{answer.stdout}"
        printed = answer.stdout if answer.stdout.endswith("\n") else answer.stdout + "\n"
        assert not lines or expected(lines).fullmatch(printed), f"{block}: $ {command}\n{answer.stdout}"


def write_files(page: Path, folder: Path) -> None:
    for block in blocks(page):
        if block.file:
            (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.file).write_text(block.text, encoding="utf-8")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCity]:
    """One city with its simulator for all pages."""
    with running_city(tmp_path_factory.mktemp("docs") / "city", "--simulator") as city:
        for kind in ("FloodMonitoring", "Vehicle"):
            wait_for(kind, lambda kind=kind: city.ask(f"/ngsi-ld/v1/entities?type={kind}&limit=1"))
        yield city


@pytest.mark.parametrize("block", TYPED, ids=str)
def test_a_block_of_commands_is_run_or_says_why_not(block: Block):
    assert block.mode, f"{block} is not annotated: {HOW_TO}"
    assert block.commands(), f"{block} has no line that begins with `$ `"
    assert block.mode != "skip" or block.detail, f"{block} gives no reason: {HOW_TO}"
    assert block.mode == "skip" or not block.detail or block.detail == f"exits {block.exit_code}", (
        block.detail
    )


@pytest.mark.parametrize("block", marked("offline"), ids=str)
def test_offline_commands_do_what_the_page_says(block: Block, tmp_path: Path):
    folder = tmp_path / "folder"
    folder.mkdir()
    follow(block, folder, tmp_path / "data", {})


@pytest.mark.system
@pytest.mark.parametrize("block", marked("city"), ids=str)
def test_commands_beside_a_city_do_what_the_page_says(block: Block, city: RunningCity, tmp_path: Path):
    api = city.addresses.api.removeprefix("http://")
    mqtt = f"127.0.0.1:{city.addresses.mqtt['port']}"
    written = {"127.0.0.1:8080": api, "localhost:8080": api, "127.0.0.1:1883": mqtt, "localhost:1883": mqtt}
    follow(block, tmp_path, city.data_dir, written)


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_command_and_option_that_is_mentioned_exists(page: Path):
    wrong = {place: found for place, words in typed_words(page) if (found := unknown_parts(words.split()))}
    assert not wrong


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent != ROOT / "loadtests"], ids=page_name)
def test_every_option_that_stands_alone_exists(page: Path):
    assert set(OPTION.findall(page.read_text(encoding="utf-8"))) <= all_options()


def test_every_command_is_in_the_docs():
    mentioned = {" ".join(words.split()[:2]) for page in PAGES for _, words in typed_words(page)}
    mentioned |= {words.partition(" ")[0] for words in mentioned}
    missing = {" ".join(command) for command in all_names()} - mentioned
    assert not missing, "no page says `machinami …` with these"


def documented_settings() -> dict[str, str]:
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    return dict(SETTING.findall(page.partition("\n## Settings\n")[2].partition("\n## ")[0]))


def test_every_setting_is_in_the_table_and_none_that_is_not_there():
    assert set(documented_settings()) == set(Settings.model_fields), "see Settings in docs/operations.md"


def test_the_table_shows_the_default_of_each_setting():
    shown = {name: cell for name, cell in documented_settings().items() if cell.startswith("`")}
    defaults = {
        name: f"`{Settings.model_fields[name].get_default(call_default_factory=True)}`" for name in shown
    }
    assert shown == {
        name: {"`True`": "`true`", "`False`": "`false`"}.get(d, d) for name, d in defaults.items()
    }


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_relative_links_lead_somewhere(page: Path):
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    dead = [link for link in links if not leads_somewhere(page, *link.partition("#")[::2])]
    assert not dead


def leads_somewhere(page: Path, file: str, heading: str) -> bool:
    target = (page.parent / file) if file else page
    return target.exists() and (not heading or heading in headings(target))


def headings(page: Path) -> set[str]:
    """Anchors, as code hosts make them from headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < LONGEST_README
