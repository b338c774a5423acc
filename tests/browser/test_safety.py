"""What an operator sees on the safety map."""

from datetime import UTC, datetime, timedelta

from browser.conftest import Open, colour_at, wait_for
from browser.mock_city import MockCity
from browser.mock_data import NEVER, SILENT, UNJUDGED, UNPLACED, gauge, iso
from playwright.sync_api import Locator, Page, expect

PURPLE = (170, 0, 170)


def gauge_id(n: int) -> str:
    return f"urn:ngsi-ld:FloodMonitoring:namiki:gauge-{n:02}"


def row(page: Page, n: int) -> Locator:
    return page.locator(f'.gauge button[data-id="{gauge_id(n)}"]')


def ready(page: Page) -> Page:
    wait_for(page, "state.map && state.connection !== 'connecting'")
    return page


def test_each_gauge_is_judged_against_its_own_thresholds(open_page: Open):
    page = ready(open_page("/apps/safety/"))
    for n, level in ((1, 4), (2, 3), (3, 2), (4, 1)):
        expect(row(page, n)).to_have_attribute("data-state", f"level{level}")
        assert f"レベル{level}相当" in (row(page, n).get_attribute("aria-label") or "")
    counts = page.evaluate("machinami.counts")
    assert counts == {
        "level5": 0,
        "level4": 1,
        "level3": 1,
        "level2": 1,
        "level1": 1,
        "silent": 2,
        "noThresholds": 1,
        "normal": 53,
    }


def test_the_most_serious_is_on_top(open_page: Open):
    page = ready(open_page("/apps/safety/"))
    states = page.eval_on_selector_all(".gauge button", "rows => rows.map(row => row.dataset.state)")
    order = ["level4", "level3", "level2", "level1", "silent", "noThresholds", "normal"]
    assert states == sorted(states, key=order.index)


def test_the_marker_of_a_gauge_past_its_danger_level_is_purple_on_the_map(open_page: Open, city: MockCity):
    page = ready(open_page("/apps/safety/"))
    x, y = _on_screen(page, city, 1)
    page.wait_for_timeout(500)
    colours = {colour_at(page, x + dx, y - 7) for dx in (-6, -5, 5, 6)}
    assert PURPLE in colours


def _on_screen(page: Page, city: MockCity, n: int) -> tuple[float, float]:
    point = city.entities[gauge_id(n)]["location"]["value"]["coordinates"]
    place = page.evaluate("point => machinami.project(point)", point)
    corner = page.locator("#map").bounding_box()
    assert corner is not None
    return corner["x"] + place["x"], corner["y"] + place["y"]


def test_a_silent_gauge_is_silent_and_says_for_how_long(open_page: Open):
    page = ready(open_page("/apps/safety/"))
    expect(row(page, SILENT)).to_have_attribute("data-state", "silent")
    expect(row(page, SILENT)).to_contain_text("観測なし")
    expect(row(page, SILENT)).to_contain_text("3 時間前")
    expect(row(page, NEVER)).to_contain_text("観測値なし")


def test_the_limit_of_silence_is_a_parameter(open_page: Open):
    page = ready(open_page("/apps/safety/?silent=600"))
    expect(row(page, SILENT)).to_have_attribute("data-state", "level4")


def test_a_gauge_falls_silent_while_one_looks_on(open_page: Open, city: MockCity):
    page = ready(open_page("/apps/safety/?silent=5"))
    expect(row(page, 20)).to_have_attribute("data-state", "normal")
    old = iso(datetime.now(UTC) - timedelta(minutes=6))
    city.change(gauge_id(20), currentLevel={"value": 0.6, "observedAt": old})
    expect(row(page, 20)).to_have_attribute("data-state", "silent")


def test_a_clock_far_ahead_does_not_pass_for_the_present(open_page: Open, city: MockCity):
    ahead = iso(datetime.now(UTC) + timedelta(hours=5))
    city.change(gauge_id(20), currentLevel={"value": 0.6, "observedAt": ahead})
    page = ready(open_page("/apps/safety/"))
    expect(row(page, 20)).to_have_attribute("data-state", "silent")
    expect(row(page, 20)).to_contain_text("時計の異常")


def test_no_thresholds_is_not_normal(open_page: Open):
    page = ready(open_page("/apps/safety/"))
    expect(row(page, UNJUDGED)).to_have_attribute("data-state", "noThresholds")


def test_a_gauge_without_position_is_listed(open_page: Open):
    page = ready(open_page("/apps/safety/"))
    expect(row(page, UNPLACED)).to_contain_text("位置情報なし")


def test_one_missing_threshold_does_not_hide_the_others(open_page: Open, city: MockCity):
    del city.entities[gauge_id(2)]["evacuationJudgementLevel"]
    page = ready(open_page("/apps/safety/"))
    expect(row(page, 2)).to_have_attribute("data-state", "level2")
    row(page, 2).click()
    expect(page.locator("#detail")).to_contain_text("未設定")


def test_a_rising_river_is_seen_at_once(open_page: Open, city: MockCity):
    page = ready(open_page("/apps/safety/"))
    wait_for(page, "state.connection === 'live'")
    city.observe(gauge_id(30), "currentLevel", 3.25)
    expect(row(page, 30)).to_have_attribute("data-state", "level4")
    expect(page.locator('.count[data-state="level4"] strong')).to_have_text("2")


def test_a_lost_stream_is_said_and_what_was_missed_is_fetched(open_page: Open, city: MockCity):
    page = ready(open_page("/apps/safety/", errors_expected=True))
    wait_for(page, "state.connection === 'live'")
    city.down = True
    city.break_streams()
    expect(page.locator("#connection")).to_have_attribute("data-state", "reconnecting")
    city.observe(gauge_id(31), "currentLevel", 3.3)
    city.down = False
    wait_for(page, "state.connection === 'live'")
    expect(row(page, 31)).to_have_attribute("data-state", "level4")


def test_an_api_that_is_down_is_said_and_tried_again(open_page: Open, city: MockCity):
    city.down = True
    page = open_page("/apps/safety/", errors_expected=True)
    expect(page.get_by_role("alert")).to_contain_text("APIから応答がありません")
    city.down = False
    page.get_by_role("button", name="もう一度読み込む").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(row(page, 1)).to_have_attribute("data-state", "level4")


def test_an_empty_city_says_how_to_start_the_simulator(open_page: Open, city: MockCity):
    city.entities.clear()
    page = open_page("/apps/safety/")
    expect(page.locator("#empty")).to_contain_text("machinami up")


def test_the_counts_filter_and_the_search_finds(open_page: Open):
    page = ready(open_page("/apps/safety/"))
    page.locator('.count[data-state="silent"]').click()
    expect(page.locator(".gauge")).to_have_count(2)
    page.locator('.count[data-state="silent"]').click()
    page.fill("#search", "第17観測所")
    expect(page.locator(".gauge")).to_have_count(1)


def test_history_is_drawn_with_its_thresholds_in_words_too(open_page: Open):
    page = ready(open_page("/apps/safety/"))
    row(page, 1).click()
    expect(page.locator("#detail-name")).to_contain_text("並川第1観測所")
    expect(page.locator("#chart canvas")).to_be_visible()
    assert "最後 3.40 m" in (page.locator("#chart").get_attribute("aria-label") or "")
    expect(page.locator("#detail")).to_contain_text("氾濫危険水位")
    page.get_by_role("button", name="3時間").click()
    expect(page.get_by_role("button", name="3時間")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).to_be_hidden()


def test_a_click_on_the_map_opens_the_gauge(open_page: Open, city: MockCity):
    page = ready(open_page("/apps/safety/"))
    page.fill("#search", "第40観測所")
    page.wait_for_timeout(500)
    page.mouse.click(*_on_screen(page, city, 40))
    expect(page.locator("#detail-name")).to_contain_text("並川第40観測所")


def test_names_are_text_and_never_markup(open_page: Open, city: MockCity):
    city.change(gauge_id(1), name="<img src=x onerror=alert(1)>")
    page = ready(open_page("/apps/safety/"))
    expect(row(page, 1)).to_contain_text("<img src=x")


def test_thousands_of_gauges(open_page: Open, city: MockCity):
    now = datetime.now(UTC)
    city.entities.update({one["id"]: one for one in (gauge(n, now) for n in range(100, 2600))})
    page = ready(open_page("/apps/safety/"))
    assert sum(page.evaluate("machinami.counts").values()) == 2560
    expect(page.locator(".gauge")).to_have_count(2560)
