"""Wants a comparison of each repository that `[reconcile]` of the configuration names, every so often."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.engine import Engine

from shared.domain.push import Repository
from shared.domain.rules import ReconcileRules, names_repository
from shared.errors import BadParameter
from shared.forges.repository_key import read_repository
from shared.infra.database import reading
from shared.ledger import reconcile_runs
from shared.ledger.repositories import list_known
from shared.reconcile import RECENT_TAGS

PLAN_EVERY = timedelta(minutes=1)
_PAGE = 500  # repositories a query
_GLOB = frozenset("*?[")


class Timer:
    """`step` wants what is due. Several timers do no harm: what one has wanted, or compared, is not due for the next."""

    def __init__(self, engine: Engine, rules: ReconcileRules) -> None:
        self._engine = engine
        self._rules = rules
        self._next_at: datetime | None = None

    def use(self, rules: ReconcileRules) -> None:
        """Other rules from the next step on."""
        self._rules = rules

    def step(self, now: datetime) -> int:
        """How many have become due."""
        rules = self._rules
        if rules.every is None or (self._next_at is not None and now < self._next_at):
            return 0
        self._next_at = now + min(PLAN_EVERY, rules.every)
        wanted = 0
        for repository in self._named(rules.repositories):
            with self._engine.begin() as connection:
                wanted += reconcile_runs.want(
                    connection,
                    repository,
                    most_tags=RECENT_TAGS,
                    creates=True,
                    now=now,
                    is_by_timer=True,
                    not_since=now - rules.every,
                )
        return wanted

    def _named(self, patterns: Sequence[str]) -> list[Repository]:
        """Those that ever pushed and match, and those that stand there in full."""
        keys = {pattern for pattern in patterns if not _GLOB & set(pattern)}
        after = ""
        while True:
            with reading(self._engine).begin() as connection:
                page = list_known(connection, after=after, limit=_PAGE)
            named = (f"{row.provider}:{row.repository}" for row in page)
            keys |= {key for key in named if names_repository(patterns, key)}
            if len(page) < _PAGE:
                break
            after = page[-1].key
        return [found for key in sorted(keys) if (found := _read(key)) is not None]


def _read(key: str) -> Repository | None:
    try:
        return read_repository(key)
    except BadParameter:  # a name that an older version let in
        return None
