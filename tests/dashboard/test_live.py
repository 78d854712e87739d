"""Pages that stay open: fresh, in place, honest when nothing comes; and legible on every screen."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.dashboard import ledger
from tests.dashboard.browser import MISSING, Visit, find_chromium
from tests.dashboard.browser_stack import Stack
from tests.dashboard.ledger import OPERATOR

pytestmark = [pytest.mark.skipif(find_chromium() is None, reason=MISSING), pytest.mark.world]
SCREENS = [(1440, "light"), (1024, "dark"), (768, "light"), (390, "dark")]


def sideways(page: Page) -> int:
    """How far the page can be scrolled sideways, in pixels."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_find_a_tag_by_search_read_why_act_and_see_it_succeed_without_a_reload(
    stack: Stack, browser: Any, width: int, scheme: str
) -> None:
    ledger.fill(stack.engine, stack.rules)
    stack.resume()
    visit = Visit(browser, stack.url, scheme=scheme)
    visit.page.set_viewport_size({"width": width, "height": 800})
    visit.sign_in(OPERATOR)
    page = visit.page
    page.get_by_label("Search").fill("v1.1.0")
    page.get_by_label("Search").press("Enter")
    page.get_by_role("heading", name="Why it failed").wait_for()
    assert page.get_by_text("Create the project").is_visible()
    page.evaluate("window.stays = true")
    assert sideways(page) == 0
    page.get_by_role("button", name="Replay").click()
    assert page.locator("h1 .badge").inner_text() == "queued"
    page.evaluate("window.stays = true")
    stack.work()
    page.locator("h1 .badge.is-succeeded").wait_for(timeout=15_000)
    assert page.evaluate("window.stays")
    visit.close()


def test_a_refresh_keeps_scroll_focus_open_parts_and_the_readers_zone(stack: Stack, browser: Any) -> None:
    filled = ledger.fill(stack.engine, stack.rules)
    visit = Visit(browser, stack.url)
    visit.sign_in(OPERATOR)
    page = visit.page
    page.set_viewport_size({"width": 1200, "height": 400})
    visit.open(f"/jobs/{filled.failed}")
    page.evaluate("document.styleSheets[0].insertRule('main pre { height: 40px; }')")
    page.locator("details pre").first.evaluate("one => { one.scrollTop = 20; }")
    page.evaluate("scrollTo(0, 150)")
    page.get_by_role("link", name="tags", exact=True).focus()
    page.get_by_role("button", name="Times:").evaluate("one => one.click()")
    before = page.evaluate("[scrollY, document.querySelector('details pre').scrollTop, document.querySelector('details').open]")
    ledger.accept(stack.engine, stack.rules, name="v8.0.0")
    with page.expect_response(lambda answer: answer.request.headers.get("x-poll") == "1", timeout=15_000):
        pass
    page.wait_for_timeout(200)
    after = page.evaluate("[scrollY, document.querySelector('details pre').scrollTop, document.querySelector('details').open]")
    assert after == before
    assert page.evaluate("document.activeElement.textContent") == "tags"
    assert page.locator("main time .at").first.inner_text().endswith("UTC")
    visit.open("/jobs")
    assert page.locator("main time .at").first.inner_text().endswith("UTC"), "the choice is kept"
    page.get_by_role("link", name="v1.1.0", exact=True).focus()
    ledger.accept(stack.engine, stack.rules, name="v8.1.0")
    page.get_by_role("link", name="v8.1.0").wait_for(timeout=15_000)
    assert page.evaluate("document.activeElement.textContent") == "v1.1.0", "a new row moves no focus"
    visit.close()


def test_an_outage_is_told_backed_off_from_and_ended_by_the_next_answer(stack: Stack, browser: Any) -> None:
    ledger.fill(stack.engine, stack.rules)
    visit = Visit(browser, stack.url)
    page = visit.page
    page.clock.install()
    visit.sign_in(OPERATOR)
    polls: list[str] = []
    is_blocked = [True]

    def answer(route: Any) -> None:
        if route.request.headers.get("x-poll") == "1":
            polls.append(route.request.url)
            if is_blocked[0]:
                route.abort()
                return
        route.continue_()

    page.route("**/*", answer)
    page.clock.run_for(5_100)
    page.locator("#stale").wait_for()
    assert "Not updating since" in page.locator("#stale").inner_text()
    page.clock.run_for(15_000)  # a second try after ten seconds, none at fifteen: it backs off
    page.wait_for_timeout(200)
    assert len(polls) == 2
    is_blocked[0] = False
    ledger.accept(stack.engine, stack.rules, name="v8.0.0")
    page.clock.run_for(25_000)
    page.locator("#stale").wait_for(state="hidden")
    assert page.get_by_role("link", name="acme/shop v8.0.0").is_visible()
    visit.faults.clear()  # what the browser says of the requests that we cut off
    visit.close()


def test_a_page_that_is_signed_out_goes_to_the_sign_in_and_back(stack: Stack, browser: Any) -> None:
    ledger.fill(stack.engine, stack.rules)
    visit = Visit(browser, stack.url)
    visit.sign_in(OPERATOR)
    page = visit.open("/jobs?status=failed")
    visit.context.clear_cookies()
    page.get_by_role("heading", name="Sign in").wait_for(timeout=15_000)
    page.get_by_label("Token").fill(OPERATOR)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Jobs").wait_for()
    assert page.url.endswith("/jobs?status=failed")
    visit.close()


def test_ages_tick_and_buttons_for_scripts_are_hidden_without_one(stack: Stack, browser: Any) -> None:
    filled = ledger.fill(stack.engine, stack.rules)
    visit = Visit(browser, stack.url)
    visit.page.clock.install()
    visit.sign_in(OPERATOR)
    page = visit.open(f"/jobs/{filled.failed}")
    age = page.locator("dl time .ago").first
    before = age.inner_text()
    visit.page.route("**/*", lambda route: route.abort())
    page.clock.run_for(180_000)
    assert age.inner_text() != before
    assert page.get_by_role("button", name="Copy the job id").is_visible()
    visit.faults.clear()
    visit.close()
    bare = Visit(browser, stack.url, has_script=False)
    bare.sign_in(OPERATOR)
    page = bare.open(f"/jobs/{filled.failed}")
    assert page.locator("[data-copy]").count() == 2
    assert not page.locator("[data-copy]").first.is_visible()
    assert not page.locator("[data-zone]").is_visible()
    bare.close()


@pytest.mark.parametrize("is_long", [False, True], ids=["usual", "5000-characters"])
def test_nothing_scrolls_sideways_on_any_page(stack: Stack, browser: Any, is_long: bool) -> None:
    filled = ledger.fill(stack.engine, stack.rules)
    if is_long:
        ledger.make_long(stack.engine, 5_000)
    visit = Visit(browser, stack.url, has_script=not is_long)
    visit.page.set_viewport_size({"width": 360, "height": 740})
    visit.sign_in(OPERATOR)
    for address in [*ledger.addresses(filled), "/search?q=v1", "/search?q=none", "/reference", "/jobs?since=x"]:
        page = visit.open(address)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert sideways(page) == 0, address
    visit.faults.clear()  # the address that is refused on purpose
    visit.close()


def test_a_list_is_cards_on_a_small_screen_with_the_heading_beside_each_value(stack: Stack, browser: Any) -> None:
    ledger.fill(stack.engine, stack.rules)
    visit = Visit(browser, stack.url)
    visit.sign_in(OPERATOR)
    page = visit.open("/jobs")
    cell = page.locator("td[data-label='Target']").first
    for width, content in ((1101, "none"), (1100, '"Target"'), (390, '"Target"')):
        page.set_viewport_size({"width": width, "height": 800})
        assert cell.evaluate("one => getComputedStyle(one, '::before').content") == content, width
        assert page.get_by_role("button", name="Replay").first.is_visible()
    box = cell.bounding_box()
    assert box is not None
    assert box["width"] > 250
    visit.close()
