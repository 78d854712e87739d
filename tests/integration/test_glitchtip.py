"""A server that answers as GlitchTip 5 does: every claim is true, a comparison finds nothing missing, nothing is paused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from sqlalchemy.engine import Engine

from shared.config.settings import ForgeSettings
from shared.domain.push import Repository
from shared.errors import PermanentError, TransientError
from shared.ledger import target_states
from shared.ledger.tables import jobs as job_table
from shared.reconcile import Comparer
from shared.targets import sentry_client
from tests.builders import settings
from tests.forge import Forge, History
from tests.glitchtip import PAGE, GlitchTip
from tests.worker_run import Run, warned
from worker.jobs.deploys import PATIENCE

SHOP = Repository("github", "acme/shop")


@pytest.fixture
def glitchtip() -> Iterator[GlitchTip]:
    made = GlitchTip()
    yield made
    made.close()


@pytest.fixture
def run(ledger: Engine, http: httpx2.Client, glitchtip: GlitchTip) -> Run:
    return Run(ledger, http, glitchtip)


def health(engine: Engine) -> tuple[str, str | None]:
    with engine.begin() as connection:
        found = target_states.find_one(connection, "main")
    return found.state.value, found.reason


def posts(glitchtip: GlitchTip) -> list[str]:
    return [path.rpartition("/acme/")[2] for method, path in glitchtip.calls if method == "POST"]


def test_a_release_is_made_and_the_job_says_that_its_commits_are_not_kept(run: Run, glitchtip: GlitchTip) -> None:
    job = run.go(run.accept())
    assert (job.status, job.outcome, set(warned(run.engine, job.id))) == ("succeeded", "created", {"commits_not_kept"})
    held = glitchtip.releases["v1.0.0"]
    assert (held["ref"], held["commitCount"], [one["slug"] for one in held["projects"]]) == ("v1.0.0", 0, ["app"])
    assert datetime.fromisoformat(held["dateReleased"]) == job.created_at.replace(tzinfo=UTC)


def test_a_second_post_of_a_version_is_500_and_the_release_is_found(run: Run, glitchtip: GlitchTip) -> None:
    run.go(run.accept())
    job_id = run.accept(repository="acme/other")
    assert run.go(job_id).status == "retrying"
    job = run.go(job_id)
    assert (job.status, job.outcome, set(warned(run.engine, job.id))) == ("succeeded", "existed", {"commits_not_kept"})
    assert posts(glitchtip) == ["releases/", "releases/"]
    assert health(run.engine) == ("ok", None)


def test_many_such_releases_pause_nothing(run: Run, glitchtip: GlitchTip) -> None:
    for number in range(7):
        run.go(run.accept(f"v{number}.0.0"))
    again = [run.accept(f"v{number}.0.0", repository="acme/other") for number in range(7)]
    for job_id in again:
        run.go(job_id)
    assert health(run.engine)[0] == "ok"
    assert {run.go(job_id).status for job_id in again} == {"succeeded"}


def test_a_deploy_that_meets_a_page_is_a_warning_and_the_release_is_sent_once(
    ledger: Engine, http: httpx2.Client, glitchtip: GlitchTip
) -> None:
    run = Run(ledger, http, glitchtip, environment="production")
    job_id = run.accept()
    job = run.go(job_id, attempts=3)
    assert job.status == "retrying"
    with ledger.begin() as connection:
        long_ago = (datetime.now(UTC) - PATIENCE).isoformat()
        connection.execute(job_table.update().values(deploy={**job.deploy, "refused_at": long_ago}))
    job = run.go(job_id)
    warnings = warned(ledger, job_id)
    assert (job.status, set(warnings)) == ("succeeded", {"commits_not_kept", "deploy_refused"})
    assert 'answered 403: T may not record this deploy: "403 Forbidden"' in warnings["deploy_refused"]
    assert posts(glitchtip).count("releases/") == 1
    assert health(ledger) == ("ok", None)


def test_unknown_projects_are_named(ledger: Engine, http: httpx2.Client, glitchtip: GlitchTip) -> None:
    some = Run(ledger, http, glitchtip, projects=("app", "gone"))
    job = some.go(some.accept())
    assert "gone" in warned(ledger, job.id)["project_dropped"]
    none = Run(ledger, http, glitchtip, projects=("gone",))
    job = none.go(none.accept("v2.0.0"))
    assert (job.status, job.reason, "gone" in job.error) == ("failed", "project_unknown", True)


def test_a_release_that_is_not_to_be_finalized_is_not(ledger: Engine, http: httpx2.Client, glitchtip: GlitchTip) -> None:
    run = Run(ledger, http, glitchtip, finalize=False)
    run.go(run.accept())
    assert glitchtip.releases["v1.0.0"]["dateReleased"] is None


# --- comparing -------------------------------------------------------------------------------------------------------


@pytest.fixture
def tags() -> list[str]:
    return [f"v1.{number}.0" for number in range(PAGE + 10)]


@pytest.fixture
def comparer(
    ledger: Engine, http: httpx2.Client, glitchtip: GlitchTip, run: Run, tags: list[str], tmp_path: Path
) -> Iterator[Comparer]:
    made = History()
    made.line("c", 1)
    for tag in tags:
        made.tag(tag, "c1")
    built = made.build(tmp_path / "repository")
    with Forge("github") as forge:
        forge.add("acme/shop", built.path)
        known = settings(forges={"github": ForgeSettings(forge.url, "t", is_named=True)}, environ={"T": "s3cret"})
        yield Comparer(known, run.rules, ledger, http)


def fill(glitchtip: GlitchTip, tags: list[str]) -> None:
    for number, tag in enumerate(tags):
        glitchtip.releases[tag] = {"version": tag, "dateCreated": f"2026-01-01T00:00:{number % 60:02}"}


def missing(comparer: Comparer) -> list[str]:
    return [entry.tag for entry in comparer.compare(SHOP, None).missing]


def test_nothing_is_missing_over_pages_of_fifty(comparer: Comparer, glitchtip: GlitchTip, tags: list[str]) -> None:
    fill(glitchtip, tags)
    assert missing(comparer) == []
    assert len([path for _, path in glitchtip.calls if "cursor=" in path]) == 1
    assert len(glitchtip.calls) == 2, "no release had to be asked for by name"


def test_what_a_list_hides_is_asked_for_before_it_is_called_missing(
    comparer: Comparer, glitchtip: GlitchTip, tags: list[str]
) -> None:
    fill(glitchtip, tags[1:])
    glitchtip.has_links = False
    assert missing(comparer) == tags[:1]


def test_a_list_that_has_been_right_often_is_believed(
    comparer: Comparer, glitchtip: GlitchTip, tags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.reconcile.MOST_QUESTIONS", 3)
    assert len(missing(comparer)) == len(tags)
    assert len(glitchtip.calls) == 1 + 3


def test_a_list_that_cannot_be_followed_or_a_release_that_cannot_be_asked_for_fails_loudly(
    comparer: Comparer, glitchtip: GlitchTip, tags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(glitchtip, tags)
    monkeypatch.setattr(sentry_client, "next_cursor", lambda _: "")
    with pytest.raises(PermanentError, match="the list of releases of the target 'main' names no page that follows"):
        missing(comparer)
    monkeypatch.undo()
    del glitchtip.releases[tags[0]]
    monkeypatch.setattr(glitchtip, "_one", lambda *_: (502, b"<html>", {}))
    with pytest.raises(TransientError, match="answered 502"):
        missing(comparer)
