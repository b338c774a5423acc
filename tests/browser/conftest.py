"""A real Chromium that looks at the pages, and a canned city for it to look at."""

import os
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.mock_city import MockCity, serve
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

# Software rendering, so that MapLibre has WebGL on a machine without a graphics card; no calls home.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
Open = Callable[..., Page]


def find_chromium() -> str | None:
    """Path of a Chromium: MACHINAMI_CHROMIUM, or the first that is installed."""
    named = os.environ.get("MACHINAMI_CHROMIUM")
    found = [named, *map(shutil.which, NAMES)]
    return next((path for path in found if path and Path(path).exists()), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser a module: Playwright's event loop runs while it lives, and async tests need their own."""
    path = find_chromium()
    if path is None:
        pytest.skip(
            "no Chromium on this machine: apt-get install chromium, or name one in MACHINAMI_CHROMIUM"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def city() -> Iterator[MockCity]:
    with serve(MockCity()) as running:
        yield running


class Witness:
    """What a page said and asked for while the test looked on."""

    def __init__(self, page: Page, origin: str) -> None:
        self.errors: list[str] = []
        self.strangers: list[str] = []
        self.origin = origin
        self.tolerant = False
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(f"uncaught {error}"))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.origin, f"blob:{self.origin}", "data:")):
            self.strangers.append(request.url)


@pytest.fixture
def open_page(chromium: Browser, city: MockCity) -> Iterator[Open]:
    """Open a path of the city. At the end no page may have logged an error or asked another server.

    ``errors_expected=True`` is for tests that break the API: the browser itself logs each failed request.
    """
    witnesses: list[Witness] = []

    def open_page(
        path: str,
        *,
        language: str = "ja-JP",
        phone: bool = False,
        errors_expected: bool = False,
        **options: Any,
    ) -> Page:
        size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 800}
        context = chromium.new_context(viewport=size, locale=language, has_touch=phone, **options)  # pyright: ignore[reportArgumentType]  # a dict is what it takes
        page = context.new_page()
        page.set_default_timeout(20_000)
        witness = Witness(page, city.url)
        witness.tolerant = errors_expected
        witnesses.append(witness)
        page.goto(city.url + path)
        return page

    yield open_page
    for context in chromium.contexts:
        context.close()
    for witness in witnesses:
        assert witness.strangers == []
        assert witness.tolerant or witness.errors == []


def wait_for(page: Page, expression: str) -> None:
    """Wait until a JavaScript expression over ``state`` (what the page tells of itself) is true."""
    page.wait_for_function(f"() => {{ const state = window.machinami; return state && ({expression}); }}")


def colour_at(page: Page, x: float, y: float) -> tuple[int, int, int]:
    """Red, green and blue that a person sees at a place of the page."""
    png = page.screenshot(clip={"x": x, "y": y, "width": 1, "height": 1})
    data, offset = b"", 8
    while offset < len(png):
        (length,) = struct.unpack(">I", png[offset : offset + 4])
        if png[offset + 4 : offset + 8] == b"IDAT":
            data += png[offset + 8 : offset + 8 + length]
        offset += length + 12
    _, red, green, blue, *_ = zlib.decompress(data)
    return red, green, blue
