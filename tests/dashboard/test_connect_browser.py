"""Connecting a repository in a real browser: the secret on request, the first ping without a reload."""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.dashboard.browser import MISSING, Visit, find_chromium
from tests.dashboard.browser_stack import Stack
from tests.dashboard.ledger import OPERATOR
from webhook.local.sample_webhooks import sign_github

pytestmark = [pytest.mark.skipif(find_chromium() is None, reason=MISSING), pytest.mark.world]


def test_the_first_ping_appears_by_itself(stack: Stack, browser: Any) -> None:
    visit = Visit(browser, stack.url)
    visit.sign_in(OPERATOR)
    page = visit.page
    page.get_by_role("link", name="Connect a repository").click()
    page.get_by_text("Waiting for the first webhook of GitHub.").wait_for()
    page.get_by_role("button", name="Show the secret GITHUB_WEBHOOK_SECRET").click()
    page.get_by_role("status").get_by_text("The secret of GITHUB_WEBHOOK_SECRET").wait_for()
    assert page.get_by_role("row", name="Secret s").count() == 1
    page.get_by_role("button", name="Copy Payload URL").wait_for()
    if folder := os.environ.get("TAGSHIP_TEST_PICTURES"):
        page.screenshot(path=f"{folder}/connect.png", full_page=True)
    visit.open("/connect")
    hook = {"type": "Repository", "events": ["push"], "active": True}
    repository = {"id": 5, "full_name": "acme/shop", "name": "shop", "default_branch": "main"}
    sample = sign_github(
        json.dumps({"zen": "z", "hook_id": 3, "hook": hook, "repository": repository}).encode(), "s", event="ping"
    )
    request = Request(f"{stack.url}/webhooks/github", data=sample.body, headers=dict(sample.headers))
    with urlopen(request, timeout=20) as answer:
        assert answer.status == 200
    page.get_by_text("Nothing to do: the provider only tested the URL.").wait_for(timeout=30_000)
    assert page.get_by_role("link", name="acme/shop ping").count() == 1
    visit.close()
