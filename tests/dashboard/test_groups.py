"""Failed and waiting jobs in groups: each count opens exactly what it counted; small faults of the lists."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from shared.domain.filters import JobFilter, Page
from shared.ledger.queries import listings
from shared.ledger.tables import jobs as job_table
from tests.dashboard import ledger
from tests.dashboard.ledger import Filled

WAIT = {"code": "rate_limited", "detail": "the API's limit is used up", "until": None}


@pytest.fixture
def varied(engine: Engine, filled: Filled) -> Filled:
    """A job that waits for the forge and one without a reason, beside those of the fixture."""
    with engine.begin() as connection:
        for changed in ({"id": filled.queued, "waiting": WAIT}, {"id": filled.cancelled, "status": "failed", "reason": None}):
            connection.execute(job_table.update().where(job_table.c.id == changed["id"]).values(changed))
    return filled


def groups(page: str) -> dict[str, int]:
    """{address: number} of the overview's groups."""
    table = page.partition('aria-label="Failed and waiting jobs"')[2].partition("</table>")[0]
    return {unescape(href): int(number) for href, number in re.findall(r'<th scope="row"><a href="([^"]+)">(\d+) ', table)}


def test_each_count_of_the_overview_opens_exactly_what_it_counted(operator: FlaskClient, varied: Filled) -> None:
    page = operator.get("/").text
    found = groups(page)
    assert sorted(found.values()) == [1, 1, 1, 1]
    opened = []
    for address, number in found.items():
        rows = re.findall(r'<th scope="row"><a href="/jobs/(\w+)">', operator.get(address).text)
        assert len(rows) == number, address
        opened += rows
    assert sorted(opened) == sorted([varied.failed, varied.retrying, varied.queued, varied.cancelled])
    assert "/jobs?status=waiting" in page
    rows = re.findall(r'<th scope="row"><a href="/jobs/(\w+)">', operator.get("/jobs?status=waiting").text)
    assert rows == [varied.queued, varied.retrying]


def test_a_group_says_what_to_do_and_replays_all_of_it(operator: FlaskClient, varied: Filled) -> None:
    page = unescape(operator.get("/").text)
    for part in ("Create the project", "the provider's limit ends", "An operator paused the target"):
        assert part in page
    (address,) = [one for one in re.findall(r'href="(/jobs/replay[^"]+)"', page) if "project_unknown" in one]
    assert "Replay 1 job?" in operator.get(address).text
    answer = ledger.act(operator, "/jobs/replay", status="failed", reason="project_unknown", target="main")
    assert "1 job</a>" in operator.get(answer.location).text


def test_a_viewer_sees_groups_without_a_button(viewer: FlaskClient, varied: Filled) -> None:
    assert "/jobs/replay" not in viewer.get("/").text


def test_waiting_jobs_of_both_states_are_one_list_page_by_page(engine: Engine) -> None:
    start, ids = datetime.now(UTC) - timedelta(hours=1), []
    for number in range(7):
        _, job = ledger.accept(engine, ledger.rules(), name=f"v1.{number}", at=start + timedelta(seconds=number))
        ids.append(job)
    with engine.begin() as connection:
        connection.execute(job_table.update().where(job_table.c.id.in_(ids[::3])).values(status="retrying"))
        found: list[Any] = []
        page = Page(2)
        while True:
            one = listings.list_jobs(connection, JobFilter(status="waiting"), page)
            found += [row.id for row in one.rows]
            if one.next_cursor is None:
                break
            assert len(one.rows) == 2
            page = Page(2, one.last)
    assert found == ids[::-1]


def test_a_bulk_replay_links_those_that_succeeded_and_those_that_failed(
    operator: FlaskClient, engine: Engine, filled: Filled
) -> None:
    with engine.begin() as connection:
        connection.execute(job_table.update().where(job_table.c.id == filled.succeeded).values(status="cancelled"))
    address = ledger.act(operator, "/jobs/replay", repository="acme/shop").location
    with engine.begin() as connection:
        replayed = {row.id for row in connection.execute(sa.select(job_table).where(job_table.c.replay_seq.is_not(None)))}
        one, other = sorted(replayed)[:2]
        connection.execute(job_table.update().where(job_table.c.id == one).values(status="succeeded"))
        connection.execute(job_table.update().where(job_table.c.id == other).values(status="failed"))
    text = unescape(operator.get(address).text)
    assert "1 succeeded, 1 failed" in text
    number = address.rpartition("/")[2]
    (link,) = re.findall(r'href="(/jobs\?[^"]*status=failed[^"]*)">1 job', text)
    assert f"replay={number}" in link
    assert re.findall(r'<th scope="row"><a href="/jobs/(\w+)">', operator.get(link).text) == [other]


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("/jobs?since=yesterday&repository=acme/shop", 'value="yesterday"'),
        ("/jobs?status=ill&target=main", 'value="main"'),
        ("/jobs?cursor=x", "Cursor is not one"),
        ("/deliveries?since=yesterday", 'value="yesterday"'),
        ("/releases?since=yesterday&target=main", 'value="yesterday"'),
    ],
)
def test_a_bad_filter_keeps_the_form_and_explains(operator: FlaskClient, filled: Filled, address: str, kept: str) -> None:
    answer = operator.get(address)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert kept in answer.text
    assert "<button>Filter</button>" in answer.text
    assert "data-row" not in answer.text


def test_unknown_addresses_are_a_page_for_browsers_and_a_problem_for_programs(
    operator: FlaskClient, stranger: FlaskClient
) -> None:
    html = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    for client in (operator, stranger):
        answer = client.get("/no/such/page", headers=html)
        assert (answer.status_code, answer.mimetype) == (404, "text/html")
        assert "Content-Security-Policy" in answer.headers
        assert ('name="q"' in answer.text) == (client is operator)
        assert client.get("/targets/main/pause", headers=html).status_code == 405
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        assert stranger.get("/no/such/page", headers=headers).mimetype == "application/problem+json"
    assert stranger.get("/webhooks/none/at/all", headers=html).mimetype == "application/problem+json"
    bearer = {**html, "Authorization": f"Bearer {ledger.OPERATOR}"}
    assert stranger.get("/api/v1/none", headers=bearer).mimetype == "application/problem+json"


def test_a_form_sent_after_the_session_ended_leads_to_the_sign_in_and_back(stranger: FlaskClient, filled: Filled) -> None:
    page = f"/jobs/{filled.failed}?x=1"
    answer = stranger.post(f"/jobs/{filled.failed}/replay", headers={"Referer": f"http://localhost{page}"})
    assert answer.status_code == 303
    form = stranger.get(answer.location)
    assert "Your session has ended" in form.text
    assert f'name="next" value="{page}"' in form.text
    elsewhere = stranger.post(f"/jobs/{filled.failed}/replay", headers={"Referer": "https://evil.test/jobs/1"})
    assert 'name="next" value="/"' in stranger.get(elsewhere.location).text


def test_a_job_links_its_forge_rule_delivery_and_release(operator: FlaskClient, filled: Filled) -> None:
    text = operator.get(f"/jobs/{filled.succeeded}").text
    for part in (
        "/acme/shop/commit/",
        "/acme/shop/tree/v1.0.0",
        '"/repositories/github/acme/shop"',
        '"/rules#rule-tags"',
        "/deliveries/d-succeeded",
        "/releases/1/",
    ):
        assert part in text
    assert 'id="rule-tags"' in operator.get("/rules").text


def test_names_of_five_thousand_characters_break_no_page(operator: FlaskClient, engine: Engine, filled: Filled) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("its columns hold no such name")
    ledger.make_long(engine, 5_000)
    for address in [*ledger.addresses(filled), "/search?q=aaaa"]:
        answer = operator.get(address)
        assert answer.status_code == 200, address
        headings = re.findall(r"<h1>(.*?)</h1>", answer.text, re.DOTALL)
        assert all(len(one) < 700 for one in headings), address
