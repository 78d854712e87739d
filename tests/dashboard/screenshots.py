"""`make screenshots`: every page, light and dark, with made-up data, into docs/screenshots/."""

from __future__ import annotations

import random
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.domain.push import Push, Ref, Repository
from shared.domain.reconcile_report import ReconcileEntry, ReconcileReport
from shared.domain.rules import decide
from shared.infra.database import make_engine
from shared.ledger import reconcile_runs, rollups, target_states
from shared.ledger.tables import SCHEMA, jobs
from tests.dashboard import ledger
from tests.dashboard.browser import MISSING, ROOT, Visit, find_chromium, opened, served
from tests.migrated import migrate
from webhook.local.sample_webhooks import sha

FOLDER = ROOT / "docs" / "screenshots"
REPOSITORIES = ("acme/shop-web", "acme/shop-api", "acme/billing", "acme/mobile", "acme/search")
RULES = """
[targets.main]
url = "https://sentry.acme.example"
org = "acme"
token_env = "ACME_SENTRY_TOKEN"

[targets.eu]
url = "https://eu.sentry.acme.example"
org = "acme-eu"
token_env = "ACME_SENTRY_TOKEN"

[[rules]]
name = "shop tags"
repo = "github:acme/shop-*"
refs = ["refs/tags/v*", "!refs/tags/*-nightly*"]
target = "main"
projects = ["shop-web", "shop-api"]
release = "{name}@{version}"
environment = "production"

[[rules]]
name = "all other tags"
repo = "github:acme/*"
refs = ["refs/tags/v*"]
target = ["main", "eu"]
projects = ["app"]
release = "{name}@{version}"
"""


def invent(engine: Engine, in_force: ledger.Rules) -> str:
    """A day and a half of an ordinary company; the id of the failed job."""
    dice, now, failed = random.Random(6), datetime.now(UTC), ""
    for number in range(160):
        at = now - timedelta(minutes=2100) * (1 - number / 160) - timedelta(minutes=3)
        repository = dice.choice(REPOSITORIES)
        if dice.random() < 0.3:
            ledger.accept(engine, in_force, ref=f"refs/heads/topic-{number}", repository=repository, at=at)
            continue
        delivery, _ = ledger.accept(
            engine, in_force, name=f"v2.{number // 10}.{number % 10}", repository=repository, at=at, message="Round to cents"
        )
        with engine.begin() as connection:
            made = list(connection.execute(sa.select(jobs.c.id).where(jobs.c.delivery_id == delivery)).scalars())
        for job in made:
            moment = at + timedelta(seconds=dice.lognormvariate(0, 1.2))
            if number > 156:
                continue
            if number in (60, 150):
                ledger.end(engine, job, "failed", at=moment, error="400: projects: Invalid project ids or slugs: app")
                failed = job
            elif number > 153:
                ledger.end(engine, job, "retrying", at=now - timedelta(seconds=40))
            else:
                ledger.end(engine, job, "succeeded", at=moment)
    with engine.begin() as connection:
        target_states.pause(connection, "eu", now=now)
    while rollups.advance(engine, now + rollups.LATENESS):
        pass
    return failed


def invent_comparison(engine: Engine, in_force: ledger.Rules) -> None:
    """The newest tags of a repository, of which one push announced none of four."""
    now, repository = datetime.now(UTC), Repository("github", "acme/billing")
    entries = []
    for tag in ("v2.13.0", "v2.13.1", "latest", "v2.14.0", "v2.14.1", "v2.14.2", "v2.15.0"):
        push = Push(repository=repository, ref=Ref(f"refs/tags/{tag}"), before="0" * 40, after=sha(tag), sha=sha(tag))
        decision = decide(push, in_force)
        why = "missed_webhook" if tag > "v2.14" else None
        entries += [ReconcileEntry(tag=tag, sha=sha(tag), work=work, why=why) for work in decision.work]
        if not decision.work:
            entries.append(ReconcileEntry(tag=tag, sha=sha(tag), work=None, why=decision.reason, detail=decision.detail))
    with engine.begin() as connection:
        reconcile_runs.want(connection, repository, most_tags=50, creates=False, now=now)
        mine = reconcile_runs.claim(connection, repository.key, now=now)
        assert mine is not None
        reconcile_runs.save(connection, mine, ReconcileReport(repository, 34, tuple(entries)), to_create=0, now=now)
        reconcile_runs.end(connection, mine, error=None, now=now)


def take(folder: Path) -> None:
    from shared.config import rules_file
    from shared.config.settings import from_env

    database = f"sqlite:///{folder / 'ledger.sqlite3'}"
    (folder / "tagship.toml").write_text(RULES, encoding="utf-8")
    environ = {
        "DATA_DIR": str(folder),
        "DATABASE_URL": database,
        "GITHUB_WEBHOOK_SECRET": "s",
        "OPS_TOKEN": ledger.OPERATOR,
        "ACME_SENTRY_TOKEN": "t",
        "TAGSHIP_CONFIG": str(folder / "tagship.toml"),
    }
    engine = make_engine(database)
    migrate(engine, SCHEMA)
    in_force = rules_file.load(from_env(environ))
    failed = invent(engine, in_force)
    invent_comparison(engine, in_force)
    with engine.begin() as connection:
        delivery = connection.execute(sa.select(jobs.c.delivery_id).where(jobs.c.id == failed)).scalar_one()
    pages = {
        "overview": "/",
        "deliveries": "/deliveries",
        "delivery": f"/deliveries/{delivery}",
        "jobs": "/jobs",
        "job": f"/jobs/{failed}",
        "replay": "/jobs/replay?status=failed",
        "releases": "/releases",
        "repositories": "/repositories",
        "repository": "/repositories/github/acme/billing",
        "targets": "/targets",
        "rules": "/rules",
        "audit": "/audit",
    }
    with served(environ) as url, opened() as browser:
        for scheme in ("light", "dark"):
            visit = Visit(browser, url, scheme=scheme)
            visit.page.set_viewport_size({"width": 1080, "height": 680})
            visit.open("/sign-in").screenshot(path=FOLDER / f"sign-in-{scheme}.png")
            visit.sign_in(ledger.OPERATOR)
            for name, address in pages.items():
                visit.open(address).screenshot(path=FOLDER / f"{name}-{scheme}.png", full_page=name == "job")
            page = visit.open(f"/rules/try?delivery={delivery}")
            rules = page.get_by_label("Rules", exact=True)
            rules.fill(rules.input_value().replace("{name}@{version}", "web-{name}@{version}"))
            page.get_by_role("button", name="Explain this payload").click()
            page.locator("#answer").wait_for()
            page.evaluate("scrollTo(0, 0)")
            page.screenshot(path=FOLDER / f"try-{scheme}.png")
            visit.close()
    engine.dispose()


def main() -> None:
    if find_chromium() is None:
        sys.exit(MISSING)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        take(Path(folder))
    print(f"{len(list(FOLDER.glob('*.png')))} pictures in {FOLDER.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
