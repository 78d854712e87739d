"""Comparisons of a repository, as the sweeper leaves them."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.engine import Engine

from shared.domain.push import Repository
from shared.domain.reconcile_report import ReconcileEntry, ReconcileReport
from shared.domain.rules import decide
from shared.ledger import reconcile_runs
from tests.builders import push
from tests.dashboard import ledger

SHOP = Repository("github", "acme/shop")


def entry(tag: str, why: str | None) -> ReconcileEntry:
    decision = decide(push(f"refs/tags/{tag}"), ledger.rules())
    if not decision.work:
        return ReconcileEntry(tag=tag, sha="a" * 40, work=None, why=decision.reason, detail=decision.detail)
    return ReconcileEntry(tag=tag, sha="a" * 40, work=decision.work[0], why=why)


def compared(engine: Engine, *entries: ReconcileEntry, creates: bool = False, ends: bool = True) -> reconcile_runs.Claimed:
    """What a sweeper does with a comparison that is wanted."""
    now = datetime.now(UTC)
    with engine.begin() as connection:
        reconcile_runs.want(connection, SHOP, most_tags=50, creates=creates, now=now)
        mine = reconcile_runs.claim(connection, SHOP.key, now=now)
        assert mine is not None
        found = ReconcileReport(SHOP, len(entries), entries)
        reconcile_runs.save(connection, mine, found, to_create=len(found.missing) if creates else 0, now=now)
        if ends:
            reconcile_runs.end(connection, mine, error=None, now=now)
    return mine
