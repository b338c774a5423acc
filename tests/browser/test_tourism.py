"""What a citizen sees on the tourism-flow map."""

from datetime import UTC, datetime, timedelta

from browser.conftest import Open, wait_for
from browser.mock_city import MockCity
from browser.mock_data import iso, place
from playwright.sync_api import Page, expect

BIKE = "urn:ngsi-ld:Vehicle:namiki:bike-001"


def ready(page: Page) -> Page:
    wait_for(page, "state.map && state.connection === 'live'")
    return page


def ride(city: MockCity, x: float, y: float) -> None:
    city.observe(BIKE, "location", {"type": "Point", "coordinates": place(x, y)})


def longitude(page: Page) -> float:
    return page.evaluate("id => machinami.vehicles()[id][0]", BIKE)


def test_a_bike_glides_from_fix_to_fix(open_page: Open, city: MockCity):
    page = ready(open_page("/apps/tourism/"))
    ride(city, 50, 50)
    page.wait_for_function(f"() => Math.abs(machinami.vehicles()['{BIKE}'][0] - {place(50, 50)[0]}) < 1e-9")
    ride(city, 60, 50)
    west, east = place(50, 50)[0], place(60, 50)[0]
    page.wait_for_function(
        f"() => {{ const x = machinami.vehicles()['{BIKE}'][0]; return x > {west} && x < {east}; }}"
    )
    page.wait_for_function(f"() => Math.abs(machinami.vehicles()['{BIKE}'][0] - {east}) < 1e-9")


def test_a_jump_of_the_receiver_is_shown_as_a_jump(open_page: Open, city: MockCity):
    page = ready(open_page("/apps/tourism/"))
    before = longitude(page)
    ride(city, 5_000, 50)
    page.wait_for_function(f"() => machinami.vehicles()['{BIKE}'][0] !== {before}")
    assert longitude(page) == place(5_000, 50)[0]


def test_totals(open_page: Open):
    page = ready(open_page("/apps/tourism/"))
    assert page.evaluate("machinami.counts") == {
        "people": 1740,
        "vehicles": 60,
        "moving": 40,
        "stale": 0,
        "available": 97,
        "free": 143,
    }
    expect(page.locator('[data-figure="people"]')).to_contain_text("1,740")


def test_devices_that_never_leave_are_nobody(open_page: Open, city: MockCity):
    """Two tags of staff at each of the 40 receivers: neither now nor in the small hours are they people."""
    for entity in city.entities.values():
        if entity["type"] == "CrowdFlowObserved":
            entity["peopleCount"]["fixed"] = 2
    page = ready(open_page("/apps/tourism/"))
    wait_for(page, f"state.counts.people === {1740 - 40 * 2}")
    expect(page.locator('[data-figure="people"]')).to_contain_text("据え置きを除く")
    quietest = """() => Math.min(...[...document.querySelectorAll("#hourly li")]
        .map((bar) => Number(bar.ariaLabel.split(" ").at(-1))).filter((mean) => !Number.isNaN(mean)))"""
    page.wait_for_function(
        f"() => ({quietest})() < {5 * 2}"
    )  # of five receivers; it would be more with the tags


def test_people_are_not_taken_for_fixed_devices_while_the_night_is_unknown(open_page: Open):
    page = ready(open_page("/apps/tourism/"))
    found = page.evaluate(
        """async () => {
          const { fixedAmong } = await import("/js/tourism/fixed.js");
          return [Array(24).fill(3), [...Array(23).fill(40), 2], Array(19).fill(40), []].map(fixedAmong);
        }"""
    )
    assert found == [3, 2, 0, 0]


def test_a_silent_receiver_is_not_counted_and_a_silent_place_is_not_zero(open_page: Open, city: MockCity):
    old = iso(datetime.now(UTC) - timedelta(hours=1))
    for n in range(0, 40, 8):
        city.change(
            f"urn:ngsi-ld:CrowdFlowObserved:namiki:rx-{n:03}", peopleCount={"value": 50, "observedAt": old}
        )
    page = ready(open_page("/apps/tourism/"))
    station = page.locator("#places .row", has_text="中央駅")
    expect(station).to_contain_text("観測なし")
    expect(station).to_contain_text("受信機 0/5")


def test_people_by_place_and_hour(open_page: Open):
    page = ready(open_page("/apps/tourism/"))
    expect(page.locator("#hourly-place")).to_have_text("美術館")
    expect(page.locator("#hourly li")).to_have_count(24)
    page.locator("#places .row", has_text="市役所").click()
    expect(page.locator("#hourly-place")).to_have_text("市役所")
    labels = page.eval_on_selector_all("#hourly li", "bars => bars.map(bar => bar.ariaLabel)")
    assert all("平均" in label for label in labels[1:])


def test_an_hour_without_data_is_not_zero(open_page: Open, city: MockCity):
    page = ready(open_page("/apps/tourism/"))
    hours = page.evaluate(
        """async () => {
          const { byHour } = await import("/js/tourism/people.js");
          const noon = Date.UTC(2026, 0, 1, 12, 30);
          const observations = [[noon, 4], [noon + 60000, 6], [noon - 7200000, 0]];
          return byHour([observations, [[noon, 10]]], noon).map(({ mean }) => mean);
        }"""
    )
    assert hours[-1] == 15  # 5 at the one receiver, 10 at the other
    assert hours[-3] == 0
    assert hours[-2] is None


def test_a_port_that_does_not_say_is_unknown(open_page: Open, city: MockCity):
    city.change("urn:ngsi-ld:BikeHireDockingStation:namiki:port-01", availableBikeNumber=None)
    page = ready(open_page("/apps/tourism/"))
    expect(page.locator("#ports .row").filter(has_text="情報なし")).to_have_count(1)


def test_an_empty_city_says_how_to_start_the_simulator(open_page: Open, city: MockCity):
    city.entities.clear()
    page = open_page("/apps/tourism/")
    expect(page.locator("#empty")).to_contain_text("machinami up")
