"""Every page: what it shows, that nothing in it runs, and what an empty ledger says."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from shared.ledger import rollups
from tests.dashboard import ledger
from tests.dashboard.ledger import HOSTILE, Filled
from tests.dashboard.outline import Outline


def test_every_page_is_whole_labelled_and_runs_nothing(operator: FlaskClient, filled: Filled) -> None:
    for address in [*ledger.addresses(filled), "/reference"]:
        answer = operator.get(address)
        assert answer.status_code == 200, address
        outline = Outline(answer.text)
        assert outline.open == [], address
        assert outline.suspects == [], address
        assert all(load.startswith("/dashboard-static/") for load in outline.loads), address
        assert outline.headings.count(1) == 1, address
        assert outline.headings[0] == 1, address
        assert all(control.get("id") in outline.labels for control in outline.controls), address
        assert all(svg.get("role") == "img" and svg.get("aria-labelledby") for svg in outline.svgs), address
        assert outline.tables == outline.captions, address


def test_headers_of_a_page_allow_nothing_foreign_and_no_keeping(operator: FlaskClient, filled: Filled) -> None:
    for address in [*ledger.addresses(filled), "/reference"]:
        headers = operator.get(address).headers
        policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        assert headers["Content-Security-Policy"] == policy
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_hostile_texts_are_shown_as_text_on_every_page(engine: Engine, operator: FlaskClient) -> None:
    filled = ledger.fill(engine, ledger.rules(), message=HOSTILE)
    _, job = ledger.accept(engine, ledger.rules(), name=f"v9{HOSTILE}")
    assert job is not None
    ledger.make_hostile(engine)
    while rollups.advance(engine, datetime.now(UTC) + timedelta(minutes=1)):
        pass
    shown = 0
    for address in [*ledger.addresses(filled), f"/jobs/{job}"]:
        text = operator.get(address).text
        assert "<img" not in text, address
        assert Outline(text).suspects == [], address
        read = re.sub("<textarea.*?</textarea>", "", text, flags=re.DOTALL)  # what a form sends back stays as it is
        assert not {"\u202e", "\u200b"} & set(read), address
        assert text.count("نسخة") <= text.count("<bdi>") + text.count("<title>") + text.count('="'), address
        shown += "&lt;img/src=x/onerror" in text
    assert shown >= 14


def test_a_failed_job_says_why_and_what_to_do(operator: FlaskClient, filled: Filled) -> None:
    text = operator.get(f"/jobs/{filled.failed}").text
    for part in (
        "Why it failed",
        "project_unknown",
        "no project for Fix the till",
        "What to do:",
        "Create the project",
        "Replay",
    ):
        assert part in text
    assert f"/deliveries/{filled.delivery}" in text


def test_a_release_that_differs_from_what_was_asked_says_so(operator: FlaskClient, filled: Filled) -> None:
    text = operator.get(f"/jobs/{filled.succeeded}").text
    for part in ("Warnings", "ref_differs", "the target says no project", "What to do:", "another client may have made"):
        assert part in text
    for address in ("/jobs?warning=ref_differs", "/releases"):
        text = operator.get(address).text
        assert f'"/jobs/{filled.succeeded}"' in text
        assert ">ref_differs</code>" in text
    assert filled.succeeded not in operator.get("/jobs?warning=not_finalized").text


def test_an_attempt_shows_what_was_sent_and_what_came_back(engine: Engine, operator: FlaskClient) -> None:
    filled = ledger.fill(engine, ledger.rules(), message=HOSTILE)
    text = operator.get(f"/jobs/{filled.failed}").text
    assert "Sent and received in attempt 1" in text
    assert "answered <strong>400</strong>" in text
    assert "Authorization: Bearer ***" in text
    assert "X-Request-Id: d-failed" in text
    assert ledger.TOKEN not in text
    received = text.partition('aria-label="Received by attempt 1, call 1"')[2].partition("</pre>")[0]
    assert "no project for &lt;img/src=x/onerror" in received
    assert "<img" not in received
    assert "Sent and received" not in operator.get(f"/jobs/{filled.queued}").text


def test_a_delivery_shows_the_rules_tried_the_one_that_decided_and_the_payload(operator: FlaskClient, filled: Filled) -> None:
    text = operator.get(f"/deliveries/{filled.delivery}").text
    assert text.index('row">never<') < text.index('row">tags<')
    for part in ("Decided by the rule <strong>tags</strong>", "repo is not gitlab:none/*", "till.py", "x-github-event"):
        assert part in text
    assert "sha256=" not in text  # the signature is not even stored
    ignored = operator.get(f"/deliveries/{filled.ignored}").text
    assert "No rule matched" in ignored
    assert "branch_not_matched" in ignored


def test_tabs_count_jobs_and_filters_live_in_the_address(operator: FlaskClient, filled: Filled) -> None:
    text = operator.get("/jobs?status=failed&repository=acme/shop").text
    assert 'failed <span class="number">1</span>' in text
    assert filled.failed in text
    assert filled.queued not in text
    assert "No job matches" in operator.get("/jobs?repository=acme/other").text
    assert filled.queued in operator.get("/jobs?status=&target=main").text


def test_a_wrong_word_of_a_filter_is_a_page_that_says_so(operator: FlaskClient) -> None:
    for address in ("/jobs?sinse=2h", "/deliveries?sinse=2h", "/audit?before=x"):
        answer = operator.get(address)
        assert answer.status_code == 400, address
        assert "<h1>That cannot be read</h1>" in answer.text


@pytest.mark.parametrize("address", ["/jobs/" + "0" * 32, "/deliveries/none", "/replays/99"])
def test_what_is_not_there_is_a_404_page(operator: FlaskClient, address: str) -> None:
    assert operator.get(address).status_code == 404


def test_an_empty_ledger_says_the_next_step_on_every_page(operator: FlaskClient) -> None:
    for address, hint in (
        ("/", "Connect a repository"),
        ("/deliveries", "send --sample tag"),
        ("/jobs", "See the rules"),
        ("/releases", "Push a tag"),
        ("/repositories", "None has pushed yet"),
    ):
        assert hint in operator.get(address).text, address


def test_a_release_that_is_still_being_completed_stands_among_the_releases(engine: Engine, operator: FlaskClient) -> None:
    _, job_id = ledger.accept(engine, ledger.rules(), name="v7")
    assert job_id
    ledger.end(engine, job_id, "completing")
    for address in ("/releases", "/releases?repository=acme/shop"):
        text = operator.get(address).text
        assert f'"/jobs/{job_id}"' in text
        assert "being completed" in text
    assert job_id not in operator.get("/releases?repository=acme/other").text


def test_a_delivery_that_is_decided_again_for_nothing_says_why(engine: Engine, operator: FlaskClient) -> None:
    delivery_id, _ = ledger.accept(engine, ledger.rules(), ref="refs/heads/topic")
    page = operator.get(f"/deliveries/{delivery_id}").text
    token = page.split('name="form_token" value="')[1].split('"')[0]
    answer = operator.post(
        f"/deliveries/{delivery_id}/replay", data={"form_token": token, "provider": "github"}, follow_redirects=True
    )
    assert "nothing to do: no rule" in answer.text
    assert "within seconds" in answer.text


def test_lists_go_on_where_the_page_before_ended(engine: Engine, operator: FlaskClient) -> None:
    jobs = [ledger.accept(engine, ledger.rules(), name=f"v{number}")[1] for number in range(60)]
    seen: list[str] = []
    address: str | None = "/jobs?status=queued&target=main"
    while address:
        text = operator.get(address).text
        seen += [job for job in jobs if job and f'"/jobs/{job}"' in text]
        found = [part for part in text.split('"') if part.startswith("/jobs?") and "cursor=" in part]
        address = found[0].replace("&amp;", "&") if found else None
    assert sorted(seen) == sorted(job for job in jobs if job)


def test_the_overview_counts_the_last_day_and_names_rules_and_repositories(
    engine: Engine, operator: FlaskClient, filled: Filled
) -> None:
    while rollups.advance(engine, datetime.now(UTC) + timedelta(minutes=1)):
        pass
    text = operator.get("/").text
    assert "<strong>1 failed job</strong>" in text
    assert "<b>7</b> received" in text
    assert "<b>1</b> released" in text
    assert "1 released, 1 ignored, 1 retried, 1 failed" in text
    assert "paused" in text
    assert "acme/shop" in operator.get("/repositories").text
    assert '<td data-label="Matched" class="number">5</td>' in operator.get("/rules").text
