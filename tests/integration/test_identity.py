"""One repository by its provider's number: what follows it when it is renamed, and what whoever takes its name does not get."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from structlog.testing import capture_logs

from shared.broker import Notifier, make_celery
from shared.domain.filters import DeliveryFilter, JobFilter, Page, read_cursor
from shared.domain.job_states import Trigger
from shared.domain.push import Push, Ref, Repository
from shared.domain.rules import NO_RULES, Rule, Rules, Source
from shared.ledger import contributions, deliveries, identities, push_history, repositories, rollups
from shared.ledger.contributions import Contribution
from shared.ledger.deliveries import Receipt
from shared.ledger.queries import listings, lookup
from shared.ledger.reporting_tables import known_repositories
from shared.ledger.tables import commits, jobs, pushes
from tests.cli_run import call
from tests.ledger_rows import NOW, make_arrival, make_work
from tests.pushes_stored import store
from tests.target import Target
from tests.worker_run import rules, runner
from webhook.intake.group_commit import GroupCommit
from webhook.intake.group_writers import open_store
from webhook.local.sample_webhooks import ZERO, SampleCommit, github_push, sha, sign_github
from worker.commits.history_writer import log_step

ALICE = Source(name="alice", provider="github", secret_env="A", repositories=("alice/*",))
BOB = Source(name="bob", provider="github", secret_env="B", repositories=("bob/*",))


class Silent(Notifier):
    def notify(self, job_ids: Any) -> None:
        pass


def tag(name: str, number: int | None, sha: str = "a" * 40, ref: str = "refs/tags/v1") -> Push:
    repository = Repository("github", name, "main", number)
    return Push(repository=repository, ref=Ref(ref), before="0" * 40, after=sha, sha=sha)


def arrive(engine: Engine, way: str, push: Push, sources: Sequence[Source] = ()) -> str:
    """The id of the push's job; `way`: alone, or in a group as under load."""
    one = make_arrival(push)._replace(sources=sources)
    if way == "alone":
        with engine.begin() as connection:
            return deliveries.accept(connection, one).jobs[0]

    async def run() -> Receipt:
        group = GroupCommit(open_store(engine), engine, Silent(make_celery("redis://127.0.0.1:1/0")))
        outcome = await group.submit(one)
        await group.close()
        assert isinstance(outcome, Receipt), outcome
        return outcome

    return asyncio.run(run()).jobs[0]


def branch_push(engine: Engine, name: str, number: int, commit: str, at: datetime = NOW) -> None:
    """A push of one commit to main, stored and logged."""
    made = [SampleCommit(commit, added=[f"{commit}.py"])]
    payload = github_push(repository=name, ref="refs/heads/main", commits=made, before=sha("before"), number=number)
    store(engine, sign_github(payload, "s"), at)


def log(engine: Engine, name: str, in_force: Rules = NO_RULES) -> None:
    while log_step(engine, provider="github", repository=name, rules=in_force):
        pass


def heads(engine: Engine, name: str, number: int | None, sources: Sequence[Source] = ()) -> list[str | None]:
    """The heads that the log has of this repository, newest first."""
    with engine.begin() as connection:
        located = identities.locate(connection, Repository("github", name, id=number), sources)
        return [push.sha for push in push_history.last_pushes(connection, located.log_key)]


def forget_numbers(engine: Engine) -> None:
    """The ledger as the program before this one left it: names alone."""
    with engine.begin() as connection:
        connection.execute(jobs.update().values(repository_id=None))
        connection.execute(known_repositories.update().values(repository_id=None, named_at=None, former_names=None))


@pytest.fixture(params=["alone", "in a group"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# --- jobs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Acme/Shop", "acme/shop"])
def test_a_tag_from_before_the_numbers_finds_its_old_job_in_whatever_case(engine: Engine, way: str, name: str) -> None:
    old = arrive(engine, way, tag("Acme/Shop", None))
    with engine.begin() as connection:
        repositories.note(connection, {Repository("github", "Acme/Shop"): [NOW]}, {})
    assert arrive(engine, way, tag(name, 7)) == old


def test_a_renamed_repository_finds_its_jobs_and_one_that_takes_its_old_name_does_not(engine: Engine, way: str) -> None:
    old = arrive(engine, way, tag("acme/old", None, "b" * 40))
    first = arrive(engine, way, tag("acme/old", 7))
    branch_push(engine, "acme/old", 7, "one")
    log(engine, "acme/old")
    branch_push(engine, "acme/new", 7, "two", NOW + timedelta(minutes=1))
    log(engine, "acme/new")
    assert arrive(engine, way, tag("acme/new", 7)) == first
    assert arrive(engine, way, tag("acme/new", 7, "b" * 40)) == old
    assert arrive(engine, way, tag("acme/old", 8)) != first
    assert arrive(engine, way, tag("acme/old", 8, "b" * 40)) != old
    assert arrive(engine, way, tag("acme/old", 8, "b" * 40)) != old


def test_whoever_speaks_for_one_repository_takes_no_job_of_another_by_its_number(engine: Engine, way: str) -> None:
    sources = (ALICE, BOB)
    forged = arrive(engine, way, tag("bob/evil", 7), sources)
    true = arrive(engine, way, tag("alice/shop", 7), sources)
    assert true != forged
    assert arrive(engine, way, tag("alice/shop", 7), sources) == true
    assert arrive(engine, way, tag("bob/evil", 7), sources) == forged


def test_a_reconcile_by_name_finds_the_job_that_the_webhook_made(engine: Engine) -> None:
    made = arrive(engine, "alone", tag("acme/shop", 7))
    with engine.begin() as connection:
        assert deliveries.adopt(connection, tag("acme/shop", None), make_work(), Trigger.RECONCILE, NOW) == (made, False)
    branch_push(engine, "acme/shop", 7, "one")
    log(engine, "acme/shop")
    with engine.begin() as connection:
        adopted, _ = deliveries.adopt(connection, tag("ACME/shop", None, "c" * 40), make_work(), Trigger.RECONCILE, NOW)
        assert connection.execute(sa.select(jobs.c.repository_id).where(jobs.c.id == adopted)).scalar_one() == 7
    assert arrive(engine, "in a group", tag("acme/shop", 7, "c" * 40)) == adopted


# --- the log and contributions ---------------------------------------------------------------------------------------


def test_the_log_goes_on_under_the_new_name_and_stays_closed_to_whoever_takes_the_old_one(engine: Engine) -> None:
    branch_push(engine, "acme/old", 7, "one")
    log(engine, "acme/old")
    forget_numbers(engine)
    branch_push(engine, "acme/old", 7, "two", NOW + timedelta(minutes=1))
    log(engine, "acme/old")
    branch_push(engine, "Acme/New", 7, "three", NOW + timedelta(minutes=2))
    branch_push(engine, "acme/old", 8, "four", NOW + timedelta(minutes=3))
    log(engine, "acme/old")
    log(engine, "Acme/New")
    assert heads(engine, "Acme/New", 7) == [sha("three"), sha("two"), sha("one")]
    assert heads(engine, "acme/new", None) == [sha("three"), sha("two"), sha("one")]
    assert heads(engine, "acme/old", 8) == heads(engine, "acme/old", None) == [sha("four")]
    with engine.begin() as connection:
        located = identities.locate(connection, Repository("github", "acme/old", id=7))
        assert (located.full_name, located.forge_name) == ("acme/old", "Acme/New")


def test_two_spellings_from_before_the_numbers_become_one(engine: Engine) -> None:
    for name, commit in (("Acme/Shop", "one"), ("acme/shop", "two"), ("Acme/Shop", "three")):
        branch_push(engine, name, 7, commit)
    with engine.begin() as connection:  # as the program before this one wrote it
        for seq, key, head in ((1, "github:Acme/Shop", "one"), (2, "github:acme/shop", "two")):
            provider, _, name = key.partition(":")
            named = {"key": key, "provider": provider, "repository": name, "pushes": []}
            connection.execute(known_repositories.insert().values(named))
            values = {"ref": "refs/heads/main", "before": sha("before"), "commit_ids": [], "at": NOW}
            connection.execute(pushes.insert().values(seq=seq, repository_key=key, sha=sha(head), **values))
            connection.execute(commits.insert().values(repository_key=key, id=sha("one"), message="one", seen_at=NOW))
            contributions.contribute(
                connection, Contribution(target="t", version="v", repository_key=key, full_name="acme/shop", commits=()), NOW
            )
    log(engine, "Acme/Shop")
    assert set(heads(engine, "acme/shop", 7)) == {sha("one"), sha("two"), sha("three")}
    with engine.begin() as connection:
        (known,) = connection.execute(sa.select(known_repositories))
        assert (known.repository, known.repository_id, [name for name, _ in known.former_names]) == (
            "Acme/Shop",
            7,
            ["acme/shop"],
        )
        assert len(contributions.kept_contributions(connection, "t", "v")) == 1


def test_what_others_put_into_a_release_is_sent_under_their_newest_name(engine: Engine) -> None:
    branch_push(engine, "acme/old", 7, "one")
    log(engine, "acme/old")
    with engine.begin() as connection:
        key = identities.locate(connection, Repository("github", "acme/old", id=7)).log_key
        contributions.contribute(
            connection, Contribution(target="t", version="v", repository_key=key, full_name="acme/shop", commits=()), NOW
        )
    branch_push(engine, "acme/new", 7, "two", NOW + timedelta(minutes=1))
    log(engine, "acme/new")
    with engine.begin() as connection:
        assert [part.full_name for part in contributions.kept_contributions(connection, "t", "v").values()] == ["acme/new"]


def test_whoever_speaks_for_one_repository_does_not_rename_another(engine: Engine) -> None:
    bound = Rules(rules=(), targets={}, sources=(ALICE, BOB))
    branch_push(engine, "alice/shop", 7, "one")
    log(engine, "alice/shop", bound)
    branch_push(engine, "bob/evil", 7, "two", NOW + timedelta(minutes=1))
    log(engine, "bob/evil", bound)
    assert heads(engine, "alice/shop", 7, bound.sources) == [sha("one")]
    assert heads(engine, "bob/evil", 7, bound.sources) == [sha("two")]


def test_a_rename_is_one_line_that_names_the_patterns_left_behind(engine: Engine) -> None:
    rule = Rule(name="web", repos=("github:acme/old",), refs=("refs/tags/*",), targets=("t",), projects=("p",))
    in_force = Rules(rules=(rule,), targets={})
    branch_push(engine, "acme/old", 7, "one")
    log(engine, "acme/old", in_force)
    for commit in ("two", "three"):
        branch_push(engine, "acme/new", 7, commit, NOW + timedelta(minutes=1))
    with capture_logs() as lines:
        log(engine, "acme/new", in_force)
    assert [line for line in lines if line["event"] == "repository.renamed"] == [
        {
            "event": "repository.renamed",
            "log_level": "warning",
            "repository": "github:acme/new",
            "was": "acme/old",
            "left_behind": ["rule 'web': repo = \"github:acme/old\""],
        }
    ]


def test_a_release_after_a_rename_counts_from_the_one_before_it(engine: Engine, target: Target, http: httpx2.Client) -> None:
    """Without an API: all that is known of the history came under the two names."""
    in_force = rules(target.url)
    made = [
        ("acme/old", "refs/heads/main", sha("root"), "one"),
        ("acme/old", "refs/tags/v1.0.0", ZERO, "one"),
        ("acme/new", "refs/heads/main", sha("one"), "two"),
        ("acme/new", "refs/tags/v1.1.0", ZERO, "two"),
    ]
    for place, (name, ref, before, commit) in enumerate(made):
        is_tag, head = ref.startswith("refs/tags/"), SampleCommit(commit, id=sha(commit))
        commits_ = () if is_tag else (head,)
        payload = github_push(repository=name, ref=ref, commits=commits_, head=head, before=before, number=7)
        store(engine, sign_github(payload, "s"), NOW + timedelta(minutes=place), in_force)
    with engine.begin() as connection:
        due = list(connection.execute(sa.select(jobs.c.id).order_by(jobs.c.id)).scalars())
    runner(engine, http, in_force).run(due)
    bodies = {body["version"]: body for path, body, _ in target.posts if path.endswith("/releases/")}
    assert [commit["id"] for commit in bodies["v1.1.0"]["commits"]] == [sha("two")]
    assert {commit["repository"] for commit in bodies["v1.1.0"]["commits"]} == {"acme/new"}
    with engine.begin() as connection:
        found = connection.execute(sa.select(jobs.c.range).where(jobs.c.id == due[-1])).scalar_one()
    assert (found["base"], found["base_tag"], found["partial"]) == (sha("one"), "v1.0.0", None)


def test_config_check_names_what_matches_a_former_name_only(engine: Engine, tmp_path: Path) -> None:
    branch_push(engine, "acme/old", 7, "one")
    branch_push(engine, "acme/new", 7, "two", NOW + timedelta(minutes=1))
    log(engine, "acme/old")
    log(engine, "acme/new")
    config = tmp_path / "tagship.toml"
    config.write_text('[[rules]]\nrepo = ["github:acme/old", "gitlab:acme/old"]\nname = "web"\n')
    url = engine.url.render_as_string(hide_password=False)
    environ = {"DATABASE_URL": url, "TAGSHIP_CONFIG": str(config), "SENTRY_AUTH_TOKEN": "t", "PATH": "", "LANG": "C.UTF-8"}
    left = "rule 'web': repo = \"github:acme/old\""
    assert call(environ, "config", "check", "--json")["warnings"] == [
        f"github:acme/new, formerly acme/old, is no longer matched by {left}"
    ]
    assert left in call(environ, "config", "check").stderr


def test_what_is_known_of_a_repository_follows_it(engine: Engine) -> None:
    """Its rhythm and its last release are one row, whatever it is called."""
    branch_push(engine, "acme/old", 7, "one")
    branch_push(engine, "acme/new", 7, "two", NOW + timedelta(minutes=1))
    branch_push(engine, "acme/old", 8, "three", NOW + timedelta(minutes=2))
    while rollups.advance(engine, NOW + timedelta(hours=1)):
        pass
    with engine.begin() as connection:
        rows = connection.execute(sa.select(known_repositories).order_by(known_repositories.c.repository_id)).all()
    assert [(row.repository, row.repository_id, len(row.pushes)) for row in rows] == [("acme/new", 7, 2), ("acme/old", 8, 1)]
    assert [row.former_names and len(row.former_names) for row in rows] == [1, None]


def listed(engine: Engine, name: str, *, limit: int = 50, **words: Any) -> tuple[set[str], int]:
    """(jobs, deliveries) that a filter by this name finds, page by page; a bulk act has to take the same jobs."""
    with engine.begin() as connection:
        found, page = [], Page(limit)
        while True:
            part = listings.list_jobs(connection, JobFilter(repository=name, **words), page)
            found += [row.id for row in part.rows]
            if part.next_cursor is None:
                break
            page = Page(limit, read_cursor(part.next_cursor, "job"))
        assert found == sorted(set(found), reverse=True), "newest first, each once"
        taken = sa.select(jobs.c.id).where(*lookup.job_conditions(connection, JobFilter(repository=name, **words)))
        assert set(connection.execute(taken).scalars()) == set(found)
        return set(found), len(listings.list_deliveries(connection, DeliveryFilter(repository=name), Page()).rows)


def test_lists_compare_names_without_case_and_follow_a_rename(engine: Engine) -> None:
    old = {arrive(engine, "alone", tag("acme/old", 7, digit * 40)) for digit in "abc"}
    branch_push(engine, "acme/old", 7, "one")
    log(engine, "acme/old")
    assert listed(engine, "ACME/Old") == (old, 4)
    assert listed(engine, "acme/Renamed") == (set(), 0)
    branch_push(engine, "acme/Renamed", 7, "two", NOW + timedelta(minutes=1))
    log(engine, "acme/Renamed")
    new = {arrive(engine, "alone", tag("acme/Renamed", 7, digit * 40)) for digit in "de"}
    for name in ("acme/renamed", "acme/OLD", "acme/old"):
        for limit in (1, 2, 3, 50):
            assert listed(engine, name, limit=limit) == (old | new, 7)
    assert listed(engine, "acme/renamed", target="default", status="queued", provider="github") == (old | new, 7)
    assert listed(engine, "acme/renamed", provider="gitlab")[0] == set()
    branch_push(engine, "acme/Old", 8, "three", NOW + timedelta(minutes=2))
    log(engine, "acme/Old")
    other = arrive(engine, "alone", tag("acme/Old", 8, "f" * 40))
    for limit in (2, 50):
        assert listed(engine, "acme/old", limit=limit) == ({other}, 2), "whoever has the name now"
        assert listed(engine, "acme/renamed", limit=limit) == (old | new, 7)
