"""The page of one repository: what is missing, asking for a comparison, and what became of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from shared.domain.job_states import Trigger
from shared.domain.push import Repository
from shared.domain.rules import Rule, Rules
from shared.ledger import identities, reconcile_runs, rollups
from shared.ledger.reporting_tables import audit
from shared.reconcile import queue
from tests.builders import NOW
from tests.dashboard import ledger
from tests.dashboard.comparisons import SHOP, compared, entry
from tests.dashboard.outline import Outline
from webhook.app import create_app

PAGE = "/repositories/github/acme/shop"


def row(engine: Engine) -> Any:
    with engine.begin() as connection:
        return reconcile_runs.find(connection, SHOP)


def test_before_the_first_comparison_the_page_says_why_one_may_be_wanted(operator: FlaskClient) -> None:
    text = operator.get(PAGE).text
    assert "Not compared yet" in text
    assert "more than three tags" in text
    assert "<button>Compare</button>" in text
    assert "Create what is missing" not in text


def test_what_is_there_missing_under_way_and_refused_is_told_apart(engine: Engine, operator: FlaskClient) -> None:
    entries = [entry("v1", None), entry("v2", "missed_webhook"), entry("v3", "missed_webhook"), entry("latest", None)]
    compared(engine, *entries)
    made = next(iter(queue(SHOP, entries[2:3], engine, Trigger.RECONCILE, lambda: datetime.now(UTC))))
    text = operator.get(PAGE).text
    assert "<strong>4 tags</strong> at github" in text
    assert "<strong>2 releases missing</strong>" in text
    cells = [part.partition("</tr>")[0] for part in text.split("<tr data-row>")[1:]]
    assert [word in cell for word, cell in zip(("version_refused", "queued", "no job", "released"), cells, strict=True)] == [
        True
    ] * 4
    assert f'/jobs/{made}"' in cells[1]
    assert "Create what is missing" in text
    assert '<td class="number">2</td>' not in operator.get("/repositories").text, "it never pushed, so it is not in the list"
    outline = Outline(text)
    assert (outline.open, outline.suspects, outline.headings.count(1)) == ([], [], 1)


def test_a_release_that_the_target_lost_is_told_even_if_its_job_succeeded(engine: Engine, operator: FlaskClient) -> None:
    lost = entry("v1", "succeeded")
    job = next(iter(queue(SHOP, [lost], engine, Trigger.RECONCILE, lambda: datetime.now(UTC))))
    assert job is not None
    ledger.end(engine, job, "succeeded")
    compared(engine, lost)
    assert "no longer exists at the target" in operator.get(PAGE).text


@pytest.mark.parametrize(("fields", "creates", "most"), [({}, False, 50), ({"tags": "all", "creates": "1"}, True, None)])
def test_asking_writes_a_comparison_for_the_sweeper_and_a_line_in_the_audit_log(
    engine: Engine, operator: FlaskClient, fields: dict[str, str], creates: bool, most: int | None
) -> None:
    answer = ledger.act(operator, f"{PAGE}/compare", **fields)
    assert (answer.status_code, answer.headers["Location"]) == (303, PAGE)
    wanted = row(engine)
    assert (wanted.state, wanted.creates, wanted.most_tags, wanted.is_by_timer) == ("wanted", creates, most, False)
    assert "Waits for a sweeper" in operator.get(PAGE).text
    with engine.connect() as connection:
        line = connection.execute(sa.select(audit).order_by(audit.c.seq.desc()).limit(1)).one()
    assert (line.action, line.subject) == ("repository_create" if creates else "repository_compare", SHOP.key)


def test_one_that_runs_shows_its_progress_and_is_not_disturbed(engine: Engine, operator: FlaskClient) -> None:
    mine = compared(engine, *[entry(f"v{n}", "missed_webhook") for n in range(8)], creates=True, ends=False)
    with engine.begin() as connection:
        reconcile_runs.advance(connection, mine, handled=3, queued=3, now=datetime.now(UTC))
    text = operator.get(PAGE).text
    assert "Creating: 3 of 8 queued" in text
    assert '<progress max="8" value="3"' in text
    assert "<button>Compare</button>" not in text
    assert ledger.act(operator, f"{PAGE}/compare").status_code == 409


def test_why_it_waits_or_failed_stands_on_the_page(engine: Engine, operator: FlaskClient) -> None:
    mine = compared(engine, entry("v1", "missed_webhook"), ends=False)
    until = datetime.now(UTC) + timedelta(minutes=20)
    with engine.begin() as connection:
        reconcile_runs.wait(connection, mine, until=until, why="api.github.com takes no more calls")
    assert "Waits: api.github.com takes no more calls; goes on" in operator.get(PAGE).text
    with engine.begin() as connection:
        again = reconcile_runs.claim(connection, SHOP.key, now=until)
        assert again is not None
        reconcile_runs.end(connection, again, error=f"answered 404 {ledger.HOSTILE}", now=until)
    text = operator.get(PAGE).text
    assert "Could not be compared" in text
    assert "&lt;img/src=x" in text
    assert "<img" not in text


def test_a_viewer_may_look_but_not_ask(engine: Engine, viewer: FlaskClient) -> None:
    compared(engine, entry("v1", "missed_webhook"))
    text = viewer.get(PAGE).text
    assert "1 release missing" in text
    assert "Compare</button>" not in text
    token = ledger.form_token(viewer.get("/targets"))
    assert viewer.post(f"{PAGE}/compare", data={"form_token": token}).status_code == 403
    assert viewer.post(f"{PAGE}/compare").status_code == 403


def test_names_are_checked_and_any_repository_can_be_opened(operator: FlaskClient) -> None:
    for address in (
        "/repositories/svn/acme/shop",
        "/repositories/github/..",
        "/repositories/github/a/b/../../c",
        "/repositories/github/a",
    ):
        assert operator.get(address).status_code in (400, 404), address
    assert ledger.act(operator, f"{PAGE}/compare", tags="some").status_code == 400
    found = operator.get("/repositories/find?repository=gitlab:acme/backend/api")
    assert found.headers["Location"] == "/repositories/gitlab/acme/backend/api"
    assert "is switched off" in operator.get(found.headers["Location"]).text, "no GitLab is configured here"
    assert operator.get("/repositories/find?repository=acme").status_code == 400


def test_the_list_tells_how_many_are_missing(engine: Engine, operator: FlaskClient) -> None:
    ledger.fill(engine, ledger.rules())
    while rollups.advance(engine, datetime.now(UTC) + timedelta(minutes=1)):
        pass
    assert "not compared" in operator.get("/repositories").text
    compared(engine, entry("v1", "missed_webhook"))
    assert '<td data-label="Missing" class="number">1</td>' in operator.get("/repositories").text
    assert f'href="{PAGE}"' in operator.get("/repositories").text


def test_a_renamed_repository_says_what_it_was_and_what_no_longer_matches_it(engine: Engine) -> None:
    with engine.begin() as connection:
        for name, at in (("acme/old", NOW), ("Acme/New", NOW + timedelta(minutes=1))):
            identities.settle(connection, Repository("github", name, id=7), at)
    rule = Rule(name="web", repos=("github:acme/old",), refs=("refs/tags/*",), targets=("main",), projects=("app",))
    app = create_app(ledger.made_settings(engine), Rules((rule,), ledger.rules().targets))
    client = app.test_client()
    ledger.sign_in(client)
    for name in ("Acme/New", "acme/new"):
        text = client.get(f"/repositories/github/{name}").text
        assert "<h1>Acme/New" in text
        assert "<dt>Former names</dt><dd>acme/old</dd>" in text
        assert "rule &#39;web&#39;: repo = &#34;github:acme/old&#34;" in text
    assert "Acme/New" in client.get("/repositories").text
    app.extensions["services"].notifier.stop()
    app.extensions["services"].engine.dispose()
