"""Recorded data is looked at on purpose, and can not be mistaken for the present."""

import re

import pytest
from browser.conftest import Open, wait_for
from browser.mock_city import MockCity
from browser.mock_data import STORM, iso
from playwright.sync_api import Page, expect

RECORDED = "urn:ngsi-ld:FloodMonitoring:fukui:1"
BANNER = "#notice-recorded"


def state_of(page: Page, entity_id: str) -> str:
    wait_for(page, f"state.gauges && '{entity_id}' in state.gauges")
    return page.evaluate("id => machinami.gauges[id].state", entity_id)


def test_old_data_is_silent_and_the_page_offers_to_show_it_as_recorded(open_page: Open):
    page = open_page("/apps/safety/?network=fukui-river")
    assert state_of(page, RECORDED) == "silent"
    expect(page.locator("#notice-old")).to_contain_text("2023/07/13 13:00")
    page.get_by_role("button", name="記録データとして見る").click()
    expect(page.locator(BANNER)).to_contain_text("現在の状況ではありません")


def test_the_latest_of_a_recording_is_the_clock(open_page: Open):
    page = open_page("/apps/safety/?network=fukui-river&at=latest")
    assert state_of(page, RECORDED) == "normal"
    expect(page.locator(BANNER)).to_contain_text("2023/07/13 13:00 時点")


def test_the_clock_follows_a_running_replay(open_page: Open, city: MockCity):
    page = open_page("/apps/safety/?network=fukui-river&at=latest")
    wait_for(page, "state.connection === 'live'")
    later = iso(STORM.replace(hour=6))
    city.change(RECORDED, currentLevel={"value": 3.9, "observedAt": later})
    wait_for(page, f"state.gauges['{RECORDED}'].state === 'level4'")
    expect(page.locator(BANNER)).to_contain_text("2023/07/13 15:00 時点")


def test_levels_as_of_a_time_come_from_history(open_page: Open, city: MockCity):
    page = open_page("/apps/safety/?network=fukui-river&at=2023-07-13T10:00")
    assert state_of(page, RECORDED) == "level4"
    expect(page.locator(BANNER)).to_contain_text("2023/07/13 10:00 時点")
    expect(page.locator("#connection")).to_have_attribute("data-state", "recorded")
    assert any("timerel=before" in asked and "lastN=1" in asked for asked in city.requests)


def test_the_chart_holds_the_observation_of_that_very_time(open_page: Open):
    page = open_page(f"/apps/safety/?network=fukui-river&at=2023-07-13T13:00&gauge={RECORDED}")
    expect(page.locator("#chart")).to_have_attribute("aria-label", re.compile("13:00まで.*最後 1.61 m"))


@pytest.mark.parametrize(
    "text", ["2023-07-13T01:00Z", "2023-07-13T10:00+09:00", "2023-07-13T10:00%2B09:00", "2023-07-13T10:00"]
)
def test_a_time_without_zone_is_japanese(open_page: Open, text: str):
    page = open_page(f"/apps/safety/?network=fukui-river&at={text}")
    wait_for(page, "state.shownAt")
    assert page.evaluate("machinami.shownAt") == 1_689_210_000_000


def test_a_time_that_cannot_be_read_is_said(open_page: Open):
    page = open_page("/apps/safety/?at=yesterday")
    expect(page.get_by_role("alert")).to_contain_text("yesterday")


def test_back_to_now(open_page: Open):
    page = open_page("/apps/safety/?network=fukui-river&at=latest")
    page.get_by_role("button", name="現在に戻る").click()
    expect(page.locator(BANNER)).to_have_count(0)
    assert "at=" not in page.url


def test_now_has_no_banner(open_page: Open):
    page = open_page("/apps/safety/")
    wait_for(page, "state.counts.level4 === 1")
    expect(page.locator(".notice")).to_have_count(0)
