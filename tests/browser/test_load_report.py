"""The load test's report in a real browser, from a file, without any server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from load_samples import report
from machinami_loadtests.load.html import write_html
from playwright.sync_api import Browser, Page

SIZES = {"desk": (1280, 800), "phone": (390, 844)}


@pytest.fixture(params=SIZES)
def page(chromium: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page, which may neither complain nor ask anybody for anything."""
    width, height = SIZES[request.param]
    said: list[str] = []
    with chromium.new_context(viewport={"width": width, "height": height}, color_scheme="dark") as context:
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda sent: said.append(sent.url) if sent.url.startswith("http") else None)
        page.goto(write_html(report(), tmp_path).as_uri())
        yield page
    assert said == []


def test_charts_and_figures_are_there_and_nothing_is_wider_than_the_screen(page: Page) -> None:
    assert page.locator(".chart svg").count() == 6
    assert "Nothing lost, nothing doubled" in page.inner_text(".verdict")
    assert "995" in page.inner_text(".card >> nth=0")
    width = page.viewport_size or {"width": 0}
    assert page.evaluate("document.documentElement.scrollWidth") == width["width"]


def test_the_pointer_shows_the_values_of_a_step(page: Page) -> None:
    chart = page.locator(".chart").first
    chart.locator("svg").hover(position={"x": 150, "y": 60})
    shown = chart.locator("output")
    assert shown.is_visible()
    assert "sent" in shown.inner_text()
    assert "1,000" in shown.inner_text()
    page.mouse.move(2, 2)
    assert shown.is_hidden()


def test_every_step_can_be_read_as_a_table(page: Page) -> None:
    page.get_by_text("Figures of every step").click()
    assert page.locator("details tbody tr").count() == 12
