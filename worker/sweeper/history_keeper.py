"""Keeps the commit log in small steps: takes over pushes that nobody needed yet, and forgets what is too old."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.engine import Engine

from shared.domain.rules import Rules
from shared.errors import TransientError
from shared.infra import logs
from shared.infra.database import reading
from shared.ledger import pending_pushes, push_history
from worker.commits.history_writer import log_step

logger = logs.get(__name__)
WRITE_EVERY = timedelta(seconds=2)
FORGET_EVERY = timedelta(minutes=1)
_REPOSITORIES = 10  # a step


class LogKeeper:
    """`step` does what is due. A payload may only expire once its push is in the log, so every push gets there."""

    def __init__(self, engine: Engine, rules: Rules) -> None:
        self._engine = engine
        self._rules = rules
        self._write_at: datetime | None = None
        self._forget_at: datetime | None = None

    def use(self, rules: Rules) -> None:
        """Other rules from the next step on."""
        self._rules = rules

    def step(self, now: datetime) -> None:
        if self._write_at is None or now >= self._write_at:
            self._write_at = now if self._write() else now + WRITE_EVERY
        if self._forget_at is None or now >= self._forget_at:
            with self._engine.begin() as connection:
                dropped = push_history.forget(connection, before=now - self._rules.commits.keep)
            self._forget_at = now if dropped else now + FORGET_EVERY

    def _write(self) -> int:
        with reading(self._engine).begin() as connection:
            waiting = pending_pushes.repositories(connection, _REPOSITORIES)
        written, rules = 0, self._rules
        for provider, repository in waiting:
            try:
                written += log_step(self._engine, provider=provider, repository=repository, rules=rules)
            except TransientError as problem:  # of a large body: the other repositories' are read all the same
                logger.warning("commits.unread", repository=repository, cause=str(problem))
        return written
