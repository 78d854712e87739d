"""axe-core over every page as a real Chromium built it, light and dark, for an operator and for a viewer, wide and narrow."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.dashboard import ledger
from tests.dashboard.browser import MISSING, Visit, find_chromium
from tests.dashboard.browser_stack import Stack
from tests.dashboard.comparisons import compared, entry
from tests.dashboard.ledger import OPERATOR, VIEWER

pytestmark = [pytest.mark.skipif(find_chromium() is None, reason=MISSING), pytest.mark.world]
OTHER_RULES = '[[rules]]\nrepo = "github:*"\nrelease = "shop@{tag}"\n'
axe = Axe()  # its script is handed to the page by the debugger, which our Content-Security-Policy does not bind


def faults(page: Page) -> list[str]:
    """Every rule that the page breaks, however slightly, and where."""
    found = axe.run(page).response
    assert len(found["passes"]) > 5, "axe looked at next to nothing"
    return [f"{one['impact']} {one['id']}: {node['target']}" for one in found["violations"] for node in one["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault_on_any_page(stack: Stack, browser: Any, scheme: str) -> None:
    filled = ledger.fill(stack.engine, stack.rules)
    compared(stack.engine, *[entry(tag, "missed_webhook") for tag in ("v1", "v2", "latest")], entry("v0", None))
    visit = Visit(browser, stack.url, scheme=scheme)
    assert faults(visit.open("/sign-in")) == []
    visit.sign_in(OPERATOR)
    for address in [*ledger.addresses(filled), "/reference", "/reference/problems"]:
        page = visit.open(address)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert faults(page) == [], address
    for ask in ("Explain this payload", "Decide them again"):
        page = visit.open(f"/rules/try?delivery={filled.delivery}")
        page.get_by_label("Rules", exact=True).fill("# none\n" + OTHER_RULES)
        page.get_by_role("button", name=ask).click()
        page.locator("#answer").wait_for()
        page.wait_for_load_state()  # with its style sheet
        assert faults(page) == [], ask
    page = visit.open("/jobs/replay?status=failed")
    page.get_by_role("button", name="Replay 1").click()
    page.get_by_role("progressbar").wait_for()
    page.wait_for_load_state()  # with its style sheet
    assert faults(page) == [], "progress"
    visit.close()


@pytest.mark.parametrize("width", [1200, 400])
def test_nor_for_a_viewer_on_a_wide_or_a_narrow_screen(stack: Stack, browser: Any, width: int) -> None:
    filled = ledger.fill(stack.engine, stack.rules)
    visit = Visit(browser, stack.url)
    visit.page.set_viewport_size({"width": width, "height": 800})
    visit.sign_in(VIEWER)
    for address in ledger.addresses(filled):
        assert faults(visit.open(address)) == [], address
    visit.close()


def test_what_is_a_fault_is_found(stack: Stack, browser: Any) -> None:
    visit = Visit(browser, stack.url)
    page = visit.open("/sign-in")
    page.evaluate("document.querySelector('label').remove()")
    assert [fault for fault in faults(page) if fault.startswith("critical label")]
    visit.close()
