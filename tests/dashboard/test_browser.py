"""The pages in a real Chromium over the real server, with a real worker's runner: find the failed job, read why, replay it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.infra.visible_text import visible
from tests.dashboard import ledger
from tests.dashboard.browser import MISSING, Visit, find_chromium
from tests.dashboard.browser_stack import Stack
from tests.dashboard.ledger import HOSTILE, OPERATOR
from tests.forge import Forge, History

pytestmark = [pytest.mark.skipif(find_chromium() is None, reason=MISSING), pytest.mark.world]


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    history = History()
    history.line("c", 4)
    for number in range(4):
        history.tag(f"v1.{number}.0", f"c{number + 1}")
    with Forge("github") as made:
        made.add("acme/shop", history.build(tmp_path / "repository").path)
        yield made


@pytest.mark.parametrize("has_script", [True, False], ids=["script", "no-script"])
def test_find_the_failed_job_read_why_replay_it_and_see_it_succeed(stack: Stack, browser: Any, has_script: bool) -> None:
    ledger.fill(stack.engine, stack.rules)
    stack.resume()
    visit = Visit(browser, stack.url, has_script=has_script)
    visit.sign_in(OPERATOR)
    page = visit.page
    assert "1 failed job" in page.locator(".health").inner_text()
    page.get_by_role("link", name="1 failed", exact=True).first.click()
    page.get_by_role("link", name="v1.1.0", exact=True).click()
    assert page.get_by_role("heading", name="Why it failed").is_visible()
    assert page.get_by_text("Create the project").is_visible()
    page.get_by_role("button", name="Replay").click()
    assert page.locator("h1 .badge").inner_text() == "queued"
    stack.work()
    if not has_script:
        page.reload()
    page.locator("h1 .badge.is-succeeded").wait_for(timeout=15_000)  # with a script the page finds out by itself
    assert page.get_by_role("link", name="open at the target").get_attribute("href", timeout=1_000).startswith(stack.target.url)
    page.get_by_role("link", name="Audit log").click()
    assert page.get_by_role("rowheader", name="job replay").is_visible()
    page.get_by_role("button", name="Sign out").click()
    assert page.get_by_role("heading", name="Sign in").is_visible()
    visit.close()


def test_bulk_replay_counts_first_and_shows_progress_until_all_is_done(stack: Stack, browser: Any) -> None:
    for number in range(12):
        _, job = ledger.accept(stack.engine, stack.rules, name=f"v2.{number}")
        assert job is not None
        ledger.end(stack.engine, job, "failed")
    visit = Visit(browser, stack.url)
    visit.sign_in(OPERATOR)
    page = visit.open("/jobs?status=failed")
    page.get_by_role("link", name="Replay all that match").click()
    assert page.get_by_role("heading", name="Replay 12 jobs?").is_visible()
    page.get_by_role("button", name="Replay 12").click()
    assert "0 of 12 done" in page.locator("h1").inner_text()
    stack.work()
    page.get_by_role("heading", name=re.compile("12 of 12 done")).wait_for(timeout=15_000)
    visit.close()


@pytest.mark.parametrize("has_script", [True, False], ids=["script", "no-script"])
def test_missing_releases_are_found_and_created_from_the_repositorys_page(
    stack: Stack, browser: Any, forge: Forge, has_script: bool
) -> None:
    visit = Visit(browser, stack.url, has_script=has_script)
    visit.sign_in(OPERATOR)
    page = visit.open("/repositories")
    page.get_by_label("another one").fill("github:acme/shop")
    page.get_by_role("button", name="Open").click()
    page.get_by_role("button", name="Compare").click()
    assert page.get_by_text("Waits for a sweeper").is_visible()
    stack.compare(forge)
    if not has_script:
        page.reload()
    page.get_by_text("4 releases missing").wait_for(timeout=15_000)  # with a script the page finds out by itself
    page.get_by_role("button", name="Create what is missing").click()
    stack.compare(forge)
    page.reload()
    assert page.get_by_text("4 queued").is_visible()
    assert page.locator("[data-row] .is-queued").count() == 4
    stack.work()
    if not has_script:
        page.reload()
    page.locator("[data-row] .is-succeeded").nth(3).wait_for(timeout=15_000)
    page.get_by_role("link", name="v1.1.0", exact=True).click()
    page.get_by_text("Sent and received in attempt 1").click()
    assert page.get_by_text("Authorization: Bearer ***").first.is_visible()
    visit.close()


@pytest.mark.parametrize("has_script", [True, False], ids=["script", "no-script"])
def test_a_changed_rule_is_tried_on_a_stored_delivery(stack: Stack, browser: Any, has_script: bool) -> None:
    filled = ledger.fill(stack.engine, stack.rules)
    visit = Visit(browser, stack.url, has_script=has_script)
    visit.sign_in(OPERATOR)
    page = visit.open(f"/deliveries/{filled.delivery}")
    page.get_by_role("link", name="Try rules on this payload").click()
    rules = page.get_by_label("Rules", exact=True)
    rules.fill(rules.input_value() + 'release = "shop@{tag}"\n')
    page.get_by_role("button", name="Explain this payload").click()
    assert page.get_by_role("heading", name="shop@v1.1.0 at main").is_visible()
    assert '"version": "shop@v1.1.0"' in page.get_by_label("Body for main").inner_text()
    page.get_by_role("button", name="Decide them again").click()
    assert page.get_by_text("5 of 6 deliveries").is_visible()
    assert 'release = "shop@{tag}"' in page.get_by_label("Rules", exact=True).input_value()
    visit.close()


def test_hostile_texts_stay_text_and_nothing_foreign_is_asked_for(stack: Stack, browser: Any) -> None:
    filled = ledger.fill(stack.engine, stack.rules, message=HOSTILE)
    _, job = ledger.accept(stack.engine, stack.rules, name=f"v9{HOSTILE}")
    ledger.make_hostile(stack.engine)
    visit = Visit(browser, stack.url)
    visit.sign_in(OPERATOR)
    for address in [*ledger.addresses(filled), f"/jobs/{job}"]:
        page = visit.open(address)
        assert page.locator("img, iframe, [onerror]").count() == 0, address
    assert visible(HOSTILE) in visit.open(f"/jobs/{filled.failed}").locator("main").inner_text()
    visit.close()


@pytest.mark.parametrize("width", [1280, 1920])
def test_no_column_is_cut_off_where_a_version_is_a_whole_commit_id(stack: Stack, browser: Any, width: int) -> None:
    _, job = ledger.accept(stack.engine, stack.rules, name="0123456789abcdef" * 2 + "01234567", repository="acme/shop-backend")
    assert job
    ledger.end(stack.engine, job, "failed", error="400: projects: Invalid project ids or slugs: shop-backend")
    visit = Visit(browser, stack.url)
    visit.sign_in(OPERATOR)
    visit.page.set_viewport_size({"width": width, "height": 900})
    for address in ("/jobs", "/releases", "/deliveries"):
        page = visit.open(address)
        assert page.evaluate(
            "Array.from(document.querySelectorAll('.wide')).every(one => one.scrollWidth <= one.clientWidth)"
        ), address
    visit.close()


def test_keys_move_through_a_list_and_focus_is_always_visible(stack: Stack, browser: Any) -> None:
    ledger.fill(stack.engine, stack.rules)
    visit = Visit(browser, stack.url)
    visit.sign_in(OPERATOR)
    page = visit.open("/jobs")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    first = page.locator("[data-row] th a").first
    assert first.evaluate("one => one === document.activeElement")
    page.keyboard.press("/")
    assert page.get_by_label("Search").evaluate("one => one === document.activeElement")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("f")
    assert page.get_by_label("repository").evaluate("one => one === document.activeElement")
    page = visit.open("/jobs?status=failed")
    page.keyboard.press("j")
    page.keyboard.press("r")
    assert page.evaluate("document.activeElement.hasAttribute('data-replay')")
    for address in ("/", "/jobs?status=failed", "/targets"):
        page = visit.open(address)
        for _ in range(25):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement === document.body"):
                break  # through to the end
            style = page.evaluate(
                "(({outlineStyle, outlineWidth}) => [outlineStyle, outlineWidth])(getComputedStyle(document.activeElement))"
            )
            assert style[0] == "solid", (address, page.evaluate("document.activeElement.outerHTML"))
            assert style[1] == "3px"
    visit.close()
