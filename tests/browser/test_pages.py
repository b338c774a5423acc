"""What holds for every page: languages, sizes, contrast, and that nothing is asked of another server."""

from pathlib import Path
from typing import Any

import pytest
from browser.conftest import Open, wait_for
from browser.mock_city import MockCity
from machinami_apps import static_folder
from playwright.sync_api import expect

PAGES = ["/", "/apps/safety/", "/apps/tourism/"]
TABLES = {
    "/js/i18n/common.js": "COMMON",
    "/js/entry/messages.js": "ENTRY",
    "/js/safety/messages.js": "SAFETY",
    "/js/tourism/messages.js": "TOURISM",
}
# Text and what it stands on: WCAG 2.2 AA asks for 4.5:1.
PAIRS = [
    ("--ink", "--paper"),
    ("--ink", "--ground"),
    ("--ink-soft", "--paper"),
    ("--ink-soft", "--ground"),
    ("--ink-soft", "--accent-soft"),
    ("--accent", "--paper"),
    ("--accent", "--accent-soft"),
    ("--accent-ink", "--accent"),
    ("--good", "--paper"),
    ("--bad", "--bad-soft"),
    ("--warn-ink", "--warn-soft"),
    ("--recorded", "--recorded-soft"),
    ("--people", "--paper"),
    ("--bike", "--paper"),
]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("phone", [False, True])
def test_a_page_is_whole_and_fits_the_screen(open_page: Open, path: str, scheme: str, phone: bool):
    page = open_page(path, phone=phone, color_scheme=scheme)
    wait_for(page, "state.connection === 'live'")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.documentElement.lang") == "ja"
    assert not page.evaluate(
        "[...document.querySelectorAll('[data-t]')].some(node => node.textContent === '')"
    )


@pytest.mark.parametrize("path", PAGES)
def test_english_is_a_click_away_and_remembered(open_page: Open, path: str):
    page = open_page(path)
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("#header nav")).to_contain_text("Safety")
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_the_browser_chooses_first_and_the_address_wins(open_page: Open):
    expect(open_page("/", language="en-GB").locator("html")).to_have_attribute("lang", "en")
    expect(open_page("/?lang=en").locator("html")).to_have_attribute("lang", "en")
    expect(open_page("/?lang=ja", language="en-GB").locator("html")).to_have_attribute("lang", "ja")


def test_every_text_is_there_in_both_languages(open_page: Open):
    page = open_page("/")
    for module, name in TABLES.items():
        table: dict[str, Any] = page.evaluate(
            "([path, name]) => import(path).then(module => module[name])", [module, name]
        )
        assert {key for key, texts in table.items() if not (texts.get("ja") and texts.get("en"))} == set()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(open_page: Open, scheme: str):
    page = open_page("/", color_scheme=scheme)
    weak = [
        (ink, paper)
        for ink, paper in PAIRS
        if _contrast(*(_colour(page, name) for name in (ink, paper))) < 4.5
    ]
    assert weak == []


def _colour(page: Any, token: str) -> list[int]:
    text = page.evaluate(
        "name => getComputedStyle(document.documentElement).getPropertyValue(name).trim()", token
    )
    return [int(text[place : place + 2], 16) for place in (1, 3, 5)]


def _contrast(one: list[int], other: list[int]) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: list[int]) -> float:
    parts = [part / 255 for part in colour]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_the_entry_page_tells_what_there_is(open_page: Open, city: MockCity):
    page = open_page("/")
    expect(page.locator('[data-type="FloodMonitoring"] strong')).to_have_text("66")
    expect(page.locator('[data-figure="entities"]')).to_contain_text("212")
    expect(page.locator('[data-figure="quarantined"]')).to_contain_text("7")
    expect(page.locator("#fictional")).to_be_visible()
    city.observe("urn:ngsi-ld:FloodMonitoring:namiki:gauge-10", "currentLevel", 1.0)
    wait_for(page, "state.changes === 1")


def test_a_full_quarantine_is_counted_to_a_hundred(open_page: Open, city: MockCity):
    city.quarantined = 5_000
    expect(open_page("/").locator('[data-figure="quarantined"]')).to_contain_text("100+")


def test_the_entry_page_of_an_empty_city(open_page: Open, city: MockCity):
    city.entities.clear()
    page = open_page("/")
    expect(page.locator("#empty")).to_contain_text("machinami up")
    expect(page.locator("#fictional")).to_be_hidden()


def test_everything_can_be_reached_by_keyboard(open_page: Open):
    page = open_page("/apps/safety/")
    wait_for(page, "state.counts.level4 === 1")
    page.keyboard.press("Tab")
    expect(page.locator(".skip-link")).to_be_focused()
    page.locator(".gauge button").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#detail")).to_be_visible()


def test_a_tile_url_is_an_option(open_page: Open, city: MockCity):
    city.tile_url = f"{city.url}/tiles/{{z}}/{{x}}/{{y}}.png"
    page = open_page("/apps/safety/")
    wait_for(page, "state.map")
    page.wait_for_function(
        "() => performance.getEntriesByType('resource').some(one => one.name.includes('/tiles/'))"
    )


def test_without_webgl_the_list_still_works(open_page: Open):
    page = open_page("/apps/safety/?lang=ja")
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page.reload()
    expect(page.locator(".map-missing")).to_contain_text("WebGL")
    expect(page.locator('.gauge button[data-state="level4"]')).to_have_count(1)


def test_vendored_libraries_are_pinned_and_licensed():
    vendor = static_folder() / "vendor"
    told = (vendor / "README.md").read_text(encoding="utf-8")
    for folder in [one for one in vendor.iterdir() if one.is_dir()]:
        name, version = folder.name.rsplit("-", 1)
        assert f"[{name}]" in told
        assert f"| {version} |" in told
        assert list(folder.glob("LICENSE*"))


def test_pages_name_no_other_server():
    pages = [
        path
        for path in static_folder().rglob("*")
        if path.suffix in {".html", ".js", ".css"} and "vendor" not in path.parts
    ]
    assert pages
    outside = [path.name for path in pages for line in _lines(path) if "://" in line and "w3.org" not in line]
    assert outside == []


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()
